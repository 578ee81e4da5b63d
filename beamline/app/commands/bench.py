"""`trxas bench`: the shot kernels against memory bandwidth and other libraries, beside the required ratios."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from beamline.studies.bench.rows import BenchRow

WIDTH = 120
"""Least table width in characters, even on a narrower terminal."""


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("bench")(bench)


def bench(
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Also write all results to this JSON file.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit status 1 if a required value is missed.")] = False,
    rounds: Annotated[int, typer.Option(min=5, help="Repeats of millisecond benchmarks.")] = 80,
) -> None:
    """Benchmark the shot kernels, interleaved with memory reads and other libraries on the same arrays."""
    from beamline.studies.bench.machine import describe
    from beamline.studies.bench.run import run

    console = Console(highlight=False)
    if console.width < WIDTH:
        console = Console(highlight=False, width=WIDTH)
    machine = describe()
    with console.status("") as status:
        rows = run(lambda name: status.update(f"measuring: {name}"), rounds)
    for name, value in machine.items():
        console.print(f"{name}: {value}")
    console.print(table_of(rows))
    if json_file is not None:
        output = {"machine": machine, "rows": [row.to_json() for row in rows]}
        json_file.write_text(json.dumps(output, indent=1) + "\n")
    missed = [row.name for row in rows if row.must is not None and not row.meets(row.must)]
    if missed:
        console.print(f"missed: {'; '.join(missed)}")
    for row in rows:
        if row.falls_short and row.because:
            console.print(f"{row.name}, {_number(row.seen)}: {row.because}", markup=False)
    if strict and missed:
        raise typer.Exit(1)


def table_of(rows: list[BenchRow]) -> Table:
    """The rows with their required and goal values."""
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for title in ("seen", "must", "goal"):
        table.add_column(title, justify="right")
    table.add_column("")
    for row in rows:
        seen = row.note if row.seen != row.seen else f"{_number(row.seen)} {row.unit}".rstrip()
        wanted = [_wanted(row, value) for value in (row.must, row.goal)]
        table.add_row(row.name, seen, *wanted, _assessment(row))
    return table


def _wanted(row: BenchRow, value: float | None) -> str:
    return "" if value is None else f"{'<=' if row.smaller_is_better else '>='} {_number(value)}"


def _assessment(row: BenchRow) -> str:
    if row.must is None or row.seen != row.seen:
        return "" if row.must is None else "not measured"
    return "goal" if row.meets(row.goal) else "must" if row.meets(row.must) else "missed"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
