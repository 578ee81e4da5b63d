"""Energy alignment of scans before they are summed, by chi-square of their laser-off spectra.

The monochromator may return a fraction of an eV off. The shift of a scan is the one at which chi-square of it and the
shifted reference is smallest, with scale and offset free. Noise of the interpolated reference depends on the shift and
is in the covariance; otherwise chi-square would favour shifts by half a step. Noise of the sample is in the covariance
too: in proportion to the signal, the same for both, and from point to point or slower, as the residuals show. The area
between the derivatives, by which the paper aligns (SI 8), is smallest at the same shift where there is little noise,
but has no error.

The same shift is applied to laser on and off of a pass, so it cannot fake a transient. Its error becomes a parameter of
all dwells of the pass, that part which comes from the noise of the reference a parameter of all passes that were moved,
and so both enter every covariance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from reduction.counting.kernels import OFF
from reduction.counting.rows import DwellRows, one_pass
from reduction.errors import ReductionError
from reduction.references.on_off import summed

if TYPE_CHECKING:
    from scipy.interpolate import CubicSpline, PchipInterpolator

Array = NDArray[np.float64]

LARGEST = 2e-3
"""keV; a larger shift is not a drift of the monochromator but another edge or a wrong calibration."""
COARSE = 25
"""Trial shifts."""
SAMPLE_NOISE = np.append(0.0, np.geomspace(1e-4, 0.1, 19))
"""Noise of the sample (rms, relative) among which the most likely one is chosen."""
MEMORY = (0.0, 2.0, 8.0, 32.0)
"""Points over which it persists: 1/e of its correlation."""
MOST_NOISE = 0.7
"""Share of noise in the steepness of the reference above which a shift has no meaningful error."""


def _spline(energy: Array, values: Array) -> CubicSpline:
    from scipy.interpolate import CubicSpline  # imported here: most sessions do not align, and start sooner

    return CubicSpline(energy, values, axis=0)


@dataclass(frozen=True)
class EnergyShift:
    """By how much a scan lies above the reference, keV.

    Attributes
    ----------
    value, stddev : float
    common : float
        Part of `stddev` from the noise of the reference, which other scans share.
    """

    value: float
    stddev: float
    common: float


def find_shift(
    energy: Array, value: Array, stddev: Array, reference: Array, reference_stddev: Array, largest: float = LARGEST,
    reference_energy: Array | None = None,
) -> EnergyShift:  # fmt: skip
    """Shift of a scan against a reference.

    Parameters
    ----------
    energy : ndarray, shape (E,), keV, ascending
    value, stddev, reference, reference_stddev : ndarray, shape (E,)
        Both in any unit.
    largest : float
        keV.
    reference_energy : ndarray, shape (R,), keV, optional
        Grid of the reference, if it has one of its own: the finer of both, as it is interpolated.

    Raises
    ------
    reduction.spectra.normalise.ReductionError
        If the smallest chi-square lies at the end of the range, or the scan is too short or too noisy.
    """
    if np.ptp(energy) < 6 * largest or energy.size < 8:
        raise ReductionError(f"a scan of {1e3 * np.ptp(energy):.1f} eV is too short to be aligned")
    grid = energy if reference_energy is None else reference_energy
    comparison = _Comparison(energy, value, stddev, grid, reference, reference_stddev, 1.1 * largest)
    best = _least(lambda shift: comparison.chi_square(shift)[0], largest)
    comparison.take_noise_of_the_sample(best)
    best = _least(lambda shift: comparison.chi_square(shift)[0], largest)
    if abs(best) > 0.95 * largest:
        raise ReductionError(f"no shift within {1e3 * largest:.1f} eV aligns the scans: another edge, or too noisy")
    return comparison.with_errors(best)


class _Comparison:
    """A scan against a shifted reference at the energies that stay inside the reference for all shifts."""

    def __init__(
        self, energy: Array, value: Array, stddev: Array, grid: Array, reference: Array, reference_stddev: Array,
        margin: float,
    ) -> None:  # fmt: skip
        inside = (energy >= grid[0] + margin) & (energy <= grid[-1] - margin)
        self._at, self._value, self._variance = energy[inside], value[inside], stddev[inside] ** 2
        self._reference, self._reference_variance = reference, reference_stddev**2
        self._interpolation = _spline(grid, np.eye(grid.size))
        flat = np.ones(inside.sum())
        weight = 1 / np.maximum(stddev[inside], 1e-12 * np.abs(value).max())
        there = reference[inside] if grid is energy else self._interpolation(self._at) @ reference
        design = np.stack([there, flat], axis=1) * weight[:, None]
        self._scale = float(np.linalg.lstsq(design, self._value * weight, rcond=None)[0][0])
        self._of_sample = np.zeros((self._at.size,) * 2)

    def _parts(self, shift: float) -> tuple[Array, Array, Array]:
        """Reference and offset as columns (N, 2), and the covariances of scan and reference, at a shift (keV)."""
        matrix = self._interpolation(self._at - shift)
        columns = np.stack([matrix @ self._reference, np.ones(self._at.size)], axis=1)
        common = self._scale**2 * (matrix * self._reference_variance) @ matrix.T
        return columns, np.diag(self._variance) + self._of_sample, common + self._of_sample

    def take_noise_of_the_sample(self, shift: float) -> None:
        """Size and persistence of the noise of the sample, by the restricted likelihood at a shift."""
        columns, own, common = self._parts(shift)
        level = columns[:, 0] * self._scale
        steps = np.abs(np.subtract.outer(np.arange(level.size), np.arange(level.size)))
        derivative = self._interpolation(self._at - shift, 1) @ self._reference
        design = np.concatenate([columns, derivative[:, None]], axis=1)
        best = -np.inf
        for memory in MEMORY:
            shape = np.outer(level, level) * (np.exp(-steps / memory) if memory else steps == 0)
            for noise in SAMPLE_NOISE:
                likelihood = _restricted_likelihood(self._value, design, own + common + 2 * noise**2 * shape)
                if likelihood > best:
                    best, self._of_sample = likelihood, noise**2 * shape

    def chi_square(self, shift: float) -> tuple[float, Array]:
        """Least chi-square over scale and offset, and those."""
        columns, own, common = self._parts(shift)
        factor = cho_factor(own + common + 1e-24 * np.eye(len(own)))
        weighted = cho_solve(factor, columns)
        solution = np.linalg.solve(columns.T @ weighted, weighted.T @ self._value)
        residual = self._value - columns @ solution
        return float(residual @ cho_solve(factor, residual)), solution

    def with_errors(self, shift: float) -> EnergyShift:
        """The shift with its errors.

        They follow by linear propagation, enlarged where chi-square is still more than noise explains. Noise makes the
        slope of the reference steeper than it is: `noisy` is its share of the information.

        Raises
        ------
        reduction.errors.ReductionError
            If most of the information is noise.
        """
        chi_square, (scale, _) = self.chi_square(shift)
        columns, own, common = self._parts(shift)
        derivative = scale * self._interpolation(self._at - shift, 1)
        design = np.concatenate([-derivative @ self._reference[:, None], columns], axis=1)
        inverse = np.linalg.inv(own + common + 1e-24 * np.eye(len(own)))
        covariance = np.linalg.inv(design.T @ inverse @ design)
        to_shift = (covariance @ design.T @ inverse)[0]
        noise = np.einsum("ij,jk,k,ik->", inverse, derivative, self._reference_variance, derivative)
        noisy = float(noise * covariance[0, 0])
        if noisy > MOST_NOISE:
            raise ReductionError("the passes are too noisy to be aligned: measure longer, or without align")
        excess = max(1.0, chi_square / (self._at.size - 3)) / (1 - noisy) ** 2
        of_own, of_common = (float(to_shift @ each @ to_shift) * excess for each in (own, common))
        return EnergyShift(shift, float(np.sqrt(of_own + of_common)), float(np.sqrt(of_common)))


def _restricted_likelihood(value: Array, design: Array, covariance: Array) -> float:
    """Logarithm of the likelihood of a covariance, with the parameters of a linear model integrated out (REML)."""
    factor = cho_factor(covariance + 1e-24 * np.eye(len(value)), lower=True)
    weighted = cho_solve(factor, design)
    information = design.T @ weighted
    residual = value - design @ np.linalg.solve(information, weighted.T @ value)
    determinants = 2 * np.log(np.diagonal(factor[0])).sum() + np.linalg.slogdet(information)[1]
    return -0.5 * float(determinants + residual @ cho_solve(factor, residual))


def _least(function: Callable[[float], float], width: float) -> float:
    """Argument of the smallest value from -width to width: a grid, then a bounded search."""
    from scipy.optimize import minimize_scalar  # imported here: most sessions do not align, and start sooner

    places = np.linspace(-width, width, COARSE)
    best = float(places[int(np.argmin([function(place) for place in places]))])
    step = float(places[1] - places[0])
    found = minimize_scalar(function, bounds=(best - step, best + step), method="bounded", options={"xatol": 1e-8})
    return float(found.x)


def _between_points(energy: Array, values: Array) -> PchipInterpolator:
    """A curve that does not overshoot where points are far apart."""
    from scipy.interpolate import PchipInterpolator

    return PchipInterpolator(energy, values, axis=0)


def shifted(energy: Array, values: Array, by: float, coarse: bool = False) -> tuple[Array, Array]:
    """Curves (E, ...) at energies `by` (keV) higher, and their derivative there; constant beyond the ends.

    `coarse` interpolates without overshoot between points that are far apart.
    """
    curve = (_between_points if coarse else _spline)(energy, values)
    positions = np.clip(energy + by, energy[0], energy[-1])
    return np.asarray(curve(positions)), np.asarray(curve(positions, 1))


def align_rows(energy: Array, rows: DwellRows) -> tuple[DwellRows, tuple[EnergyShift, ...]]:
    """Shift each pass onto the first complete one, with the errors of the shifts as shared parameters.

    Parameters
    ----------
    energy : ndarray, shape (N,), keV
        Of the points of `rows`, ascending.
    rows : DwellRows

    Returns
    -------
    rows : DwellRows
    shifts : tuple of EnergyShift
        Of each pass; 0 for the first one, and NaN for an incomplete pass, which is not shifted.

    Raises
    ------
    reduction.spectra.normalise.ReductionError
        As `find_shift`.
    """
    passes = np.unique(rows.pass_index)
    spectra = [summed(one_pass(rows, index)) for index in passes]
    levels = [each.rate[OFF].mean(axis=0) for each in spectra]
    errors = [np.sqrt(each.variance[OFF].mean(axis=0) / rows.num_slots) for each in spectra]
    whole = [bool(np.isfinite(level).all()) for level in levels]
    if not any(whole):
        raise ReductionError("no pass is complete: none can be the reference of the alignment")
    first = whole.index(True)
    found: list[EnergyShift] = []
    for number in range(len(passes)):
        if number == first:
            found.append(EnergyShift(0.0, 0.0, 0.0))
        elif not whole[number]:
            found.append(EnergyShift(*[float("nan")] * 3))
        else:
            found.append(find_shift(energy, levels[number], errors[number], levels[first], errors[first]))
    return move_passes(energy, rows, found), tuple(found)


def move_passes(energy: Array, rows: DwellRows, found: Sequence[EnergyShift], coarse: bool = False) -> DwellRows:
    """Dwells with each pass moved down by its shift, whose errors become shared parameters.

    Parameters
    ----------
    energy : ndarray, shape (N,), keV
    rows : DwellRows
    found : sequence of EnergyShift
        Of each pass in the order of their numbers; one without an error above 0 does not move.
    coarse : bool
        As for `shifted`.
    """
    mu, passes = rows.slot_mu.copy(), np.unique(rows.pass_index)
    moving = [number for number, shift in enumerate(found) if shift.stddev > 0]
    extra = np.zeros((*mu.shape, len(moving) + bool(moving)))  # the last one is common to all of them
    for column, number in enumerate(moving):
        shift = found[number]
        own = np.sqrt(max(0.0, shift.stddev**2 - shift.common**2))
        mine = np.flatnonzero(rows.pass_index == passes[number])
        rate = rows.slot_mu[:, mine] / rows.flux[:, mine, None]
        for index, row in enumerate(mine):
            good = np.isfinite(rate[:, index]).all(axis=1)
            if good.sum() < 4:
                continue
            value, slope = shifted(energy[good], rate[good, index], shift.value, coarse)
            mu[good, row] = value * rows.flux[good, row, None]
            extra[good, row, :, column] = slope * rows.flux[good, row, None] * own
            extra[good, row, :, -1] = slope * rows.flux[good, row, None] * shift.common
    return replace(rows, slot_mu=mu, slot_shift=np.concatenate([rows.slot_shift, extra], axis=3))
