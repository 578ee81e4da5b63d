"""`trxas compare`: two results side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from beamline.app.commands.stored import Config, From, Roots, report_damage, terminal, uid_argument


def compare_command(
    one: Annotated[str, uid_argument(metavar="A", help="Run, scan set, 'last', or a file of another program.")],
    other: Annotated[str, uid_argument(metavar="B", help="The same; looked for in the second root first.")],
    out: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Write .csv, .png or .pdf.")] = None,
    edge_step: Annotated[
        bool,
        typer.Option("--edge-step", help="Divide by the edge step, by Larch's pre_edge, not by the edge integral."),
    ] = False,
    slots: Annotated[str, typer.Option(help="Slots whose transients are compared, of A and B.")] = "0,0",
    largest_shift: Annotated[float, typer.Option(min=0.01, help="Largest energy shift, eV.")] = 5.0,
    edge: Annotated[str, typer.Option(help="Edge of a file that does not name its own.")] = "",
    settings: Annotated[
        bool, typer.Option("--settings", help="Compare the settings of the whole beamline in two raw runs instead.")
    ] = False,
    tolerance: Annotated[
        float, typer.Option(min=0, help="With --settings: fraction by which numbers must differ to be shown.")
    ] = 1e-3,
    source: From = "journal",
    config: Config = "simulated",
    data: Roots = None,
) -> None:
    """Compare two energy scans on one scale: difference, energy shift, shapes of the transients."""
    from contextlib import ExitStack

    from beamline.app.commands.export import numbers
    from beamline.app.commands.stored import stored
    from beamline.outputs.comparison.content import compare_results, sentences
    from beamline.outputs.comparison.files import write_comparison
    from beamline.outputs.comparison.find import result_of

    if settings:
        _compare_settings(one, other, tolerance, list(data) if data else [None], config, source)
        return
    chosen = numbers(slots) or []
    if len(chosen) != 2:
        raise typer.BadParameter(f"--slots takes two slots, of A and of B, not {slots!r}")
    roots: list[Path | None] = [*data] if data else [None]
    with ExitStack() as stack:
        stores = [stack.enter_context(stored(config, root, source)).store for root in roots]
        first, second = result_of(stores, one, edge), result_of(stores[::-1], other, edge)
    found = compare_results(first, second, edge_step, (chosen[0], chosen[1]), 1e-3 * largest_shift)
    console = terminal()
    report_damage(console, (first, second))
    for line in sentences(found):
        console.print(line, markup=False, soft_wrap=True)
    if out is not None:
        console.print(str(write_comparison(out, found)), markup=False, soft_wrap=True)


def _compare_settings(
    one: str, other: str, tolerance: float, roots: list[Path | None], config: str, source: str
) -> None:
    """Print what differs between two runs; the second is looked for in the second root."""
    from rich.table import Table

    from beamline.app.commands.stored import stored
    from beamline.outputs.comparison.settings import beamline_settings, differences
    from beamline.records.runs.find import find
    from beamline.records.runs.search import runs_named
    from beamline.records.runs.table import plain_text

    sides = []
    for name, root in ((one, roots[0]), (other, roots[-1])):
        with stored(config, root, source) as found:
            run = find(runs_named(found.store, [name]), name).runs[-1]
            sides.append((run.uid[:8], beamline_settings(found.store, run)))
    rows = differences(sides[0][1], sides[1][1], tolerance)
    console = terminal()
    if not rows:
        console.print(f"no difference above {tolerance:g} in {len(sides[0][1])} settings and readings", markup=False)
        return
    table = Table("setting", *(uid for uid, _ in sides), box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*map(plain_text, row))
    console.print(table)


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("compare")(compare_command)
