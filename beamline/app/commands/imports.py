"""`trxas import`: files of other programs as runs of the journal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from beamline.app.commands.stored import Config, Data, stored

if TYPE_CHECKING:
    from beamline.app.commands.stored import Stored
    from beamline.records.importing.files import Scan


def import_command(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files of other programs.")],
    edge: Annotated[
        str, typer.Option(help="Edge, for example Fe_K; default: the file's, or nearest to the rise.")
    ] = "",
    sample: Annotated[str, typer.Option(help="Name of the sample; default: that of the file.")] = "",
    part: Annotated[
        list[str] | None, typer.Option(help="Only this scan number or group of a file; repeatable.")
    ] = None,
    x: Annotated[str, typer.Option("--x", help="Column of the scanned axis.")] = "",
    unit: Annotated[
        str, typer.Option(help="Its unit: eV, keV, deg; ps, ns, us, s, with a minus to turn the sign; mJ/cm2.")
    ] = "",
    signal: Annotated[str, typer.Option(help="Column of the measured intensity or absorption.")] = "",
    i0: Annotated[str, typer.Option("--i0", help="Column of the incoming intensity, or none.")] = "",
    mode: Annotated[
        str, typer.Option(help="transmission, fluorescence or absorption: what the signal is; default: by its label.")
    ] = "",
    counts: Annotated[bool, typer.Option("--counts", help="The signal holds single photons.")] = False,
    labels: Annotated[str, typer.Option(help="Names of all columns of a text, separated by commas.")] = "",
    pump: Annotated[str, typer.Option(help="First orbit and bunch after the pump, for example o8b0.")] = "",
    turn: Annotated[float, typer.Option(min=0.0, help="Duration of an orbit, us; default: that of the APS.")] = 0.0,
    gates: Annotated[str, typer.Option(help="Column of the opened gates, or their number a row; 0: unknown.")] = "",
    monitor: Annotated[str, typer.Option(help="Channel of the monitor, for example c0, or none.")] = "",
    skip_bad_rows: Annotated[bool, typer.Option("--skip-bad-rows", help="Leave out rows that are not whole.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Import also what was imported before.")] = False,
    config: Config = "simulated",
    data: Data = None,
) -> None:
    """Import files of other programs as runs, and reduce them.

    SPEC, columns with a header, XDI, MDA, Athena projects, NXxas and files of `trxas export`. Each run records the name
    of its file, its hash and the reader.
    """
    from beamline.records.importing.choices import Choices
    from beamline.records.importing.files import read_file

    choices = Choices(x=x, i0=i0, signal=signal, mode=mode, unit=unit, edge=edge, sample=sample, counts=counts,
                      pump=pump, turn=turn, gates=gates, monitor=monitor)  # fmt: skip
    names = [label.strip() for label in labels.split(",") if label.strip()]
    with stored(config, data, "journal") as found:
        scans = [scan for path in files for scan in read_file(path, choices, names, skip_bad_rows, part or ())]
        _write(found, scans, again)


def _write(found: Stored, scans: Sequence[Scan], again: bool) -> None:
    """Write the runs that are new, and the reduced run of each."""
    from beamline.records.importing.reduce import journal_of, reduce_imported

    runs = found.store.runs()
    journal = journal_of(found.config.data.root, found.config.data.min_free_gb)
    try:
        for scan in scans:
            name = " ".join(filter(None, (scan.source.content.name, scan.source.table.part)))
            earlier = None if again else scan.already_in(runs)
            if earlier is not None:
                found.console.print(
                    f"{name}: imported before as run {earlier.uid[:8]} (--again imports it)", markup=False
                )
                continue
            uid = scan.write(journal)
            found.console.print(
                f"{name}: run {uid[:8]}, {len(scan.found.grid)} points, {scan.source.reader}", markup=False
            )
            for sentence in reduce_imported(found.store, uid, journal):
                found.console.print(f"  {sentence}", markup=False, soft_wrap=True)
    finally:
        journal.close()


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("import")(import_command)
