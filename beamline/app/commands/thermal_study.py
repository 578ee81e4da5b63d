"""`trxas study thermal`: pulls of the numbers of temperature series, diffraction and theory, printed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from beamline.app.commands.numbers import WIDTH, table_of


def thermal_study_command(
    repeats: Annotated[int, typer.Option(min=1, help="Series drawn; each takes some seconds.")] = 50,
    first: Annotated[int, typer.Option(min=0, help="Seed of the first one.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    keep: Annotated[
        Path | None, typer.Option(help="File to which results are added one by one; those it has are not drawn again.")
    ] = None,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the table as the documentation has it.")
    ] = False,
) -> None:
    """Temperature series, diffraction images and comparisons with theory of a forward model of its own through the
    reduction: bias, pulls and coverage of each number."""
    from beamline.studies.numbers.keep import kept_study
    from beamline.studies.numbers.table import markdown, numbers_of, rows
    from beamline.studies.thermal.measure import thermal_study

    if find_spec("pyFAI") is None:
        raise typer.BadParameter("pyFAI is not installed here: install the extra 'thermal' of this package")
    console = Console(highlight=False)
    if console.width < WIDTH:
        console = Console(highlight=False, width=WIDTH)
    found, refused = [], []
    with console.status("") as status:
        every = (
            kept_study(keep, repeats, first, jobs, thermal_study)
            if keep
            else thermal_study(range(first, first + repeats), jobs)
        )
        for number, results in enumerate(every, start=1):
            found += results
            refused += [one for one in results if isinstance(one, str)]
            status.update(f"{number} of {repeats} repeats")
    table = rows(numbers_of(found))
    if as_markdown:
        typer.echo(markdown(table))
    else:
        console.print(table_of(table, f"{repeats} temperature series from seed {first}, edges in turn"))
    for text in refused:
        console.print(text, markup=False)
