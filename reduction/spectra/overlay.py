"""Two spectra on one grid and one scale: difference, energy shift, and the shape of one transient against another's.

The grid is that of the coarser spectrum; the other is interpolated linearly. Both are then normalised by the same
windows on the same points, so that neither grid nor range makes a difference between them. All errors are propagated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.errors import ReductionError
from reduction.settings import Settings
from reduction.spectra.align import EnergyShift, find_shift
from reduction.spectra.amplitudes import relative_amplitude
from reduction.spectra.edge_step import divide_by_edge_step, edge_step_fits
from reduction.spectra.normalise import normalise_above_line, normalised_alone
from reduction.statistics.quantiles import chi_square_p_value

Array = NDArray[np.float64]

FEWEST = 8
"""Common points."""
MOST = 400
"""Points of the common grid; a denser one is thinned, since covariances of thousands take minutes."""
FREE = 1e-9
"""Share of the largest variance below which a combination of points is fixed by the normalisation."""
ANGLES = 31
"""Trial angles from which the best one is refined."""
AROUND_EDGE = (-0.05, 0.15)
"""keV from E0; where the shift is looked for."""


@dataclass(frozen=True)
class SpectrumCurve:
    """A spectrum with its covariance, shape (E, E), or variances, shape (E,); energies in keV, ascending."""

    energy: Array
    value: Array
    covariance: Array

    def full(self) -> Array:
        return np.diag(self.covariance) if self.covariance.ndim == 1 else self.covariance

    def stddev(self) -> Array:
        return np.sqrt(self.covariance if self.covariance.ndim == 1 else np.diagonal(self.covariance))

    def on(self, energy: Array) -> SpectrumCurve:
        """Interpolated linearly."""
        place = np.clip(np.searchsorted(self.energy, energy, side="right") - 1, 0, self.energy.size - 2)
        share = (energy - self.energy[place]) / (self.energy[place + 1] - self.energy[place])
        matrix = np.zeros((energy.size, self.energy.size))
        rows = np.arange(energy.size)
        matrix[rows, place], matrix[rows, place + 1] = 1 - share, share
        spread = (
            (matrix * self.covariance) @ matrix.T if self.covariance.ndim == 1 else matrix @ self.covariance @ matrix.T
        )
        return SpectrumCurve(energy, matrix @ self.value, spread)


def common_grid(one: Array, other: Array) -> Array:
    """Energies (keV) of the coarser grid where both are known, thinned to `MOST`.

    Raises
    ------
    ReductionError
        If they have fewer than 8 points in common.
    """
    low, high = max(one[0], other[0]) - 1e-9, min(one[-1], other[-1]) + 1e-9
    inside = [grid[(grid >= low) & (grid <= high)] for grid in (one, other)]
    coarser = min(inside, key=lambda grid: grid.size)
    if coarser.size < FEWEST:
        raise ReductionError(f"the spectra have {coarser.size} energies in common, and {FEWEST} are needed")
    return coarser[:: -(-coarser.size // MOST)]


@dataclass(frozen=True)
class DifferenceTest:
    """Chi-square of a difference, degrees of freedom (combinations that the normalisation leaves free), and p-value."""

    chi_square: float
    dof: int

    @property
    def p_value(self) -> float:
        return chi_square_p_value(self.chi_square, self.dof)


@dataclass(frozen=True)
class Overlay:
    """Two spectra on one scale, and their difference, one minus the other.

    Attributes
    ----------
    one, other, difference : SpectrumCurve
    agreement : DifferenceTest
    """

    one: SpectrumCurve
    other: SpectrumCurve
    difference: SpectrumCurve
    agreement: DifferenceTest


def overlay(one: SpectrumCurve, other: SpectrumCurve, settings: Settings, e0: float | None = None) -> Overlay:
    """Normalise both spectra on their common grid.

    Parameters
    ----------
    one, other : SpectrumCurve
        In any unit.
    settings : Settings
        Windows of offset and edge integral.
    e0 : float, keV, optional
        Divide by the edge step at E0 (Larch's `pre_edge`) instead of by the edge integral.

    Raises
    ------
    ReductionError
        If they have too few points in common, or one cannot be normalised.
    ImportError
        With `e0` and without Larch.
    """
    grid = common_grid(one.energy, other.energy)
    found = [_normalised(curve.on(grid), settings, e0) for curve in (one, other)]
    difference = SpectrumCurve(grid, found[0].value - found[1].value, found[0].covariance + found[1].covariance)
    return Overlay(found[0], found[1], difference, _agreement(difference.value, difference.covariance))


def _normalised(curve: SpectrumCurve, settings: Settings, e0: float | None) -> SpectrumCurve:
    if e0 is None:
        value, covariance = normalise_above_line(curve.value, curve.covariance, curve.energy, settings)
        return SpectrumCurve(curve.energy, value, covariance)
    fits = edge_step_fits(curve.energy, e0, settings.pre_edge)
    step = divide_by_edge_step(curve.value, curve.covariance, fits)
    return SpectrumCurve(curve.energy, step.norm, step.norm_covariance)


def _agreement(value: Array, covariance: Array) -> DifferenceTest:
    """Chi-square in the combinations of points that have a variance."""
    variances, vectors = np.linalg.eigh(covariance)
    free = variances > FREE * variances[-1]
    return DifferenceTest(float(((vectors[:, free].T @ value) ** 2 / variances[free]).sum()), int(free.sum()))


def shift_between(
    one: SpectrumCurve, other: SpectrumCurve, settings: Settings, e0: float, largest: float
) -> EnergyShift:
    """By how much the first spectrum lies above the other, keV, by the criterion by which passes are aligned.

    Each keeps its own grid; the finer one is interpolated, since splines through the few points of a coarse edge would
    shift it.

    Parameters
    ----------
    one, other : SpectrumCurve
        With variances, shape (E,).
    settings : Settings
    e0, largest : float
        keV.

    Raises
    ------
    ReductionError
        As `find_shift`.
    """
    parts = [_near_edge(curve, settings, e0, largest) for curve in (one, other)]
    swapped = parts[0][0].size > parts[1][0].size
    scan, reference = parts[::-1] if swapped else parts
    found = find_shift(*scan, *reference[1:], largest=largest, reference_energy=reference[0])
    return EnergyShift(-found.value, found.stddev, found.common) if swapped else found


def _near_edge(curve: SpectrumCurve, settings: Settings, e0: float, largest: float) -> tuple[Array, Array, Array]:
    """Energy, normalised value and standard deviation around the edge, or of all if that is too little."""
    value, stddev = normalised_alone(curve.value, curve.covariance, curve.energy, settings, line=True)
    near = (curve.energy >= e0 + AROUND_EDGE[0]) & (curve.energy <= e0 + AROUND_EDGE[1])
    enough = near.sum() >= 2 * FEWEST and np.ptp(curve.energy[near]) > 6 * largest
    chosen = near if enough else np.ones_like(near)
    return curve.energy[chosen], value[chosen], stddev[chosen]


@dataclass(frozen=True)
class ShapeAgainst:
    """A transient against the shape of another.

    Attributes
    ----------
    amplitude, stddev : float
        How many times the other is in it, by projection.
    agreement : DifferenceTest
        Of the difference at the scale that makes chi-square least; one degree of freedom is the scale.
    """

    amplitude: float
    stddev: float
    agreement: DifferenceTest


def shape_against(one: SpectrumCurve, other: SpectrumCurve) -> ShapeAgainst:
    """Project a transient on another's shape, and test whether the shapes are the same.

    Raises
    ------
    ReductionError
        If they have too few points in common.
    """
    from scipy.optimize import minimize_scalar  # imported here: a session that compares nothing starts faster

    grid = common_grid(one.energy, other.energy)
    a, b = one.on(grid), other.on(grid)
    amplitude, stddev = relative_amplitude(a.value, a.covariance, b.value, b.covariance)
    pair = _Pair(a, b)
    nearest = float(min(np.linspace(-np.pi / 2, np.pi / 2, ANGLES), key=pair.chi_square))
    ends = (nearest - np.pi / ANGLES, nearest + np.pi / ANGLES)
    best = minimize_scalar(pair.chi_square, bounds=ends, method="bounded")
    return ShapeAgainst(amplitude, stddev, DifferenceTest(float(best.fun), pair.free - 1))


class _Pair:
    """Two transients in the combinations of points that their normalisations leave free."""

    def __init__(self, one: SpectrumCurve, other: SpectrumCurve) -> None:
        unit = float(np.sqrt((one.value @ one.value) / (other.value @ other.value)))
        variances, vectors = np.linalg.eigh(one.covariance + unit**2 * other.covariance)
        basis = vectors[:, variances > FREE * variances[-1]]
        self._values = one.value @ basis, unit * other.value @ basis
        self._covariances = basis.T @ one.covariance @ basis, unit**2 * basis.T @ other.covariance @ basis
        self._ridge = FREE * float(variances[-1]) * np.eye(basis.shape[1])

    @property
    def free(self) -> int:
        """Number of free combinations."""
        return len(self._ridge)

    def chi_square(self, angle: float) -> float:
        """Of ``one cos(angle) - other sin(angle)``."""
        cosine, sine = np.cos(angle), np.sin(angle)
        rest = cosine * self._values[0] - sine * self._values[1]
        total = cosine**2 * self._covariances[0] + sine**2 * self._covariances[1] + self._ridge
        return float(rest @ np.linalg.solve(total, rest))
