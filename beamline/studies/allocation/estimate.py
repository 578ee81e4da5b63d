"""What the reduction quotes of a drawn campaign, against the truth of its case."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from beamline.studies.numbers.forward import WHITE_LINE
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
LEVELS = (0.6827, 0.9545)
"""Of intervals."""


@dataclass(frozen=True)
class PullOfTarget:
    """What the reduction quotes of one campaign, against the truth.

    Attributes
    ----------
    deviation, error : float
        From the truth, and as quoted: half of the interval where it is one.
    held : tuple of bool
        Whether the intervals of 68.3 and 95.4 % hold the truth.
    """

    deviation: float
    error: float
    held: tuple[bool, bool]


Estimator = Callable[[ExpectedGrid, PointRates, Settings], PullOfTarget | None]


def _normal(deviation: float, error: float) -> PullOfTarget:
    return PullOfTarget(deviation, error, (abs(deviation) < error, abs(deviation) < 2 * error))


def _slot(grid: ExpectedGrid, rates: PointRates, settings: Settings, slot: int) -> tuple[Array, Array]:
    found = reduce_spectrum(grid.position, rates, settings, grid.slot_delays)
    return found.transient[slot], found.transient_covariance[slot]


def of_ratio(grid: ExpectedGrid, rates: PointRates, settings: Settings) -> PullOfTarget:
    """Fieller: a - r b has mean 0 at the true r."""
    value, covariance = _slot(grid, rates, settings, 0)
    main, pre = (_mean_over(grid.position, window) for window in grid.model["comparison"])
    true = _true_transient(grid, 0)
    weights = np.sign(pre @ value) * (main - (main @ true) / (pre @ true) * pre)
    return _normal(float(weights @ value), float(np.sqrt(weights @ covariance @ weights)))


def _mean_over(energy: Array, window: tuple[float, float]) -> Array:
    inside = (energy > window[0] - 1e-6) & (energy < window[1] + 1e-6)
    return np.asarray(inside / inside.sum())


def of_point(grid: ExpectedGrid, rates: PointRates, settings: Settings) -> PullOfTarget:
    """The transient at the white line."""
    value, covariance = _slot(grid, rates, settings, 0)
    at = int(np.abs(grid.position - WHITE_LINE).argmin())
    return _normal(float(value[at] - _true_transient(grid, 0)[at]), float(np.sqrt(covariance[at, at])))


def of_area(grid: ExpectedGrid, rates: PointRates, settings: Settings) -> PullOfTarget:
    """The area of slot 1 with the signs of the model that was assumed before."""
    value, covariance = _slot(grid, rates, settings, 1)
    true = _true_transient(grid, 1)
    found, exact = (area(grid.position, each, covariance, true) for each in (value, true))
    return _normal(found.signal - exact.signal, found.signal_stddev)


def of_theory(grid: ExpectedGrid, rates: PointRates, settings: Settings) -> PullOfTarget:
    """The projection on the computed shape."""
    value, covariance = _slot(grid, rates, settings, 0)
    size, stddev = relative_amplitude(value, covariance, grid.model["theory"])
    true, _ = relative_amplitude(_true_transient(grid, 0), covariance, grid.model["theory"])
    return _normal(size - true, stddev)


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
    """A fitted lifetime with its intervals, with two of them and a tail as in the sample."""

    def pull(grid: ExpectedGrid, rates: PointRates, settings: Settings) -> PullOfTarget:
        scan = reduce_delay_scan(grid.position, rates, settings, grid.slot_delays)
        fit = fit_traces([scan.trace()], 2, "long", free=("time_zero", "sigma"), levels=LEVELS)
        truth, found = grid.model["lifetimes"][number], fit.lifetimes[number]
        ends = fit.intervals[:, number]
        held = [not (truth < low or truth > high) for low, high in ends]  # an open side is NaN
        return PullOfTarget(
            float(np.log(found / truth)), float(fit.lifetimes_stddev[number] / found), (held[0], held[1])
        )

    return pull


def of_saturation(grid: ExpectedGrid, rates: PointRates, settings: Settings) -> PullOfTarget | None:
    """By its intervals; nothing where nothing bends."""
    scan = reduce_fluence_scan(grid.position, rates, settings)
    found, truth = saturation(grid.position, scan.transient[0], scan.transient_covariance[0]), grid.model["saturation"]
    if not np.isfinite([found.saturates_at, *found.interval]).all():
        return None
    low, high = found.interval
    held = (low <= truth <= high, found.wide[0] <= truth <= found.wide[1])
    return PullOfTarget(found.saturates_at - truth, (high - low) / 2, held)


ESTIMATORS: dict[str, Estimator] = {
    "C(slot=0)": of_ratio, "lifetime(1)": of_lifetime(0), "lifetime(2)": of_lifetime(1), "area(slot=1)": of_area,
    "transient(slot=0, energy=13.472)": of_point, "theory_amplitude(slot=0)": of_theory, "saturation": of_saturation,
}  # fmt: skip
