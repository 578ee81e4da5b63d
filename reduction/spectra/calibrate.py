"""Energy calibration on a foil: the maximum of the derivative near the tabulated E0.

An automatic search over the whole scan can mistake a glitch or the white line for the edge and be several eV off. Here
the search is limited to a window around the tabulated energy, and an edge that is not there raises an error.

The spectrum is a step, an arctangent or an error function, and a smooth function of unknown shape: a
Gaussian process (Rasmussen and Williams, Gaussian Processes for Machine Learning, MIT Press 2006, chapters 2, 5) with
the kernel ``a^2 / (1 + d^2 / 2 l^2)`` and a free offset and slope. The step takes what rises within an electronvolt, so
that the process need not be as sharp as the edge, and what the process allows for contains shoulders and white lines.
Position and width of the step, amplitude a and length l are averaged over a grid by their likelihoods. Derivatives of
functions that agree with the data are drawn; their maxima give the position and its error, which contains the noise and
what the points leave open between them. A step and a process that are smoother than the edge move its maximum: every
second point alone moves it at least twice as far, and half of that is a part of the error.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

Array = NDArray[np.float64]

E0 = {"Pb_L3": 13.0352, "Br_K": 13.4737}
"""keV; absorption edges of the elements: Elam, Ravel and Sieber, Radiat. Phys. Chem. 63, 121 (2002)."""
LENGTHS, AMPLITUDES = np.geomspace(1.5, 16, 5), (0.1, 0.3, 1.0)
"""Of the process: lengths in mean steps of the scan, amplitudes in heights of the spectrum in the window."""
WIDTHS = np.geomspace(0.4, 20, 10)
"""Of the step, in mean steps of the scan."""
CENTRES = 25
"""Positions of the step in the range that is searched."""
DIFFERENCE = 1e-4
"""Of numerical derivatives, in mean steps of the scan."""
LEAST_POINTS = 5
DRAWS = 400
FINE = 61
"""Places in the range at which derivatives are drawn."""
ROUNDS = 3
"""Of the search, each in a range around what the one before has found."""
AROUND = 5.0
"""Half width of the next range, in standard deviations."""
BESIDE = 1.5
"""Distances between positions of the step that the next range has on top of these."""
AT_END = 0.1
"""Share of the draws with their maximum at an end of the window above which the edge is not inside."""
UNSURE = 0.3
"""Standard deviation of the rough position, in half widths of the window, above which no edge is inside."""
LEAST_NOISE = 1e-5
"""Of a point, in heights of the spectrum: less is rounding."""
HEIGHT = 2.0
"""Prior standard deviation of the height of the step about that of the spectrum, in heights of the spectrum."""


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
    if near.size < LEAST_POINTS:
        raise ValueError(f"{near.size} points within {1e3 * window:g} eV of {e0} keV are too few to find an edge")
    near = np.arange(max(near[0] - 2, 0), min(near[-1] + 3, energy.size))  # derivatives at the ends need neighbours
    if not (np.isfinite(absorption[near]).all() and (stddev[near] > 0).all()):
        raise ValueError("absorption or errors of the foil are not finite and above 0 near the edge")
    ends = max(energy[near[0]], e0 - window), min(energy[near[-1]], e0 + window)
    at = _Foil(energy[near], absorption[near], stddev[near]).steepest(*ends)
    inside = at[np.isfinite(at)]
    if inside.size < (1 - AT_END) * at.size or np.std(inside) > UNSURE * window:
        raise ValueError(
            f"the spectrum is steepest at the end of the window around {e0} keV, or nowhere: wrong edge, or far off"
        )
    whole, *halves = (
        _edge(energy[some], absorption[some], stddev[some], inside) for some in (near, near[::2], near[1::2])
    )
    position = float(whole.mean())
    moved = float(np.mean([half.mean() for half in halves])) - position
    return Calibration(position, float(np.hypot(whole.std(ddof=1), moved / 2)), e0 - position)


def _edge(energy: Array, absorption: Array, stddev: Array, found: Array) -> Array:
    """Drawn places of the steepest rise, keV, near those that were found before, in a range that closes in."""
    foil, apart = _Foil(energy, absorption, stddev), 2 * float(np.diff(energy).max())
    for _ in range(ROUNDS):
        middle, half = float(np.mean(found)), AROUND * float(np.std(found)) + BESIDE * apart
        at, apart = foil.steepest(middle - half, middle + half), 2 * half / (CENTRES - 1)
        found = at[np.isfinite(at)] if np.isfinite(at).sum() > 1 else found
    return found


class _Foil:
    """Absorption of a foil near its edge, in mean steps of the scan and in heights of the spectrum."""

    def __init__(self, energy: Array, value: Array, stddev: Array) -> None:
        self._origin, self._step = float(energy.mean()), float(np.ptp(energy)) / (energy.size - 1)
        height = float(np.ptp(value))
        self._x, self._y = (energy - self._origin) / self._step, (value - value.mean()) / height
        noise = np.diag(np.maximum(stddev / height, LEAST_NOISE) ** 2)
        self._processes = [_Process(self._x, self._y, noise, *each) for each in product(AMPLITUDES, LENGTHS)]

    def steepest(self, low: float, high: float) -> Array:
        """Drawn places of the steepest rise between two energies, shape (draws,); infinite for one at an end."""
        places = np.linspace(low, high, FINE)
        drawn = self._derivatives((places - self._origin) / self._step)
        steepest = np.argmax(drawn, axis=1)
        middle = np.clip(steepest, 1, FINE - 2)
        left, top, right = (np.take_along_axis(drawn, (middle + by)[:, None], axis=1)[:, 0] for by in (-1, 0, 1))
        at = places[middle] + 0.5 * (places[1] - places[0]) * (left - right) / (left - 2 * top + right)  # a parabola
        return np.where(steepest == middle, at, np.inf)

    def _derivatives(self, t: Array) -> Array:
        """Derivatives at places, shape (draws, places), drawn from all functions that agree with the data."""
        grid = np.meshgrid(np.linspace(t[0], t[-1], CENTRES), WIDTHS)
        centre, width = (each.ravel()[:, None] for each in grid)
        step = _steps(self._x, centre, width)
        slope = (_steps(t + DIFFERENCE, centre, width) - _steps(t - DIFFERENCE, centre, width)) / (2 * DIFFERENCE)
        fits = [each.fit(step) for each in self._processes]
        likelihood = np.array([log_likelihood for log_likelihood, _, _ in fits])
        weight = np.exp(likelihood - likelihood.max())
        rng = np.random.default_rng(0)
        numbers = rng.multinomial(DRAWS, weight.ravel() / weight.sum()).reshape(weight.shape)
        drawn = []
        for process, (_, height, stddev), number in zip(self._processes, fits, numbers, strict=True):
            chosen = np.repeat(np.arange(number.size), number)
            if chosen.size:
                heights = height[chosen] + stddev[chosen] * rng.standard_normal(chosen.size)
                drawn.append(process.derivatives(t, step[chosen], slope[chosen], heights, rng))
        return np.concatenate(drawn)


def _steps(x: Array, centre: Array, width: Array) -> Array:
    """Steps of each form at x (n,), for each centre and width (S, 1); shape (forms S, n)."""
    z = (x - centre) / width
    return np.concatenate([np.arctan(z) / np.pi, 0.5 * erf(z)])


class _Process:
    """A Gaussian process of one amplitude and length, and a line, that have seen the data."""

    def __init__(self, x: Array, y: Array, noise: Array, amplitude: float, length: float) -> None:
        self._x, self._y, self._amplitude, self._length = x, y, amplitude, length
        covariance = amplitude**2 / (1 + 0.5 * ((x[:, None] - x) / length) ** 2) + noise
        line = np.stack([np.ones_like(x), x], axis=1)
        self._inverse = np.linalg.inv(covariance)
        self._of_line = np.linalg.inv(line.T @ self._inverse @ line)
        self._line_of = self._of_line @ line.T @ self._inverse
        self._without_line = self._inverse - self._inverse @ line @ self._line_of
        determinants = [np.linalg.slogdet(each)[1] for each in (covariance, self._of_line)]
        self._log_likelihood = 0.5 * (determinants[1] - determinants[0] - y @ self._without_line @ y)
        self._line = line

    def fit(self, step: Array) -> tuple[Array, Array, Array]:
        """Log likelihood, height and its standard deviation of each step (S, n); all of shape (S,)."""
        seen = step @ self._without_line
        variance = 1 / ((seen * step).sum(axis=1) + HEIGHT**-2)
        height = variance * (seen @ self._y + HEIGHT**-2)
        gained = 0.5 * (np.log(variance) + height**2 / variance)
        return self._log_likelihood + gained, height, np.sqrt(variance)

    def derivatives(self, t: Array, step: Array, slope: Array, height: Array, rng: np.random.Generator) -> Array:
        """Derivatives at places t, one draw for each step (D, n) and its slope (D, T); shape (D, T)."""
        d = (t[:, None] - self._x) / self._length
        cross = -(self._amplitude**2) / self._length * d / (1 + 0.5 * d**2) ** 2
        d = (t[:, None] - t) / self._length
        curvature = (1 + 0.5 * d**2) ** -2 - 2 * d**2 * (1 + 0.5 * d**2) ** -3
        slope_of_line = np.array([0.0, 1.0])
        left = slope_of_line - cross @ self._inverse @ self._line
        covariance = (self._amplitude / self._length) ** 2 * curvature - cross @ self._inverse @ cross.T
        values, vectors = np.linalg.eigh(covariance + left @ self._of_line @ left.T)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        by_data = cross @ self._without_line + slope_of_line @ self._line_of
        smooth = (self._y - height[:, None] * step) @ by_data.T
        return np.asarray(smooth + height[:, None] * slope + rng.standard_normal((height.size, t.size)) @ root.T)
