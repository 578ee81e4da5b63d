"""Time of the points of a measurement whose target names quantities, from its start document and a forecast file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beamline.config.forecast import read_forecast
from beamline.records.forecast.changes import Noise, Variant, best_changes, of_delays, of_measurement
from beamline.records.forecast.expected import ExpectedSample, other_samples
from beamline.records.forecast.figure import save_allocation
from beamline.records.forecast.functions import known_quantities
from plans.compilation.compiled_scan import CompiledScan
from plans.compilation.edges import edge_of
from plans.compilation.monitors import Monitors
from plans.protocols import MoveTimes
from reduction.allocation.allocate import Allocation, allocate
from reduction.allocation.expected import ExpectedGrid
from reduction.allocation.names import TargetError
from reduction.allocation.problem import TimeCosts
from reduction.allocation.quantities import Builder
from reduction.allocation.wanted import Target
from reduction.references.noise_spectrum import NoiseSpectrum, Variogram
from reduction.settings import Settings

Array = NDArray[np.float64]
Start = Mapping[str, Any]

FEW = 4
"""Targets that are named in a sentence."""
WORTH = 1.1
"""Times faster from which on a change is worth a word."""
HOUR = 3600.0
MOVES = {"mono_energy": "energy_settle", "laser_delay": "delay", "laser_fluence": "fluence"}


@dataclass(frozen=True)
class AllocationContext:
    """What an allocation needs beside the start document.

    Attributes
    ----------
    times : MoveTimes
    clock_rate : float
        Beamline seconds a wall second.
    """

    times: MoveTimes
    clock_rate: float

    def costs(self, start: Start) -> TimeCosts:
        """Beamline seconds beside those of dwells."""
        move = getattr(self.times, MOVES[start["scan_axis"]]) + self.times.message * self.clock_rate
        if start.get("monitor_energies"):
            monitors = Monitors(tuple(start["monitor_energies"]), float(start["monitor_share"]))
            grid = members_of(start)[0]["grid"]
            move += monitors.seconds_a_point(grid, len(start["pattern"]), float(start["dwell"]), self.times)
        return TimeCosts(
            move, self.times.laser_shutter, self.times.dwell * self.clock_rate, passes=int(start["passes"])
        )


def members_of(start: Start) -> Sequence[Start]:
    """Each grid of a measurement: those of a series, or the only one."""
    return start.get("members") or [start]


@dataclass(frozen=True)
class AssumedGrids:
    """What is assumed of a measurement.

    Attributes
    ----------
    grids : list of ExpectedGrid
    others : list of lists of ExpectedGrid
        The same with other models of the sample.
    known : mapping
        Quantities by name, with those of the forecast file.
    """

    grids: list[ExpectedGrid]
    others: list[list[ExpectedGrid]]
    known: Mapping[str, Builder]
    at_delay: Callable[[float], list[ExpectedGrid]] | None = None
    """Grids of another delay, of the only energy scan."""
    transmission: float = 1.0
    """Of the attenuators."""


def assumed_grids(start: Start) -> AssumedGrids:
    """What the forecast of a start document expects.

    Raises
    ------
    TargetError
        If the forecast is that of another edge.
    beamline.config.forecast.ForecastFileError
    """
    forecast = read_forecast(Path(start["forecast"]).expanduser())
    detector = forecast.detector.model_copy(update={"dwell": float(start["dwell"])})
    forecast = forecast.model_copy(update={"detector": detector})
    members = members_of(start)
    if strange := sorted({str(one["edge"]) for one in members} - {forecast.sample.edge}):
        raise TargetError(f"forecast {start['forecast']} is that of {forecast.sample.edge}, not {', '.join(strange)}")
    first = members[0]
    edge = edge_of(str(first["edge"]), first.get("absorption_edge") or start["absorption_edge"])
    chosen = {name: value for name, value in start["settings"].items() if (name, value) != ("reference", "")}
    settings = Settings.from_mapping(chosen)
    models = [ExpectedSample(forecast, edge, settings), *other_samples(forecast, edge, settings)]
    given, *others = [[_grid(model, start["scan_axis"], one) for one in members] for model in models]
    one, axis = members[0], start["scan_axis"]
    several = len(members) > 1 or axis != "mono_energy"
    at = None if several else lambda delay: [_grid(models[0], axis, {**one, "pump_delay": delay})]
    return AssumedGrids(given, others, known_quantities(forecast), at, forecast.beam.attenuation)


def _grid(model: ExpectedSample, axis: str, member: Start) -> ExpectedGrid:
    position = np.asarray(member["grid"], dtype=np.float64)
    if axis == "mono_energy":
        return model.spectrum(position, float(member.get("pump_delay", model.forecast.transient.delay)))
    return model.trace(position) if axis == "laser_delay" else model.fluences(position)


@dataclass(frozen=True)
class MeasuredGrid:
    """What was measured of a grid.

    Attributes
    ----------
    photons : ndarray, shape (N,)
        A pulse; NaN where none were measured.
    noise : float, optional
        Of a dwell, relative; that of the forecast by default.
    variogram : Variogram, optional
        Of that noise.
    """

    photons: Array
    noise: float | None = None
    variogram: Variogram | None = None

    def put_into(self, grid: ExpectedGrid, factor: Array) -> ExpectedGrid:
        """A grid with its rates times a factor, and with this noise."""
        noise = grid.noise if self.noise is None else self.noise
        return replace(grid, photons=grid.photons * factor, noise=noise)


def allocated(start: Start, context: AllocationContext, seen: Sequence[MeasuredGrid] = ()) -> Allocation:
    """Cycles of each point of each grid.

    Parameters
    ----------
    start : mapping
        Start document, of any pass.
    context : AllocationContext
    seen : sequence of MeasuredGrid, optional
        What was measured of each grid.

    Raises
    ------
    TargetError
        Naming a quantity that is unknown or out of reach.
    """
    assumed, rhythm = measured_grids(start, seen), tuple(start["pattern"])
    costs, targets = context.costs(start), _targets(start)
    return allocate(assumed.grids, targets, costs, assumed.others, patterns=[rhythm], known=assumed.known)


def advice(
    start: Start, context: AllocationContext, seen: Sequence[MeasuredGrid], found: Allocation,
    transmission: float | None = None,
) -> str:  # fmt: skip
    """What would help most now, by the same prediction; empty if nothing would.

    Parameters
    ----------
    start, context, seen
        As for `allocated`.
    found : Allocation
    transmission : float, optional
        Of the attenuators now; by default that of the forecast.
    """
    assumed, costs = measured_grids(start, seen), context.costs(start)
    if transmission is not None:
        assumed = replace(assumed, transmission=transmission)
    variants = _variants(start, assumed, _noise(start, assumed, seen, costs))
    changes = best_changes(variants, _targets(start), costs, found, assumed.known)
    quicker = [(name, found.seconds / seconds) for name, seconds in changes if seconds < found.seconds / WORTH]
    each = ", ".join(f"{name} ({factor:.1f} times faster)" for name, factor in quicker[:FEW])
    return f"What would help most now: {each}." if each else ""


def _variants(start: Start, assumed: AssumedGrids, noise: Noise | None) -> Iterator[Variant]:
    yield from of_measurement(assumed.grids, assumed.transmission, noise)
    if assumed.at_delay is not None and start.get("pump_delay"):
        yield from of_delays(assumed.at_delay, float(start["pump_delay"]))


def _noise(start: Start, assumed: AssumedGrids, seen: Sequence[MeasuredGrid], costs: TimeCosts) -> Noise | None:
    """Noise in other rhythms and dwells, the largest of the spectra that agree with what was measured; None without."""
    now, dwell = tuple(start["pattern"]), float(start["dwell"])
    spectra = [
        () if one.variogram is None else NoiseSpectrum.of(one.variogram, dwell, grid.settings.i0_noise)
        for one, grid in zip(seen, assumed.grids, strict=True)
    ]
    if not any(spectra):
        return None

    def ratio(spectrum: NoiseSpectrum, pattern: tuple[int, ...], length: float) -> float:
        after, before = (
            spectrum.of_rhythm(each, long, costs.of_cycle(each, long) / len(each))
            for each, long in ((pattern, length), (now, dwell))
        )
        return after / before if before else 1.0

    def noise(number: int, pattern: tuple[int, ...] | None, length: float) -> float:
        ratios = [ratio(each, pattern or now, length) for each in spectra[number]]
        return assumed.grids[number].noise * max(ratios, default=1.0)

    return noise


def measured_grids(start: Start, seen: Sequence[MeasuredGrid]) -> AssumedGrids:
    """`assumed_grids` with the rates and the noise that were measured; arguments as of `allocated`."""
    found = assumed_grids(start)
    if not seen:
        return found
    factors = [_factor(grid, one.photons) for grid, one in zip(found.grids, seen, strict=True)]

    def of(grids: Sequence[ExpectedGrid]) -> list[ExpectedGrid]:
        return [one.put_into(grid, factor) for grid, one, factor in zip(grids, seen, factors, strict=True)]

    at = found.at_delay
    moved = None if at is None else lambda delay: of(at(delay))
    return replace(found, grids=of(found.grids), others=[of(one) for one in found.others], at_delay=moved)


def _targets(start: Start) -> list[Target]:
    return [Target(name, wanted) for name, wanted in start["target"]]


def _factor(grid: ExpectedGrid, photons: Array) -> Array:
    """Measured over expected rates, where they were measured, and their mean elsewhere."""
    ratio = photons / grid.photons.mean(axis=(0, 1))
    known = np.isfinite(ratio) & (ratio > 0)
    return np.where(known, ratio, ratio[known].mean() if known.any() else 1.0)


def allocated_beforehand(compiled: CompiledScan, times: MoveTimes, clock_rate: float) -> Allocation | None:
    """Allocation of a compiled scan with the rates of its forecast; None without quantities.

    Raises
    ------
    TargetError
        Naming a quantity that is unknown or out of reach.
    """
    if not compiled.allocates:
        return None
    return allocated(compiled.passes[0].start, AllocationContext(times, clock_rate))


def draw_allocation(compiled: CompiledScan, found: Allocation, label: str, png: Path) -> None:
    """Figure of the expected transients with the errors that are aimed at, and of the time of each point."""
    start = compiled.passes[0].start
    assumed = assumed_grids(start)
    risk = f"; of another sample at most {found.worst:.2f} times the even grid" if np.isfinite(found.worst) else ""
    title = f"{label}, nothing measured yet: {found.seconds / HOUR:.2f} h to the targets{risk}"
    save_allocation(title, found, assumed.grids, assumed.others, png)


def sentence_of(found: Allocation) -> str:
    """An allocation in words: its time, that of the even grid, and each target."""
    each = "; ".join(
        f"{one.name} = {one.value:.3g} +- {one.wanted:.2g} {one.unit}".strip() for one in found.targets[:FEW]
    )
    more = f" and {len(found.targets) - FEW} more" if len(found.targets) > FEW else ""
    hours = f"{found.seconds / HOUR:.2f} h in all, on the even grid {found.even_seconds / HOUR:.2f} h"
    return f"Time to the targets: {hours} ({each}{more})."
