"""`trxas study thermal`: pulls of the numbers of temperature series, diffraction and theory, printed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated

import typer

from beamline.app.commands.numbers import (
    AsMarkdown,
    First,
    Jobs,
    Keep,
    gathered,
    print_refused,
    table_of,
    wide_console,
)


def thermal_study_command(
    repeats: Annotated[int, typer.Option(min=1, help="Series drawn; each takes some seconds.")] = 50,
    first: First = 0,
    jobs: Jobs = 1,
    keep: Keep = None,
    as_markdown: AsMarkdown = False,
) -> None:
    """Temperature series, diffraction images and comparisons with theory of a forward model of its own through the
    reduction: bias, pulls and coverage of each number."""
    from beamline.studies.numbers.keep import kept_study
    from beamline.studies.numbers.table import markdown, numbers_of, rows
    from beamline.studies.thermal.measure import thermal_study

    if find_spec("pyFAI") is None:
        raise typer.BadParameter("pyFAI is not installed here: install the extra 'thermal' of this package")
    console = wide_console()
    found = gathered(console, kept_study(keep, repeats, first, jobs, thermal_study), f"{repeats} repeats")
    table = rows(numbers_of(found))
    if as_markdown:
        typer.echo(markdown(table))
    else:
        console.print(table_of(table, f"{repeats} temperature series from seed {first}, edges in turn"))
    print_refused(console, found)
