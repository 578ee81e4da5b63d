"""Energy alignment of scans before they are summed, by the area between their derivatives (SI 8).

The monochromator may return a fraction of an eV off. The shift of a scan minimises the absolute area between its
normalised first derivative and that of a reference scan. It is determined from laser-off spectra, and the same shift is
applied to laser on and off of a pass, so it cannot fake a transient. Its error becomes a parameter common to all
dwells of the pass, and so enters every covariance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import OFF
from reduction.counting.rows import DwellRows, one_pass
from reduction.errors import ReductionError
from reduction.references.on_off import summed

if TYPE_CHECKING:
    from scipy.interpolate import CubicSpline

Array = NDArray[np.float64]

LARGEST = 2e-3
"""keV; a larger shift is not a drift of the monochromator but another edge or a wrong calibration."""
REPEATS = 30
"""Repeats of the Monte-Carlo that determines the error of a shift."""


def _spline(energy: Array, values: Array) -> CubicSpline:
    from scipy.interpolate import CubicSpline  # imported here: most sessions do not align, and start sooner

    return CubicSpline(energy, values, axis=0)


@dataclass(frozen=True)
class EnergyShift:
    """By how much a scan lies above the reference, keV, and its standard deviation."""

    value: float
    stddev: float


def area_between(energy: Array, value: Array, reference: Array, shifts: Array) -> Array:
    """Absolute area between the normalised derivatives for each shift (keV); the parameter of the SI.

    Derivatives are normalised by the area under their modulus. Points that a shift moves outside the scan are excluded.
    """
    margin = np.abs(shifts).max()
    fine = np.linspace(energy[0] + margin, energy[-1] - margin, 8 * energy.size)
    goal = _normalised(_spline(energy, reference)(fine, 1))
    curve = _spline(energy, value)
    found = [np.abs(_normalised(curve(fine + shift, 1)) - goal).mean() for shift in shifts]
    return np.array(found) * np.ptp(fine)


def _normalised(derivative: Array) -> Array:
    return np.asarray(derivative / np.abs(derivative).mean())


def find_shift(
    energy: Array, value: Array, stddev: Array, reference: Array, reference_stddev: Array, largest: float = LARGEST
) -> EnergyShift:
    """Shift of a scan against a reference on the same grid.

    Parameters
    ----------
    energy : ndarray, shape (E,), keV, ascending
    value, stddev, reference, reference_stddev : ndarray, shape (E,)
        Both in any unit.
    largest : float
        keV.

    Raises
    ------
    reduction.spectra.normalise.ReductionError
        If the smallest area lies at the end of the range, or the scan is too short.
    """
    if np.ptp(energy) < 6 * largest or energy.size < 8:
        raise ReductionError(f"a scan of {1e3 * np.ptp(energy):.1f} eV is too short to be aligned")
    best = _smallest(energy, value, reference, largest)
    if abs(best) > 0.95 * largest:
        raise ReductionError(f"no shift within {1e3 * largest:.1f} eV aligns the scans: another edge, or too noisy")
    rng = np.random.default_rng(0)
    width = min(largest, max(4 * np.diff(energy).min(), 2e-4))
    drawn = [
        _smallest(
            energy,
            value + stddev * rng.standard_normal(value.size),
            reference + reference_stddev * rng.standard_normal(value.size),
            width,
            best,
        )
        for _ in range(REPEATS)
    ]
    return EnergyShift(best, float(np.sqrt(np.mean((np.array(drawn) - best) ** 2))))


def _smallest(energy: Array, value: Array, reference: Array, largest: float, about: float = 0.0) -> float:
    """Shift with the smallest area: two grids, then a parabola through the best three points."""
    width = largest
    for points in (41, 21):
        shifts = about + np.linspace(-width, width, points)
        areas = area_between(energy, value, reference, shifts)
        middle = int(np.clip(np.argmin(areas), 1, points - 2))
        about, width = float(shifts[middle]), 2 * float(shifts[1] - shifts[0])
    left, centre, right = areas[middle - 1 : middle + 2]
    bend = left - 2 * centre + right
    step = float(shifts[1] - shifts[0])
    return about + (0.5 * step * (left - right) / bend if bend > 0 else 0.0)


def shifted(energy: Array, values: Array, by: float) -> tuple[Array, Array]:
    """Curves (E, ...) at energies `by` (keV) higher, and their derivative there; constant beyond the ends."""
    curve = _spline(energy, values)
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
            found.append(EnergyShift(0.0, 0.0))
        elif not whole[number]:
            found.append(EnergyShift(float("nan"), float("nan")))
        else:
            found.append(find_shift(energy, levels[number], errors[number], levels[first], errors[first]))
    return _moved(energy, rows, passes, found), tuple(found)


def _moved(energy: Array, rows: DwellRows, passes: NDArray[np.int64], found: Sequence[EnergyShift]) -> DwellRows:
    mu = rows.slot_mu.copy()
    moving = [number for number, shift in enumerate(found) if shift.stddev > 0]
    extra = np.zeros((*mu.shape, len(moving)))
    for column, number in enumerate(moving):
        mine = np.flatnonzero(rows.pass_index == passes[number])
        rate = rows.slot_mu[:, mine] / rows.flux[:, mine, None]
        for index, row in enumerate(mine):
            good = np.isfinite(rate[:, index]).all(axis=1)
            if good.sum() < 4:
                continue
            value, slope = shifted(energy[good], rate[good, index], found[number].value)
            mu[good, row] = value * rows.flux[good, row, None]
            extra[good, row, :, column] = slope * rows.flux[good, row, None] * found[number].stddev
    return replace(rows, slot_mu=mu, slot_shift=np.concatenate([rows.slot_shift, extra], axis=3))
