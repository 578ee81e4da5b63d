"""`trxas forecast`: rates, best attenuation and time to each target of a measurement that is still to be made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from beamline.records.forecast.times import ForecastResult

HOUR = 3600.0


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("forecast")(forecast_command)


def forecast_command(
    file: Annotated[Path, typer.Argument(help="Forecast file (TOML).")],
    png: Annotated[
        Path | None, typer.Option(help="Draw expected spectra and the time of each point to this file.")
    ] = None,
) -> None:
    """Count rates, pile-up, best attenuation and the time to each target, for a proposal or before a shift."""
    from beamline.config.forecast import read_forecast
    from beamline.records.forecast.times import forecast_of
    from plans.compilation.edges import find_edge

    forecast = read_forecast(file)
    result = forecast_of(forecast, find_edge(forecast.sample.edge))
    console = Console(highlight=False, width=max(Console().width, 100))
    for line in _lines(result):
        console.print(line, markup=False)
    console.print(_targets(result))
    console.print(_advice(result))
    if png is not None:
        from beamline.records.forecast.figure import save_allocation

        title = f"{result.title}: a prediction, nothing is measured"
        save_allocation(title, result.allocation, result.grids, result.others, png)
        console.print(f"Drawn: {png}", markup=False)


def _lines(result: ForecastResult) -> list[str]:
    rates = result.rates
    return [
        f"{result.title}: a prediction, nothing is measured.",
        f"{rates.photons:.3g} photons a pulse at the most, {rates.counts:.3g} counts a second of one slot, pile-up"
        f" {100 * rates.pile_up:.1f} % of the hits; best transmission of the attenuators {rates.attenuation:.2g}.",
        f"Time to all targets: {result.allocation.seconds / HOUR:.2f} h ({result.shortest / HOUR:.2f} to"
        f" {result.longest / HOUR:.2f} h with other models of the sample), on the even grid"
        f" {result.allocation.even_seconds / HOUR:.2f} h; laser on and off {result.allocation.pattern}.",
    ]


def _targets(result: ForecastResult) -> Table:
    table = Table(title="targets")
    for name in ("quantity", "expected", "error", "least error", "alone / h"):
        table.add_column(name, justify="left" if name == "quantity" else "right")
    for one, hours in zip(result.allocation.targets, result.alone, strict=True):
        numbers = (f"{one.value:.3g}", f"{one.wanted:.2g} {one.unit}".strip(), f"{one.floor:.1g}")
        table.add_row(one.name, *numbers, f"{hours / HOUR:.2f}")
    return table


def _advice(result: ForecastResult) -> Table:
    table = Table(title="what would change the time")
    table.add_column("change")
    table.add_column("time / h", justify="right")
    table.add_column("times faster", justify="right")
    for name, seconds in result.changes:
        table.add_row(name, f"{seconds / HOUR:.2f}", f"{result.allocation.seconds / seconds:.2f}")
    return table
