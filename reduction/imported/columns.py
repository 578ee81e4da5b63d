"""From the columns of an imported run to slots, by their kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import OFF, ON
from reduction.counting.phases import Pattern
from reduction.errors import ReductionError
from reduction.imported.agreement import DISAGREES, agreements
from reduction.imported.scatter import FEWEST, scatter_of
from reduction.imported.slots import (
    PhaseRates,
    combined,
    compared_slots,
    monitor_flux,
    rates_of_counts,
    rates_of_scatter,
)
from reduction.imported.spectra import Slots, only_static
from reduction.references.compared import Compared
from reduction.settings import Settings

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Columns = Mapping[str, NDArray[Any]]

SCATTER = "The file has no counts: errors are from the scatter of neighbouring points, which holds no slow drift."
SCATTER_OF_ORBITS = "The file has no counts: errors are from the scatter of the orbits before the pump."
LINE = "A straight line through the pre-edge window was subtracted."
NO_MONITOR = "There is no monitor: the flux of each point counts as the same."


def slots_of(
    how: Mapping[str, Any], columns: Columns, grid: Array, used: Flags, pattern: Pattern, settings: Settings
) -> tuple[Slots, Flags, list[str]]:
    """Slots, the points that are used, and notes.

    Parameters
    ----------
    how : mapping
        Entry ``imported`` of the start document.
    columns : mapping of str to ndarray, first axis N
    grid : ndarray, shape (N,)
    used : ndarray of bool, shape (N,)
        Points that are not excluded.
    pattern : Pattern
    settings : Settings

    Raises
    ------
    ReductionError
        If too few points are left.
    """
    if used.sum() < FEWEST:
        raise ReductionError(f"{used.sum()} points are left, and {FEWEST} are needed")
    kept = {key: values[used] for key, values in columns.items()}
    if how["kind"] in ("counts", "rates"):
        return _phases(kept, used, pattern, settings)
    notes = [SCATTER] if how["errors"] == "scatter" else []
    if how["kind"] == "pair":
        return _pair(kept, grid[used]), used, notes
    notes.append(LINE)
    value, stddev = kept["static"], kept["static_stddev"]
    stddev = scatter_of(grid[used], value) if how["errors"] == "scatter" else stddev
    return only_static(value, stddev**2), used, notes


def _pair(columns: Columns, at: Array) -> Slots:
    """Laser on and off; where errors are from scatter, with the noise that both share."""
    rate = np.stack([columns["off"][:, 0], columns["on"][:, 0]])
    errors = np.stack([columns["off_stddev"][:, 0], columns["on_stddev"][:, 0]])
    shared = np.zeros(at.size)
    if not np.isfinite(errors).all():
        errors = np.stack([scatter_of(at, each) for each in rate])
        shared = ((errors**2).sum(axis=0) - scatter_of(at, rate[ON] - rate[OFF]) ** 2) / 2
    local = np.zeros((2, 1, 2, 1, at.size))
    for laser in (OFF, ON):
        local[laser, 0, laser, 0], local[laser, 0, 1 - laser, 0] = errors[laser] ** 2, shared
    compared = Compared(rate[:, None], local, np.zeros((2, 1, at.size, 0)))
    return Slots(1, lambda _: compared, rate[OFF], errors[OFF] ** 2, "laser off")


def _phases(columns: Columns, used: Flags, pattern: Pattern, settings: Settings) -> tuple[Slots, Flags, list[str]]:
    detectors, notes = _detectors(columns, pattern, settings)
    both = combined(detectors)
    good = both.is_finite
    if not good.all():
        notes.append(f"{int((~good).sum())} points are left out: a hit in every gate, or no flux.")
    if good.sum() < FEWEST:
        raise ReductionError(f"{good.sum()} points are left, and {FEWEST} are needed")
    kept = both.only(good)
    points = used.copy()
    points[used] = good
    before = pattern.laser_phase // pattern.num_bunches
    notes.append(f"Each slot is compared with its own bunch in the {before} orbits before the pump.")
    notes += _of_agreement(detectors, pattern)
    static, variance = _ground(kept, pattern)
    compared = Slots(
        pattern.divider, lambda slots: compared_slots(kept, pattern, slots), static, variance, "before the pump"
    )
    return compared, points, notes


def _detectors(columns: Columns, pattern: Pattern, settings: Settings) -> tuple[list[PhaseRates], list[str]]:
    """Rates of every detector, and notes."""
    if "hits" not in columns:
        return rates_of_scatter(columns["rates"], pattern), [SCATTER_OF_ORBITS]
    hits, gates = columns["hits"], columns["gates"]
    shape = hits.shape[0], hits.shape[2]
    if "monitor_hits" in columns:
        flux, variance = monitor_flux(columns["monitor_hits"], gates, pattern.num_bunches)
        return rates_of_counts(hits, gates, flux, variance), []
    if "i0" in columns:
        flux = np.repeat((columns["i0"] / gates)[:, None], shape[1], axis=1)
        return rates_of_counts(hits, gates, flux, np.full(shape, settings.i0_noise**2)), []
    return rates_of_counts(hits, gates, np.ones(shape), np.zeros(shape)), [NO_MONITOR]


def _ground(rates: PhaseRates, pattern: Pattern) -> tuple[Array, Array]:
    """The ground state, mean of the phases before the pump, and its variance; phases of a bunch share its flux."""
    first, bunches = pattern.laser_phase, pattern.num_bunches
    mean = rates.rate[:, :first].mean(axis=1)
    variance = rates.variance[:, :first].sum(axis=1) / first**2
    for bunch in range(bunches):
        part = rates.rate[:, bunch:first:bunches].sum(axis=1) / first
        variance = variance + part**2 * rates.flux_variance[:, bunch]
    return mean, variance


def _of_agreement(detectors: list[PhaseRates], pattern: Pattern) -> list[str]:
    found = agreements(detectors, pattern)
    if not found:
        return []
    worst = min(found, key=lambda each: each.p_value)
    numbers = f"chi-square {worst.chi_square:.0f} with {worst.dof} degrees of freedom, p-value {worst.p_value:.2g}"
    if worst.p_value < DISAGREES:
        return [f"Detector {worst.detector + 1} disagrees with the others: {numbers}."]
    return [f"The {len(detectors)} detectors agree: {numbers}."]
