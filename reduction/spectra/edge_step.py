"""Normalisation of a whole scan to its edge step: a line before the edge, a polynomial after it, their distance at E0.

This is how XAFS programs normalise; scans of this experiment are too short for it and use offset and edge integral
instead (`reduction.spectra.normalise`). It is here for measured standards and foils, to be compared with other
programs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class EdgeStep:
    """A normalised scan.

    Attributes
    ----------
    value, stddev : ndarray, shape (E,)
        In units of the edge step, pre-edge line subtracted; errors hold those of line and step.
    pre_edge, post_edge : ndarray, shape (E,)
        The two curves, in units of the data.
    step : float
    """

    value: Array
    stddev: Array
    pre_edge: Array
    post_edge: Array
    step: float


def normalise_to_step(
    energy: Array,
    absorption: Array,
    stddev: Array,
    e0: float,
    pre: tuple[float, float],
    post: tuple[float, float],
    degree: int = 2,
) -> EdgeStep:
    """Normalise one scan.

    Parameters
    ----------
    energy : ndarray, shape (E,), eV, ascending
    absorption, stddev : ndarray, shape (E,)
        With independent errors.
    e0 : float
        Where the step is taken, at the nearest point, eV; given, not searched for.
    pre, post : tuple of float
        Windows relative to e0, eV. A window goes from the last point at or below its lower end to the point before the
        one nearest its upper end, which is the convention of Larch and Athena.
    degree : int
        Of the polynomial after the edge.

    Raises
    ------
    ValueError
        If energies do not ascend, something is not finite, a window has too few points or lies on the wrong side of
        the edge, or the step is not above zero.
    """
    if not (np.isfinite(absorption).all() and np.isfinite(stddev).all() and (np.diff(energy) > 0).all()):
        raise ValueError("a scan needs ascending energies and finite values and errors")
    if not pre[0] < pre[1] < 0 < post[0] < post[1]:
        raise ValueError(f"windows must lie before and after the edge, ascending, not {pre} and {post} eV")
    line = _fit_operator(energy, _window(energy, e0, pre, 3), 1)
    above = _fit_operator(energy, _window(energy, e0, post, degree + 2), degree)
    subtract = np.eye(energy.size) - line
    after = above @ subtract
    at = int(np.argmin(np.abs(energy - e0)))
    step = float(after[at] @ absorption)
    if not step > 0:
        raise ValueError(f"the edge step at {e0} eV is {step:.3g}, not above zero: wrong edge or wrong sign?")
    value = subtract @ absorption / step
    jacobian = (subtract - np.outer(value, after[at])) / step
    pre_edge = line @ absorption
    errors = np.sqrt(jacobian**2 @ stddev**2)
    return EdgeStep(value, errors, pre_edge, pre_edge + after @ absorption, step)


def _window(energy: Array, e0: float, window: tuple[float, float], least: int) -> slice:
    begin = max(0, int(np.searchsorted(energy, e0 + window[0], side="right")) - 1)
    end = int(np.argmin(np.abs(energy - (e0 + window[1]))))
    if end - begin < least:
        raise ValueError(
            f"{max(0, end - begin)} points from {e0 + window[0]:.1f} to {e0 + window[1]:.1f} eV are too few:"
            f" {least} are needed"
        )
    return slice(begin, end)


def _fit_operator(energy: Array, window: slice, degree: int) -> Array:
    """Matrix (E, E) that takes data to the polynomial through the window, at all energies."""
    middle, half = energy[window].mean(), np.ptp(energy[window]) / 2
    x = (energy - middle) / half
    design = np.polynomial.legendre.legvander(x, degree)
    operator = np.zeros((energy.size, energy.size))
    operator[:, window] = design @ np.linalg.pinv(design[window])
    return operator
