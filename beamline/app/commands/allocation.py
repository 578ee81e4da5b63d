"""`trxas study allocation`: time to the same error against the even grid, and campaigns that stop by it, printed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from beamline.studies.allocation.table import AllocationRow

WIDTH = 140
"""Columns that the table needs, also where a terminal reports fewer."""


def allocation_command(
    campaigns: Annotated[int, typer.Option(min=0, help="Campaigns a quantity; each takes a third of a second.")] = 100,
    first: Annotated[int, typer.Option(min=0, help="Seed of the first one.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    only: Annotated[str, typer.Option(help="Quantities whose title has this text.")] = "",
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the table as the documentation has it.")
    ] = False,
) -> None:
    """Time of quantities to the same error against the even grid; bias and coverage of campaigns that stop by it."""
    from beamline.studies.allocation.cases import cases
    from beamline.studies.allocation.table import markdown_of, studied

    chosen = [case for case in cases() if only.lower() in case.title.lower()]
    if not chosen:
        raise typer.BadParameter(f"no quantity has {only!r}; there are {', '.join(case.title for case in cases())}")
    console = Console(highlight=False)
    if console.width < WIDTH:
        console = Console(highlight=False, width=WIDTH)
    rows = []
    with console.status("") as status:
        for case in chosen:
            status.update(case.title)
            rows.append(studied(case, campaigns, jobs, first))
    if as_markdown:
        typer.echo(markdown_of(rows))
        return
    console.print(_table(rows))
    console.print(
        "Wall time of allocation and even grid to the wanted error, as predicted. Wrong: largest time over that of the"
        " even grid where another model is true, one that was foreseen, and one that was not. Campaigns (n) with other"
        " rates and jet noise than assumed, which stop by the predicted error, or at the planned time (fixed): mean"
        " deviation over the quoted error, intervals that hold the truth, wall time over the forecast."
    )


def _table(rows: list[AllocationRow]) -> Table:
    from beamline.studies.allocation.table import COLUMNS

    table = Table(title="SIMULATED. Beam time by predicted errors")
    for number, name in enumerate(COLUMNS):
        table.add_column(name, justify="left" if number < 1 else "right")
    for row in rows:
        table.add_row(*row.cells())
    return table
