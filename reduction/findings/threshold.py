"""Threshold of the discriminator: the plateau of counts between electronic noise and the pulses of one photon.

Heights of n photons are Gaussian about n times that of one, with variance ``noise^2 + n avalanche^2``; what stays below
the threshold is not counted. Noise crosses a level v upwards ``f exp(-v^2 / 2 noise^2)`` times a gate (Rice, Bell Syst.
Tech. J. 24, 46, 1945). Both edges of the plateau, and that of two photons, follow from the five parameters.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import nan

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import OptimizeResult, least_squares
from scipy.special import factorial, ndtr

from reduction.findings.causes import FEW, has_beam, why_no_light
from reduction.findings.counts import photons_per_gate, with_scatter
from reduction.findings.finding import GOOD, FindingCurve, FindingResult, not_found

Array = NDArray[np.float64]

NAME, UNIT = "threshold", "mV"
PHOTONS = np.arange(1, 16)
MOST_PER_GATE = 1.5
"""Photons per gate above which points are of noise that hides everything."""
STARTS = 9
"""Heights of one photon from which the fit starts."""
FWHM = 2.3548
LEAST_POINTS = 8
STEEP = 0.1
"""Relative change of counts for a relative change of the gain above which the choice is doubtful."""
NOISY = 1e-3
"""Fraction of the counts that noise may be at the choice."""


@dataclass(frozen=True)
class ApdHeights:
    """Parameters of the pulse heights.

    Attributes
    ----------
    photon, avalanche, noise : float
        mV: height of one photon, standard deviation of the avalanche and of the noise.
    crossings : float
        Upward zero crossings of the noise in a gate.
    mu : float
        Photons per gate.
    """

    photon: float
    avalanche: float
    noise: float
    crossings: float
    mu: float

    def light(self, threshold: ArrayLike) -> Array:
        """Photons per gate that give the same hits if each were counted, of the light alone."""
        level = np.asarray(threshold, dtype=np.float64)[..., None]
        spread = np.sqrt(self.noise**2 + PHOTONS * self.avalanche**2)
        missed = ndtr((level - PHOTONS * self.photon) / spread)
        return np.asarray(self.mu - np.log1p((self.mu**PHOTONS / factorial(PHOTONS) * missed).sum(axis=-1)))

    def dark(self, threshold: ArrayLike) -> Array:
        """The same of the noise alone."""
        level = np.asarray(threshold, dtype=np.float64) / self.noise
        return np.asarray(self.crossings * np.exp(-0.5 * level**2))

    def counted(self, threshold: ArrayLike) -> Array:
        """The same of both."""
        return self.light(threshold) + self.dark(threshold)


def find_threshold(
    threshold: ArrayLike, hits: ArrayLike, gates: ArrayLike, i0_rate: ArrayLike, i0_least: float
) -> FindingResult:
    """Find the threshold: half the height of one photon, or the flattest place where noise reaches that.

    Parameters
    ----------
    threshold : array_like, shape (N,), mV
    hits, gates : array_like, shape (N,)
        Of all phases.
    i0_rate : array_like, shape (N,), counts/s
    i0_least : float, counts/s
        From which on there is beam.

    Returns
    -------
    FindingResult
        Its value is half the height of one photon; `settings` has ``threshold``. Numbers: height of one photon,
        resolution, noise, noise hits per gate and relative slope of the counts against the gain at the choice.
    """
    level, number = np.asarray(threshold, dtype=np.float64), np.asarray(hits, dtype=np.float64)
    value, variance = photons_per_gate(number, gates)
    curve = FindingCurve(
        level, value, np.sqrt(variance), np.empty(0), np.empty(0), "threshold / mV", "photons per gate"
    )
    used = np.isfinite(value) & np.isfinite(variance) & (value < MOST_PER_GATE)
    if number.sum() == 0 or not has_beam(i0_rate, i0_least):
        return not_found(NAME, UNIT, why_no_light(float(number.sum()), i0_rate, i0_least), curve, {})
    if used.sum() < LEAST_POINTS:
        return not_found(
            NAME, UNIT, f"Only {used.sum()} thresholds are not full of noise: scan higher ones.", curve, {}
        )
    fitted = _fit(level[used], value[used], variance[used])
    heights, covariance = _heights(fitted.x), np.linalg.pinv(fitted.jac.T @ fitted.jac)
    fine = np.geomspace(level.min(), level.max(), 400)
    curve = replace(curve, fit_x=fine, fit=heights.counted(fine))
    if heights.mu < FEW:
        return not_found(NAME, UNIT, why_no_light(float(number.sum()), i0_rate, i0_least), curve, {})
    return _judged(heights, covariance, level, curve)


def _heights(x: Array) -> ApdHeights:
    photon = float(np.exp(x[0]))
    return ApdHeights(photon, photon * float(np.exp(x[1])), *(float(each) for each in np.exp(x[2:])))


def _fit(level: Array, value: Array, variance: Array) -> OptimizeResult:
    """Logarithms of photon, avalanche / photon, noise, crossings and mu; the jacobian is in errors."""
    found = min((_search(level, value, variance, start) for start in _starts(level, value)), key=lambda each: each.cost)
    for _ in range(3):  # the scatter of the points is known from the residuals of the fit only
        heights = _heights(found.x)
        left = value - heights.counted(level)
        known = with_scatter(left, heights.light(level), variance, level.size - found.x.size)
        found = _search(level, value, known, found.x)
    return found


def _starts(level: Array, value: Array) -> list[Array]:
    noise, crossings = max(level.min() / 3, 0.5), max(float(value.max()), 1.0) * 10
    photons = np.geomspace(1.5 * level.min(), 0.9 * level.max(), STARTS)
    lights = np.maximum(np.interp(0.6 * photons, level, value), FEW)
    return [np.log([each, 0.1, noise, crossings, mu]) for each, mu in zip(photons, lights, strict=True)]


def _search(level: Array, value: Array, variance: Array, start: Array) -> OptimizeResult:
    error = np.sqrt(variance + (1e-3 * value) ** 2)
    low = np.log([0.5 * level.min(), 0.01, 0.05, 1e-3, 1e-7])
    high = np.log([2 * level.max(), 0.7, level.max(), 1e5, 5.0])
    return least_squares(
        lambda x: (value - _heights(x).counted(level)) / error,
        np.clip(start, low + 1e-6, high - 1e-6), bounds=(low, high), max_nfev=200,
    )  # fmt: skip


def _judged(heights: ApdHeights, covariance: Array, level: Array, curve: FindingCurve) -> FindingResult:
    half, relative = 0.5 * heights.photon, float(np.sqrt(covariance[0, 0]))
    chosen = _choice(heights, level)
    slope, dark = _slope(heights, chosen), float(heights.dark(chosen))
    sigma = float(np.hypot(heights.avalanche, heights.noise))
    numbers = {
        "chosen_mV": (chosen, half * relative),
        "photon_mV": (heights.photon, heights.photon * relative),
        "resolution_fwhm": (FWHM * sigma / heights.photon, nan),
        "noise_mV": (heights.noise, heights.noise * float(np.sqrt(covariance[2, 2]))),
        "noise_per_gate": (dark, nan),
        "slope": (slope, nan),
        "photons_per_gate": (heights.mu, heights.mu * float(np.sqrt(covariance[4, 4]))),
    }
    plateau = f"One photon is {heights.photon:.1f} mV high; at {chosen:.1f} mV 1 % of gain is {slope:.2g} % of counts"
    noise = f"noise is {dark:.1g} a gate."
    found = FindingResult(
        NAME, half, half * relative, UNIT, GOOD, f"{plateau}, {noise}", curve, {"threshold": round(chosen, 1)}, numbers
    )
    if not relative < 0.1 or not level.min() < heights.photon < level.max():
        return not_found(
            NAME, UNIT, "No plateau: the counts fall without one; pulses of photons drown in noise.", curve, numbers
        )
    if abs(slope) > STEEP or dark > NOISY * heights.mu:
        return found.with_doubt(f"The plateau is short. {plateau}, {noise} Raise the bias or lower the noise.")
    return found


def _choice(heights: ApdHeights, level: Array) -> float:
    """Half the height of one photon, or the flattest place of the plateau where noise reaches that."""
    half = 0.5 * heights.photon
    if heights.dark(half) <= NOISY * heights.mu:
        return half
    places = np.linspace(half, 0.95 * heights.photon, 60)
    return float(places[np.argmin([abs(_slope(heights, place)) for place in places])])


def _slope(heights: ApdHeights, threshold: float) -> float:
    """Relative change of the counts for a relative change of the gain: minus that for one of the threshold."""
    near = heights.counted(threshold * np.array([0.99, 1.01]))
    return float(-np.log(near[1] / near[0]) / np.log(1.01 / 0.99))
