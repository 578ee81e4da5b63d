"""`trxas thermal`: spectra at several temperatures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from beamline.app.commands.stored import Config, Data, From, report_damage, stored, uid_argument


def thermal_command(
    names: Annotated[
        list[str],
        uid_argument(metavar="RUN ...", help="A temperature series, or a run or scan set for each temperature."),
    ],
    temperatures: Annotated[
        str, typer.Option(help="degC, comma-separated, in the order of the runs; default: those of the runs.")
    ] = "",
    edge: Annotated[str, typer.Option(help="Of a series with several edges, for example Br_K.")] = "",
    reference: Annotated[float, typer.Option(help="degC to which differences are taken.")] = 25.0,
    varshni: Annotated[
        str, typer.Option(help="alpha (eV/K) and beta (K) of the band gap; 'none': no shift of the edge.")
    ] = "-7.3e-5,314",
    beside: Annotated[
        str | None,
        typer.Option("--with", metavar="REF", help="Run onto whose energies all are moved, as a pumped one."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write .csv, .png or .pdf.")] = None,
    source: From = "journal",
    config: Config = "simulated",
    data: Data = None,
) -> None:
    """Align spectra at several temperatures, and give their differences to one of them, and C against temperature."""
    from beamline.outputs.comparison.find import result_of
    from beamline.outputs.export.result import read_result
    from beamline.outputs.thermal.content import sentences, temperatures_of, thermal_of
    from beamline.outputs.thermal.files import write_thermal
    from beamline.records.runs.series import series_named, sets_of_edge
    from reduction.thermal.varshni import Varshni

    given = _numbers("--temperatures", temperatures) if temperatures else None
    gap = None
    if varshni != "none":
        values = _numbers("--varshni", varshni)
        if len(values) != 2:
            raise typer.BadParameter(f"--varshni takes alpha and beta, or none, not {varshni!r}")
        gap = Varshni(*values)
    with stored(config, data, source) as found:
        runs = found.store.runs()
        members = series_named(runs, names[0]) if len(names) == 1 else []
        names = sets_of_edge(members, edge) if members else names
        results = [read_result(found.store, runs, name) for name in names]
        report_damage(found.console, results)
        other = None if beside is None else result_of([found.store], beside)
        series = thermal_of(results, temperatures_of(results, given), reference, gap, other)
        for line in sentences(series):
            found.console.print(line, markup=False, soft_wrap=True)
        if out is not None:
            found.console.print(str(write_thermal(out, series)), markup=False, soft_wrap=True)


def _numbers(option: str, text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(f"{option} takes numbers, comma-separated, not {text!r}") from None


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("thermal")(thermal_command)
