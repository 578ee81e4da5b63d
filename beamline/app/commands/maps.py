"""`trxas map`: components, shapes and associated spectra of scans at several delays."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from beamline.app.commands.export import numbers
from beamline.app.commands.stored import Config, Data, From, report_damage, stored, uid_argument


def map_command(
    names: Annotated[list[str], uid_argument(metavar="UID|SCAN_SET|last ...", help="Runs or scan sets.")],
    slots: Annotated[str | None, typer.Option(help="Slots of energy scans, for example 0,1; default: all.")] = None,
    early: Annotated[float | None, typer.Option(help="Delay whose shape is the early one, ps.")] = None,
    late: Annotated[float | None, typer.Option(help="Delay whose shape is the late one, ps.")] = None,
    lifetimes: Annotated[int | None, typer.Option(min=1, max=3, help="Lifetimes of the global fit.")] = None,
    tail: Annotated[str | None, typer.Option(help="Tail of the global fit: offset or none.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for a CSV file and a figure.")] = None,
    source: From = "journal",
    config: Config = "simulated",
    data: Data = None,
) -> None:
    """Count the significant components of a map of delay and energy, and test whether its shape changes.

    Energy scans at one or more delays (all slots), or delay scans at several energies.
    """
    from beamline.outputs.export.about import about_all
    from beamline.outputs.export.errors import ExportError
    from beamline.outputs.export.names import file_in, written_whole
    from beamline.outputs.export.result import read_result
    from beamline.outputs.figure import save
    from beamline.outputs.maps.content import map_of_results, sentences, views_of
    from beamline.outputs.maps.files import map_figure, write_csv
    from reduction.errors import ReductionError

    with stored(config, data, source) as found:
        runs = found.store.runs()
        results = [read_result(found.store, runs, name) for name in dict.fromkeys(names)]
        report_damage(found.console, results)
        try:
            views = views_of(map_of_results(results, numbers(slots)), early, late, lifetimes, tail)
        except ReductionError as error:
            raise ExportError(str(error)) from error
        size = f"{views.map.delay.size} delays and {views.map.energy.size} energies"
        found.console.print(f"map of {len(results)} scan{'s' * (len(results) != 1)}: {size}", markup=False)
        for sentence in sentences(views):
            found.console.print(sentence, markup=False, soft_wrap=True)
        if out is None:
            return
        start = results[0].start
        for suffix in (".csv", ".png"):
            path = file_in(out, "map", str(start.get("sample", "")), str(start.get("edge", "")), start["uid"][:8],
                           suffix=suffix)  # fmt: skip
            with written_whole(path) as draft:
                if suffix == ".csv":
                    write_csv(draft, views, about_all(results))
                else:
                    save(map_figure(views, start), draft)
            found.console.print(str(path), markup=False, soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("map")(map_command)
