"""Energy calibration on a foil: the maximum of the derivative near the tabulated E0.

An automatic search over the whole scan can mistake a glitch or the white line for the edge and be several eV off. Here
the search is limited to a window around the tabulated energy, and an edge that is not there raises an error.

The spectrum between its points is a smooth function of unknown shape, a Gaussian process (Rasmussen and Williams,
Gaussian Processes for Machine Learning, MIT Press 2006, chapters 2 and 5) with the kernel ``a^2 / (1 + d^2 / 2 l^2)``
and a free offset and slope. The kernel falls off at high frequency as a Lorentzian does, which broadens every edge.
Amplitude a and length l are averaged over a grid by their likelihoods, near the edge alone: it is sharper than the
rest. Derivatives of functions that agree with the data are drawn; their maxima give the position and its error, which
contains the noise and what the points leave open between them. A polynomial of fixed degree has an error of its own
that it does not know. A kernel that is the same everywhere smooths an edge that is steeper on one side, and moves its
maximum: by how much, every second point alone shows, and this is a part of the error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

Array = NDArray[np.float64]

E0 = {"Pb_L3": 13.0352, "Br_K": 13.4737}
"""keV; absorption edges of the elements: Elam, Ravel and Sieber, Radiat. Phys. Chem. 63, 121 (2002)."""
LENGTHS, AMPLITUDES = np.geomspace(0.7, 16, 13), np.geomspace(0.1, 10, 9)
"""Lengths in mean steps of the scan, and amplitudes in heights of the spectrum in the window."""
DRAWS = 400
FINE = 61
"""Places in the window at which derivatives are drawn."""
AT_END = 0.1
"""Share of the draws with their maximum at an end of the window above which the edge is not inside."""
CLOSE = 2.5e-3
"""keV; half width of the range around the rough position that determines the final one."""
UNSURE = 0.3
"""Standard deviation of the rough position, in half widths of the window, above which no edge is inside."""
FREE = 1e3
"""Prior standard deviation of offset and slope, in heights of the spectrum."""


@dataclass(frozen=True)
class Calibration:
    """Position of an edge and the shift to its tabulated energy, keV.

    Attributes
    ----------
    position, stddev : float
        Maximum of the derivative.
    shift : float
        To add to the energy axis.
    """

    position: float
    stddev: float
    shift: float


def calibrate(energy: Array, absorption: Array, stddev: Array, e0: float, window: float = 0.006) -> Calibration:
    """Find the edge near `e0`.

    Parameters
    ----------
    energy : ndarray, shape (E,), keV, ascending
    absorption, stddev : ndarray, shape (E,)
        Of the foil, in any unit, and its errors.
    e0 : float
        Tabulated energy of the edge, keV.
    window : float
        Half width of the search, keV.

    Raises
    ------
    ValueError
        If the window has too few points, or the spectrum is steepest at its end: the edge is not there.
    """
    near = np.flatnonzero(np.abs(energy - e0) <= window)
    if near.size < 7:
        raise ValueError(f"{near.size} points within {1e3 * window:g} eV of {e0} keV are too few to find an edge")
    near = np.arange(max(near[0] - 2, 0), min(near[-1] + 3, energy.size))  # derivatives at the ends need neighbours
    if not (np.isfinite(absorption[near]).all() and (stddev[near] > 0).all()):
        raise ValueError("absorption or errors of the foil are not finite and above 0 near the edge")
    at = _steepest(energy[near], absorption[near], stddev[near], (e0 - window, e0 + window))
    inside = at[np.isfinite(at)]
    if inside.size < (1 - AT_END) * at.size or np.std(inside) > UNSURE * window:
        raise ValueError(
            f"the spectrum is steepest at the end of the window around {e0} keV, or nowhere: wrong edge, or far off"
        )
    rough, step = float(np.median(inside)), float(np.diff(energy[near]).mean())
    close = near[np.abs(energy[near] - rough) <= max(CLOSE, 6 * step)]
    places = [
        _steepest(energy[some], absorption[some], stddev[some], (rough - 4 * step, rough + 4 * step))
        for some in (close, close[::2], close[1::2])
    ]
    at, *halves = (place[np.isfinite(place)] for place in places)
    position = float(at.mean())
    moved = np.mean([half.mean() if half.size else rough + 4 * step for half in halves]) - position
    return Calibration(position, float(np.hypot(at.std(ddof=1), moved)), e0 - position)


def _steepest(energy: Array, value: Array, stddev: Array, ends: tuple[float, float]) -> Array:
    """Drawn places of the steepest rise, shape (draws,); infinite for one at an end of the scan or of the range."""
    places = np.linspace(max(energy[0], ends[0]), min(energy[-1], ends[1]), FINE)
    drawn = _derivatives(energy, value, stddev, places)
    steepest = np.argmax(drawn, axis=1)
    middle = np.clip(steepest, 1, FINE - 2)
    left, top, right = (np.take_along_axis(drawn, (middle + by)[:, None], axis=1)[:, 0] for by in (-1, 0, 1))
    at = places[middle] + 0.5 * (places[1] - places[0]) * (left - right) / (left - 2 * top + right)  # a parabola
    return np.where(steepest == middle, at, np.inf)


def _derivatives(energy: Array, value: Array, stddev: Array, places: Array) -> Array:
    """Derivatives at some places, shape (draws, places), drawn from all functions that agree with the data."""
    height, centre = float(np.ptp(value)), float(energy.mean())
    step = np.ptp(energy) / (energy.size - 1)
    x, t = (energy - centre) / step, (places - centre) / step
    y = (value - value.mean()) / height
    noise = np.diag((stddev / height) ** 2)
    rng, found = np.random.default_rng(0), []
    for length in LENGTHS:
        for amplitude in AMPLITUDES:
            try:
                found.append(_Process(x, y, noise, length, amplitude))
            except LinAlgError:  # a length with which rounding hides the noise
                continue
    likelihood = np.array([each.log_likelihood for each in found])
    weight = np.exp(likelihood - likelihood.max())
    numbers = rng.multinomial(DRAWS, weight / weight.sum())
    drawn = [each.derivatives(t, n, rng) for each, n in zip(found, numbers, strict=True) if n]
    return np.concatenate(drawn)


class _Process:
    """A Gaussian process of one length and amplitude that has seen the data."""

    def __init__(self, x: Array, y: Array, noise: Array, length: float, amplitude: float) -> None:
        self._x, self._length, self._amplitude = x, length, amplitude
        covariance = self._kernel(x, x) + noise
        self._factor = cho_factor(covariance, lower=True)
        self._solved = cho_solve(self._factor, y)
        determinant = 2 * float(np.log(np.diagonal(self._factor[0])).sum())
        self.log_likelihood = -0.5 * (float(y @ self._solved) + determinant)

    def _kernel(self, a: Array, b: Array) -> Array:
        line = FREE**2 * (1 + a[:, None] * b / max(1.0, np.abs(self._x).max()) ** 2)
        return np.asarray(self._amplitude**2 / (1 + 0.5 * ((a[:, None] - b) / self._length) ** 2) + line)

    def derivatives(self, t: Array, number: int, rng: np.random.Generator) -> Array:
        """Drawn derivatives, shape (number, T)."""
        scale = FREE**2 / max(1.0, np.abs(self._x).max()) ** 2
        d = (t[:, None] - self._x) / self._length
        cross = -(self._amplitude**2) / self._length * d / (1 + 0.5 * d**2) ** 2 + scale * self._x
        d = (t[:, None] - t) / self._length
        curvature = (1 + 0.5 * d**2) ** -2 - 2 * d**2 * (1 + 0.5 * d**2) ** -3
        own = self._amplitude**2 / self._length**2 * curvature + scale
        covariance = own - cross @ cho_solve(self._factor, cross.T)
        values, vectors = np.linalg.eigh(covariance)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        return np.asarray(cross @ self._solved + rng.standard_normal((number, t.size)) @ root.T)
