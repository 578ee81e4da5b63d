"""What the reduction quotes of a drawn campaign, against the truth of its case."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from reduction.allocation.expected import ExpectedGrid
from reduction.counting.rows import PointRates
from reduction.settings import Settings
from reduction.spectra.amplitudes import area, relative_amplitude
from reduction.spectra.spectrum import reduce_spectrum
from reduction.traces.delay import reduce_delay_scan
from reduction.traces.fluence import reduce_fluence_scan
from reduction.traces.kinetics.fit import fit_traces
from reduction.traces.linear_range import saturation

Array = NDArray[np.float64]
Estimator = Callable[[ExpectedGrid, PointRates, float, Settings], tuple[float, float]]
"""Deviation of the quantity from the truth, and its quoted error."""


def _slot(grid: ExpectedGrid, rates: PointRates, settings: Settings, slot: int) -> tuple[Array, Array]:
    found = reduce_spectrum(grid.position, rates, settings, grid.slot_delays)
    return found.transient[slot], found.transient_covariance[slot]


def of_ratio(grid: ExpectedGrid, rates: PointRates, truth: float, settings: Settings) -> tuple[float, float]:
    """Fieller: a - r b has mean 0 at the true r."""
    value, covariance = _slot(grid, rates, settings, 0)
    main, pre = (_mean_over(grid.position, window) for window in grid.model["comparison"])
    weights = np.sign(pre @ value) * (main - truth * pre)
    return float(weights @ value), float(np.sqrt(weights @ covariance @ weights))


def _mean_over(energy: Array, window: tuple[float, float]) -> Array:
    inside = (energy > window[0] - 1e-6) & (energy < window[1] + 1e-6)
    return np.asarray(inside / inside.sum())


def of_point(grid: ExpectedGrid, rates: PointRates, truth: float, settings: Settings) -> tuple[float, float]:
    """The transient at the white line."""
    value, covariance = _slot(grid, rates, settings, 0)
    at = int(np.abs(grid.position - 13.472).argmin())
    return float(value[at] - truth), float(np.sqrt(covariance[at, at]))


def of_area(grid: ExpectedGrid, rates: PointRates, truth: float, settings: Settings) -> tuple[float, float]:
    """The area of slot 1 with the signs of the model that was assumed before."""
    value, covariance = _slot(grid, rates, settings, 1)
    found = area(grid.position, value, covariance, _true_transient(grid, 1))
    return found.signal - truth, found.signal_stddev


def of_theory(grid: ExpectedGrid, rates: PointRates, truth: float, settings: Settings) -> tuple[float, float]:
    """The projection on the computed shape."""
    value, covariance = _slot(grid, rates, settings, 0)
    size, stddev = relative_amplitude(value, covariance, grid.model["theory"])
    shape = grid.model["theory"] / np.diagonal(covariance)
    return size - float(shape @ _true_transient(grid, 0) / (shape @ grid.model["theory"])), stddev


def _true_transient(grid: ExpectedGrid, slot: int) -> Array:
    """Of a slot, from the rates by the windows of the edge, independent of any reference."""
    energy, settings = grid.position, grid.settings
    pre = _mean_over(energy, settings.pre_edge)
    inside = (energy > settings.integral[0] - 1e-6) & (energy < settings.integral[1] + 1e-6)

    def normal(rate: Array) -> Array:
        above = rate - pre @ rate
        return np.asarray(above / np.trapezoid(above[inside], energy[inside]) * np.ptp(energy[inside]))

    return normal(grid.photons[1, slot]) - normal(grid.photons[0, slot])


def of_lifetime(number: int) -> Estimator:
    """The logarithm of a fitted lifetime, with two of them and a tail as in the sample."""

    def pull(grid: ExpectedGrid, rates: PointRates, truth: float, settings: Settings) -> tuple[float, float]:
        scan = reduce_delay_scan(grid.position, rates, settings, grid.slot_delays)
        fit = fit_traces([scan.trace()], 2, "long", free=("time_zero", "sigma"), levels=())
        error = fit.lifetimes_stddev[number] / fit.lifetimes[number]
        return float(np.log(fit.lifetimes[number] / truth)), float(error)

    return pull


def of_saturation(grid: ExpectedGrid, rates: PointRates, truth: float, settings: Settings) -> tuple[float, float]:
    """By the interval of the likelihood on the side of the truth; NaN where nothing bends."""
    scan = reduce_fluence_scan(grid.position, rates, settings)
    found = saturation(grid.position, scan.transient[0], scan.transient_covariance[0])
    if not np.isfinite(found.saturates_at):
        return float("nan"), float("nan")
    end = found.interval[1 if truth > found.saturates_at else 0]
    return float(found.saturates_at - truth), float(abs(end - found.saturates_at))


ESTIMATORS: dict[str, Estimator] = {
    "C(slot=0)": of_ratio, "lifetime(1)": of_lifetime(0), "lifetime(2)": of_lifetime(1), "area(slot=1)": of_area,
    "transient(slot=0, energy=13.472)": of_point, "theory_amplitude(slot=0)": of_theory, "saturation": of_saturation,
}  # fmt: skip
