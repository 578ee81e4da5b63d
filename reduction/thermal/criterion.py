"""Alignment of spectra whose shapes differ, by their derivatives (SI 8).

The SI takes the shift at which the area between the normalised first derivatives is smallest. An area has no useful
second derivative, and so no error; the shift used here is the one at which the squares of the same difference are
smallest. A criterion of the spectra themselves, as that by which passes are aligned, would take a white line that has
become smaller for a shift.

Of a spectrum t and a reference r, with C(s) and B the differences over twice `reach` at places moved by s,

    F(s) = |C(s) t|^2 - (C(s) t . B r)^2 / |B r|^2

is the square of their difference at the best scale. What noise adds to the squares depends on where points are
interpolated, is known, and is subtracted. The error of the shift follows by linear propagation of all rates through
dF/ds = 0; it is that of counting, and what a changed shape moves stays in the shift.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.errors import ReductionError
from reduction.spectra.align import EnergyShift

Array = NDArray[np.float64]

REACH = 1e-3
"""keV; derivatives are differences over twice this: at an edge with a core hole of 2.5 eV their noise falls much by it,
and the slope little."""
STEP = 4e-4
"""keV; between the places where derivatives are compared."""
COARSE = 21
"""Trial shifts."""
TURN = 2e-5
"""keV; over which the curvature of F is found."""
FEWEST = 8
LEAST = 0.25
"""Of a propagated variance; more is never subtracted as noise of noise."""


@dataclass(frozen=True)
class DerivativeShift(EnergyShift):
    """A shift with its derivatives by the values of the spectrum, shape (E,), and of the reference, shape (R,).

    Their squares times the variances are those of the shift: where the spectrum is interpolated with this shift, its
    noise and that of the shift are not independent.
    """

    by_value: Array
    by_reference: Array


def derivative_area(energy: Array, value: Array, reference_energy: Array, reference: Array, shift: float) -> float:
    """Area between the normalised first derivatives of a spectrum, moved down by a shift, and of a reference.

    The derivatives are those of cubic splines; each is divided by the area below its modulus (SI 8).

    Parameters
    ----------
    energy, value : ndarray, shape (E,)
        keV; any unit.
    reference_energy, reference : ndarray, shape (R,)
    shift : float, keV
        How far the spectrum lies above the reference.

    Examples
    --------
    >>> energy = np.linspace(0.0, 1.0, 201)
    >>> moved, there = (np.tanh((energy - 0.5 - by) / 0.05) for by in (0.02, 0.0))
    >>> [round(derivative_area(energy, moved, energy, there, shift), 2) for shift in (0.0, 0.02, 0.04)]
    [0.39, 0.0, 0.39]
    """
    from scipy.interpolate import CubicSpline

    low, high = max(reference_energy[0], energy[0] - shift), min(reference_energy[-1], energy[-1] - shift)
    fine = np.linspace(low, high, 4 * max(energy.size, reference_energy.size))
    slopes = [CubicSpline(energy, value)(fine + shift, 1), CubicSpline(reference_energy, reference)(fine, 1)]
    first, second = (slope / np.trapezoid(np.abs(slope), fine) for slope in slopes)
    return float(np.trapezoid(np.abs(first - second), fine))


def shift_of_least_area(
    energy: Array, value: Array, reference_energy: Array, reference: Array, largest: float
) -> float:
    """The shift (keV) of the SI: where `derivative_area` is smallest within `largest`."""
    from scipy.optimize import minimize_scalar

    def area(shift: float) -> float:
        return derivative_area(energy, value, reference_energy, reference, shift)

    places = np.linspace(-largest, largest, 2 * COARSE)
    best, step = float(min(places, key=area)), float(places[1] - places[0])
    return float(minimize_scalar(area, bounds=(best - step, best + step), method="bounded").x)


def shift_by_derivatives(
    energy: Array, value: Array, variance: Array, reference_energy: Array, reference: Array,
    reference_variance: Array, largest: float, reach: float = REACH,
) -> DerivativeShift:  # fmt: skip
    """By how much a spectrum lies above a reference.

    Parameters
    ----------
    energy, value, variance : ndarray, shape (E,)
        keV, ascending; any unit.
    reference_energy, reference, reference_variance : ndarray, shape (R,)
    largest : float, keV
        Of the shift.
    reach : float, keV
        Derivatives are differences over twice this.

    Raises
    ------
    ReductionError
        If the best shift is at the end of the range, or the spectra are too short or too noisy.
    """
    from scipy.optimize import minimize_scalar

    both = _Derivatives(energy, value, variance, reference_energy, reference, reference_variance, largest, reach)
    places = np.linspace(-largest, largest, COARSE)
    best, step = float(min(places, key=both.distance)), float(places[1] - places[0])
    found = minimize_scalar(both.distance, bounds=(best - step, best + step), method="bounded", options={"xatol": 1e-9})
    shift = float(found.x)
    if abs(shift) > 0.95 * largest:
        raise ReductionError(f"no shift within {1e3 * largest:.1f} eV aligns the spectra: another edge, or too noisy")
    return both.with_errors(shift)


class _Derivatives:
    """Differences of a spectrum at moved places, and those of a reference."""

    def __init__(
        self, energy: Array, value: Array, variance: Array, reference_energy: Array, reference: Array,
        reference_variance: Array, largest: float, reach: float,
    ) -> None:  # fmt: skip
        from scipy.interpolate import CubicSpline

        low = max(reference_energy[0], energy[0] + largest) + reach
        high = min(reference_energy[-1], energy[-1] - largest) - reach
        if energy.size < FEWEST or reference_energy.size < FEWEST or high - low < 4 * largest:
            raise ReductionError(
                f"the spectra have {1e3 * max(high - low, 0.0):.1f} eV in common: too few to align them"
            )
        self._reach = reach
        self._places = np.arange(low, high, STEP)
        self._spline = CubicSpline(energy, np.eye(energy.size))
        there = CubicSpline(reference_energy, np.eye(reference_energy.size))
        self._there = there(self._places + reach) - there(self._places - reach)
        self._value, self._variance, self._reference_variance = value, variance, reference_variance
        self._goal = self._there @ reference
        self._length = float(self._goal @ self._goal - ((self._there**2) @ reference_variance).sum())
        if self._length <= 0:
            raise ReductionError("the reference is too noisy to align anything with it: measure longer")

    def _moved(self, shift: float, order: int = 0) -> Array:
        """Differences at places moved by a shift, or their derivative by it, as a matrix of the values."""
        found = self._spline(self._places + shift + self._reach, order) - self._spline(
            self._places + shift - self._reach, order
        )
        return np.asarray(found)

    def distance(self, shift: float) -> float:
        """F without what noise adds."""
        moved = self._moved(shift)
        slopes = moved @ self._value
        return float(slopes @ slopes - (moved**2 @ self._variance).sum() - (slopes @ self._goal) ** 2 / self._length)

    def _turn(self, shift: float) -> float:
        """Half of dF/ds."""
        moved, bent = self._moved(shift), self._moved(shift, 1)
        slopes, bends = moved @ self._value, bent @ self._value
        noise = ((moved * bent) @ self._variance).sum()
        return float(slopes @ bends - noise - (slopes @ self._goal) * (bends @ self._goal) / self._length)

    def with_errors(self, shift: float) -> DerivativeShift:
        """The shift with its errors by linear propagation.

        Raises
        ------
        ReductionError
            If the distance has no minimum there.
        """
        curvature = (self._turn(shift + TURN) - self._turn(shift - TURN)) / (2 * TURN)
        if curvature <= 0:
            raise ReductionError("the spectra are too noisy to be aligned: measure longer")
        moved, bent = self._moved(shift), self._moved(shift, 1)
        slopes, bends = moved @ self._value, bent @ self._value
        along, across = (float(each @ self._goal) / self._length for each in (slopes, bends))
        by_value = bent.T @ slopes + moved.T @ bends - across * moved.T @ self._goal - along * bent.T @ self._goal
        by_reference = self._there.T @ (2 * along * across * self._goal - across * slopes - along * bends)
        twice, once = self._noise_of_noise(moved, bent, along)
        own = _without_noise(-by_value / curvature, self._variance, twice / curvature**2)
        common = _without_noise(-by_reference / curvature, self._reference_variance, once / curvature**2)
        variances = [float(each**2 @ variance) for each, variance in
                     ((own, self._variance), (common, self._reference_variance))]  # fmt: skip
        return DerivativeShift(shift, float(np.sqrt(sum(variances))), float(np.sqrt(variances[1])), own, common)

    def _noise_of_noise(self, moved: Array, bent: Array, along: float) -> tuple[float, float]:
        """What the noise in the derivatives adds to the propagated variances above what it adds to that of the shift.

        dF/ds holds a form ``n H n / 2`` of the noise n of the spectrum, of variance ``tr(H V H V) / 2``, and one of
        both noises. In the propagation, from slopes that have noise, both count double.
        """
        by_slope, by_bend = moved.T @ self._goal, bent.T @ self._goal
        form = moved.T @ bent - np.outer(by_slope, by_bend) / self._length
        own = 0.5 * self._variance @ (form + form.T) ** 2 @ self._variance
        both = along**2 * self._variance @ (bent.T @ self._there) ** 2 @ self._reference_variance
        return float(own), float(both)


def _without_noise(derivative: Array, variance: Array, noise: float) -> Array:
    """A derivative, scaled so that its propagated variance is less by what noise has added to it."""
    propagated = float(derivative**2 @ variance)
    return derivative * np.sqrt(max(1 - noise / propagated, LEAST)) if propagated > 0 else derivative
