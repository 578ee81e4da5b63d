"""Time to the targets of a forecast, its range, and what other flux, detectors, references and rhythms would change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from beamline.config.forecast import ForecastFile
from beamline.records.forecast.expected import ExpectedSample, grids_of, other_samples
from plans.compilation.edges import Edge
from plans.protocols import MoveTimes
from reduction.allocation.allocate import PATTERNS, Allocation, allocate, seconds_with
from reduction.allocation.expected import ExpectedGrid
from reduction.allocation.names import TargetError
from reduction.allocation.problem import Target, TimeCosts
from reduction.counting.pileup import multi_photon_fraction
from reduction.errors import ReductionError
from reduction.settings import REFERENCES, Settings

BEST_PHOTONS = 1.594
"""Photons a pulse with the least relative error of a gate: minimum of (e^mu - 1) / mu^2."""
TRANSMISSIONS = (0.1, 0.3, 3.0, 10.0)


@dataclass(frozen=True)
class ForecastRates:
    """Rates of a forecast.

    Attributes
    ----------
    photons : float
        A pulse, at the point with the most.
    counts : float
        A second, of one slot there.
    pile_up : float
        Fraction of the hits with two photons or more.
    attenuation : float
        Transmission with the least counting error, at most 1.
    """

    photons: float
    counts: float
    pile_up: float
    attenuation: float


@dataclass(frozen=True)
class ForecastResult:
    """A forecast.

    Attributes
    ----------
    title : str
    rates : ForecastRates
    grids : tuple of ExpectedGrid
    allocation : Allocation
    shortest, longest : float, s
        Of all targets, with the other models of the sample.
    alone : tuple of float, s
        Of each target by itself.
    changes : tuple of (str, float)
        What could be different, and the time with it (s).
    """

    title: str
    rates: ForecastRates
    grids: tuple[ExpectedGrid, ...]
    allocation: Allocation
    shortest: float
    longest: float
    alone: tuple[float, ...]
    changes: tuple[tuple[str, float], ...]


def forecast_of(forecast: ForecastFile, edge: Edge, reference: str = "combined") -> ForecastResult:
    """Rates and times of a forecast file.

    Raises
    ------
    TargetError
        Naming a quantity that is unknown or out of reach.
    ReductionError
        If a point saturates.
    """
    settings = Settings(edge.pre_edge, edge.integral, reference=reference)
    sample = ExpectedSample(forecast, edge, settings)
    grids = grids_of(sample)
    targets = [Target(name, wanted) for name, wanted in forecast.targets.items()]
    costs = _costs(forecast)
    others = [grids_of(other) for other in other_samples(forecast, edge, settings)]
    found = allocate(grids, targets, costs, others)
    ranges = [seconds for other in others if (seconds := _seconds(other, targets, costs, found)) is not None]
    several = len(targets) > 1
    alone = tuple(seconds for one in targets for seconds in _alone(allocate(grids, [one], costs) if several else found))
    title = f"{edge.name}, {forecast.sample.concentration:g} mol/L, {forecast.sample.thickness:g} um"
    return ForecastResult(
        title, _rates(grids, forecast), tuple(grids), found, min([found.seconds, *ranges]),
        max([found.seconds, *ranges]), alone, tuple(_changes(grids, targets, costs, forecast, found)),
    )  # fmt: skip


def _alone(found: Allocation) -> list[float]:
    """Seconds of one target, once for each of its rows: a spectrum has one for each point."""
    return [found.seconds] * len(found.targets)


def _costs(forecast: ForecastFile) -> TimeCosts:
    times = MoveTimes()
    return TimeCosts(times.energy_settle + times.message, times.laser_shutter, times.dwell, forecast.passes)


def _seconds(
    grids: Sequence[ExpectedGrid], targets: Sequence[Target], costs: TimeCosts, found: Allocation,
    pattern: tuple[int, ...] | None = None,
) -> float | None:  # fmt: skip
    """Time with the same shares; None where a target is out of reach."""
    try:
        return seconds_with(grids, targets, costs, found, pattern)
    except (TargetError, ReductionError):
        return None


def _rates(grids: Sequence[ExpectedGrid], forecast: ForecastFile) -> ForecastRates:
    photons = max(float(grid.photons.max()) for grid in grids)
    attenuation = min(1.0, forecast.beam.attenuation * BEST_PHOTONS / photons)
    counts = float(-np.expm1(-photons)) * grids[0].gates
    return ForecastRates(photons, counts, float(multi_photon_fraction(photons)), attenuation)


def _changes(
    grids: Sequence[ExpectedGrid],
    targets: Sequence[Target],
    costs: TimeCosts,
    forecast: ForecastFile,
    found: Allocation,
) -> Iterator[tuple[str, float]]:
    """Everything that could be different, the best first; what does not reach the targets is left out."""
    tried = [(name, _seconds(other, targets, costs, found)) for name, other in _variants(grids, forecast)]
    for pattern in PATTERNS:
        name = "laser " + "-".join("on" if one else "off" for one in pattern)
        tried.append((name, _seconds(grids, targets, costs, found, pattern)))
    known = [(name, seconds) for name, seconds in tried if seconds is not None]
    yield from sorted(known, key=lambda one: one[1])


def _variants(grids: Sequence[ExpectedGrid], forecast: ForecastFile) -> Iterator[tuple[str, list[ExpectedGrid]]]:
    for factor in TRANSMISSIONS:
        if factor * forecast.beam.attenuation <= 1:
            yield f"{factor:g} times the flux", [replace(grid, photons=factor * grid.photons) for grid in grids]
    yield "twice the detectors", [replace(grid, phases=2 * grid.phases) for grid in grids]
    yield "half the jet noise", [replace(grid, noise=grid.noise / 2) for grid in grids]
    yield "dwells half as long, of the same noise", [replace(grid, dwell=grid.dwell / 2) for grid in grids]
    for name in REFERENCES:
        if name != grids[0].settings.reference:
            yield (
                f"reference {name}",
                [replace(grid, settings=replace(grid.settings, reference=name)) for grid in grids],
            )
