"""Time to the targets of a forecast, its range, and what other flux, detectors, references and rhythms would change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from beamline.config.forecast import ForecastFile
from beamline.records.forecast.changes import best_changes, of_beam, of_measurement, seconds_or_none
from beamline.records.forecast.expected import ExpectedSample, grids_of, other_samples
from beamline.records.forecast.functions import known_quantities
from plans.compilation.edges import Edge
from plans.compilation.monitors import Monitors
from plans.protocols import MoveTimes
from reduction.allocation.allocate import PATTERNS, Allocation, allocate
from reduction.allocation.expected import ExpectedGrid
from reduction.allocation.problem import TimeCosts
from reduction.allocation.wanted import Target
from reduction.counting.pileup import multi_photon_fraction
from reduction.settings import Settings

BEST_PHOTONS = 1.594
"""Photons a pulse with the least relative error of a gate: minimum of (e^mu - 1) / mu^2."""


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
    others : tuple of lists of ExpectedGrid
        With other models of the sample.
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
    others: tuple[list[ExpectedGrid], ...]
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
    costs = costs_of(forecast)
    if all(grid.axis == "mono_energy" for grid in grids):
        monitors = Monitors.of_allocated(edge)
        each = monitors.seconds_a_point(edge.energies, len(PATTERNS[0]), forecast.detector.dwell, MoveTimes())
        costs = replace(costs, move=costs.move + each)
    others = [grids_of(other) for other in other_samples(forecast, edge, settings)]
    known = known_quantities(forecast)
    found = allocate(grids, targets, costs, others, known=known)
    tried = [seconds_or_none(other, targets, costs, found, known=known) for other in others]
    ranges = [seconds for seconds in tried if seconds is not None]
    variants = [
        *of_measurement(grids, forecast.beam.attenuation), *of_beam(sample, list(forecast.targets)),
    ]  # fmt: skip
    several = len(targets) > 1
    single = [allocate(grids, [one], costs, known=known) for one in targets] if several else [found]
    alone = tuple(seconds for one in single for seconds in _alone(one))
    title = f"{edge.name}, {forecast.sample.concentration:g} mol/L, {forecast.sample.thickness:g} um"
    return ForecastResult(
        title, _rates(grids, forecast), tuple(grids), tuple(others), found, min([found.seconds, *ranges]),
        max([found.seconds, *ranges]), alone, tuple(best_changes(variants, targets, costs, found, known)),
    )  # fmt: skip


def _alone(found: Allocation) -> list[float]:
    """Seconds of one target, once for each of its rows: a spectrum has one for each point."""
    return [found.seconds] * len(found.targets)


def costs_of(forecast: ForecastFile) -> TimeCosts:
    """Times beside those of dwells, by the defaults of a session."""
    times = MoveTimes()
    return TimeCosts(times.energy_settle + times.message, times.laser_shutter, times.dwell, forecast.passes)


def _rates(grids: Sequence[ExpectedGrid], forecast: ForecastFile) -> ForecastRates:
    photons = max(float(grid.photons.max()) for grid in grids)
    attenuation = min(1.0, forecast.beam.attenuation * BEST_PHOTONS / photons)
    counts = float(-np.expm1(-photons)) * grids[0].gates
    return ForecastRates(photons, counts, float(multi_photon_fraction(photons)), attenuation)
