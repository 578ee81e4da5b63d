"""`trxas study numbers`: pulls, coverage and silent errors of every number, printed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from beamline.studies.numbers.table import Found, NoteShare, Row

WIDTH = 110
"""Columns that the table needs, also where a terminal reports fewer."""

First = Annotated[int, typer.Option(min=0, help="Seed of the first one.")]
Jobs = Annotated[int, typer.Option(min=1, help="Processes.")]
Keep = Annotated[
    Path | None, typer.Option(help="File to which results are added one by one; those it has are not drawn again.")
]
AsMarkdown = Annotated[bool, typer.Option("--markdown", help="Print the table as the documentation has it.")]


def numbers_command(
    scenarios: Annotated[int, typer.Option(min=1, help="Scenarios drawn; each takes a second.")] = 100,
    first: First = 0,
    jobs: Jobs = 1,
    keep: Keep = None,
    as_markdown: AsMarkdown = False,
) -> None:
    """Scenarios of a forward model of its own through the reduction: bias, pulls, coverage, wrong results by number."""
    from beamline.studies.numbers.keep import kept_study
    from beamline.studies.numbers.table import markdown, note_shares, numbers_of, row_of, rows

    console = wide_console()
    found = gathered(console, kept_study(keep, scenarios, first, jobs), f"{scenarios} scenarios")
    numbers = numbers_of(found)
    table = [*rows(numbers), row_of("all", "", numbers)]
    if as_markdown:
        typer.echo(markdown(table))
        return
    console.print(table_of(table, f"{scenarios} scenarios from seed {first}"))
    console.print(
        "Of the numbers whose result carries no note that contradicts them: bias and width, mean and standard deviation"
        " of (value - truth) / error; 68 and 95 %, intervals that hold the truth; silent, more than 3 errors away (0.27"
        " % by chance)."
    )
    console.print(_notes(note_shares(found)))
    print_refused(console, found)


def wide_console() -> Console:
    """A console that has room for the table."""
    console = Console(highlight=False)
    return console if console.width >= WIDTH else Console(highlight=False, width=WIDTH)


def gathered(console: Console, every: Iterator[Found], of_all: str) -> Found:
    """All results, with a line that counts them meanwhile."""
    found: Found = []
    with console.status("") as status:
        for number, results in enumerate(every, start=1):
            found += results
            status.update(f"{number} of {of_all}")
    return found


def print_refused(console: Console, found: Found) -> None:
    """Print what the reduction refused."""
    for text in found:
        if isinstance(text, str):
            console.print(text, markup=False)


def table_of(rows: list[Row], title: str) -> Table:
    """The table as a terminal shows it."""
    from beamline.studies.numbers.table import COLUMNS

    table = Table(title=f"SIMULATED. {title}")
    for number, name in enumerate(COLUMNS):
        table.add_column(name, justify="left" if number < 2 else "right", no_wrap=number < 2)
    for row in rows:
        table.add_row(*row.cells())
    return table


def _notes(shares: list[NoteShare]) -> Table:
    table = Table(title="Notes, % of the results of a kind")
    for name in ("result", "%", "note", "evidence"):
        table.add_column(name, justify="right" if name == "%" else "left", no_wrap=name != "note")
    for one in shares:
        table.add_row(one.kind, f"{100 * one.share:.1f}", one.subject, "no" if one.usual else "yes")
    return table
