"""`trxas export`: reduced results as files for other programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from beamline.app.commands.stored import Config, From, Roots, report_damage, stored, uid_argument

if TYPE_CHECKING:
    from beamline.outputs.export.result import Result
    from beamline.records.runs.run import Run


def export_command(
    names: Annotated[list[str], uid_argument(metavar="UID|SCAN_SET|last ...", help="Runs or scan sets.")],
    formats: Annotated[
        str,
        typer.Option("--format", "-f", help="One or more of csv, xdi, nexus, athena, png, pdf, separated by commas."),
    ] = "csv",
    out: Annotated[Path, typer.Option(help="Folder for the files.")] = Path("export"),
    fluence: Annotated[
        float | None, typer.Option(help="Fluence marked by a dashed line in figures of fluence scans, mJ/cm2.", min=0)
    ] = None,
    slots: Annotated[
        str | None, typer.Option(help="Slots shown in figures of energy scans, for example 0,1; default: all.")
    ] = None,
    same_area: Annotated[
        bool, typer.Option("--same-area", help="Figures scale each transient to the same area, as in the paper.")
    ] = False,
    edge_step: Annotated[
        bool,
        typer.Option("--edge-step", help="Add the laser-off spectrum divided by its edge step, by Larch's pre_edge."),
    ] = False,
    reference: Annotated[
        str | None, typer.Option("--with", metavar="REF", help="Also write each spectrum with this run or file.")
    ] = None,
    source: From = "journal",
    config: Config = "simulated",
    data: Roots = None,
) -> None:
    """Export reduced results to files for other programs, with errors, settings, versions and raw uids.

    Runs of plain bluesky plans, which cannot be reduced, are exported as CSV tables of their events.
    """
    from beamline.outputs.comparison.files import require_comparable
    from beamline.outputs.export.beamline_info import BeamlineInfo
    from beamline.outputs.export.errors import ExportError
    from beamline.outputs.export.event_table import write_events
    from beamline.outputs.export.result import read_result, with_edge_step
    from beamline.outputs.export.write import formats_of, write_results
    from beamline.records.runs.search import runs_named

    wanted = formats_of(formats)
    if reference is not None:
        require_comparable(wanted)
    roots: list[Path | None] = [*data] if data else [None]
    with stored(config, roots[0], source) as found:
        runs = runs_named(found.store, names)
        plain = {name: run for name in dict.fromkeys(names) if (run := _plain_run(runs, name)) is not None}
        if plain and wanted != ["csv"]:
            raise ExportError(
                f"{', '.join(plain)}: nothing to reduce; its events can be written as a table, --format csv"
            )
        for run in plain.values():
            for path in write_events(found.store, run, out):
                found.console.print(str(path), markup=False, soft_wrap=True)
        results = [read_result(found.store, runs, name) for name in dict.fromkeys(names) if name not in plain]
    if not results:
        return
    report_damage(found.console, results)
    if edge_step:
        results = [with_edge_step(result) for result in results]
    where = found.config.facility
    beamline_info = BeamlineInfo(where.name, where.source, where.crystal, where.d_spacing_angstrom)
    for path in write_results(
        results, wanted, out, beamline_info, fluence_used=fluence, slots=numbers(slots), same_area=same_area
    ):
        found.console.print(str(path), markup=False, soft_wrap=True)
    if reference is not None:
        for path in _with_reference(results, wanted, out, reference, roots, config, source, edge_step):
            found.console.print(str(path), markup=False, soft_wrap=True)


def _with_reference(
    results: Sequence[Result], formats: Sequence[str], out: Path, name: str, roots: Sequence[Path | None], config: str,
    source: str, edge_step: bool,
) -> Iterator[Path]:  # fmt: skip
    """Write each result with the reference; yields the files."""
    from contextlib import ExitStack

    from beamline.outputs.comparison.content import compare_results
    from beamline.outputs.comparison.files import path_beside, write_comparison
    from beamline.outputs.comparison.find import result_of

    with ExitStack() as stack:
        stores = [stack.enter_context(stored(config, root, source)).store for root in reversed(roots)]
        other = result_of(stores, name)
    for result in results:
        for each in formats:
            yield write_comparison(path_beside(out, result, other, each), compare_results(result, other, edge_step))


def _plain_run(runs: list[Run], name: str) -> Run | None:
    """The run of this name if it cannot be reduced: neither one of our scans nor a result."""
    from beamline.records.runs.find import find
    from reduction.documents.raw import is_reducible

    found = find(runs, name)
    (run, *others) = found.runs
    return None if others or run.raw_uid is not None or is_reducible(run.start) else run


def numbers(text: str | None) -> list[int] | None:
    """Numbers from an option, separated by commas."""
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(f"--slots takes numbers separated by commas, for example 0,1, not {text!r}") from None


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("export")(export_command)
