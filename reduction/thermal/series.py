"""Differences of spectra at several temperatures to the one at the reference temperature (SI 8).

The monochromator returns a few tenths of an eV off after large moves, so each spectrum is aligned to the reference by
its derivative (see `reduction.thermal.criterion`). That removes a true shift of the edge too. The expected one is known
(see `reduction.thermal.varshni`): the result is the mean of the aligned spectrum and of the aligned one moved by it;
half of their difference is an error that all energies share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.errors import ReductionError
from reduction.settings import Settings
from reduction.spectra.align import EnergyShift
from reduction.spectra.normalise import normalise, normalised_alone
from reduction.spectra.overlay import SpectrumCurve
from reduction.statistics.quantiles import chi_square_p_value
from reduction.thermal.criterion import REACH, DerivativeShift, shift_by_derivatives, shift_of_least_area
from reduction.thermal.varshni import Varshni

Array = NDArray[np.float64]

EV = 1e3
RANK = 1e-7
"""Variances of sums of a difference below this fraction of the largest one are those of rounding."""
LARGEST = 2e-3
"""keV; a larger shift is no backlash."""


@dataclass(frozen=True)
class Heated:
    """A spectrum before normalisation, with variances, shape (E,), at a temperature in degC."""

    temperature: float
    curve: SpectrumCurve


@dataclass(frozen=True)
class ThermalSeries:
    """Spectra and differences to the reference; axes T temperatures in the order given, E energies.

    Attributes
    ----------
    energy : ndarray, shape (E,), keV
    temperature : ndarray, shape (T,), degC
    reference : int
        Index of the reference.
    shift : tuple of EnergyShift
        By which each was moved to the reference, keV; 0 for the reference.
    area_shift : ndarray, shape (T,), keV
        The shift by the SI's criterion beside it, which was not applied.
    varshni : ndarray, shape (T,), eV
        Expected shift of the edge, half of which each was moved back.
    value, covariance : ndarray, shapes (T, E) and (T, E, E)
        In edge integrals.
    difference, difference_covariance : ndarray, shapes (T, E) and (T, T, E, E)
        To the reference, whose noise all share.
    """

    energy: Array
    temperature: Array
    reference: int
    shift: tuple[EnergyShift, ...]
    area_shift: Array
    varshni: Array
    value: Array
    covariance: Array
    difference: Array
    difference_covariance: Array

    def value_stddev(self) -> Array:
        """Of the spectra, shape (T, E)."""
        return np.sqrt(np.einsum("tee->te", self.covariance))

    def stddev(self) -> Array:
        """Of the differences, shape (T, E)."""
        return np.sqrt(np.einsum("ttee->te", self.difference_covariance))


def came_back(series: ThermalSeries, number: int) -> Constancy:
    """Whether a spectrum is that of the reference again: chi-square of its difference.

    Offset and edge integral are taken from both, so that some sums of the difference have no error.
    """
    values, vectors = np.linalg.eigh(series.difference_covariance[number, number])
    known = values > RANK * values.max()
    pulls = (vectors.T @ series.difference[number])[known] / np.sqrt(values[known])
    return Constancy(0.0, float(pulls @ pulls), int(known.sum()))


def thermal_series(
    spectra: Sequence[Heated],
    reference: float,
    settings: Settings,
    varshni: Varshni | None,
    largest: float = LARGEST,
    reach: float = REACH,
) -> ThermalSeries:
    """Align and normalise spectra, and subtract that of the reference temperature.

    Parameters
    ----------
    spectra : sequence of Heated
    reference : float, degC
        The first spectrum nearest to it is the reference.
    settings : Settings
        Windows of offset and edge integral.
    varshni : Varshni or None
        None: aligned spectra as they are.
    largest : float, keV
        Of a shift.
    reach : float, keV
        As for `reduction.thermal.criterion.shift_by_derivatives`.

    Returns
    -------
    ThermalSeries
        On the energies of the reference that stay inside all spectra.

    Raises
    ------
    ReductionError
        If there are fewer than two spectra, or one cannot be aligned or normalised.
    """
    if len(spectra) < 2:
        raise ReductionError(f"{len(spectra)} spectrum: a difference needs two temperatures")
    temperature = np.array([each.temperature for each in spectra])
    at = int(np.argmin(np.abs(temperature - reference)))
    pairs = [_shifts(each, spectra[at], settings, largest, reach) for each in spectra]
    shifts, areas = zip(*pairs, strict=True)
    energy = spectra[at].curve.energy
    for each, shift in zip(spectra, shifts, strict=True):
        inside = (energy + shift.value >= each.curve.energy[0]) & (energy + shift.value <= each.curve.energy[-1])
        energy = energy[inside]
    expected = np.array([0.0 if varshni is None else varshni.shift(each, temperature[at]) for each in temperature])
    moved = [
        _moved(each.curve, energy, shift, float(gap), settings)
        for each, shift, gap in zip(spectra, shifts, expected, strict=True)
    ]
    value, own, by_reference, at_reference = _stacked(moved, spectra, at, settings)
    covariance = own + np.einsum("tir,r,tjr->tij", by_reference, spectra[at].curve.covariance, by_reference)
    apart = by_reference - at_reference
    apart[at] = 0.0
    full = np.einsum("tir,r,ujr->tuij", apart, spectra[at].curve.covariance, apart, optimize=True)
    for number in range(len(spectra)):
        full[number, number] += own[number] if number != at else 0.0
    difference = value - value[at]
    return ThermalSeries(
        energy, temperature, at, shifts, np.array(areas), expected, value, covariance, difference, full
    )


def _shifts(
    heated: Heated, reference: Heated, settings: Settings, largest: float, reach: float
) -> tuple[EnergyShift, float]:
    """By derivatives, and by the SI's criterion."""
    if heated is reference:
        return EnergyShift(0.0, 0.0, 0.0), 0.0
    own, there = (
        (each.curve.energy, *normalised_alone(each.curve.value, each.curve.covariance, each.curve.energy, settings))
        for each in (heated, reference)
    )
    try:
        found = shift_by_derivatives(
            own[0], own[1], own[2] ** 2, there[0], there[1], there[2] ** 2, largest, reach
        )  # fmt: skip
    except ReductionError as error:
        raise ReductionError(f"{heated.temperature:g} degC against {reference.temperature:g} degC: {error}") from error
    return found, shift_of_least_area(*own[:2], *there[:2], largest)


@dataclass(frozen=True)
class _Moved:
    """A spectrum in edge integrals, and its derivatives by its own rates, by those of the reference, by the gap."""

    value: Array
    by_own: Array
    by_reference: Array | None
    by_gap: Array


def _moved(curve: SpectrumCurve, energy: Array, shift: EnergyShift, expected: float, settings: Settings) -> _Moved:
    """A spectrum moved down by its shift and up by half of the expected one.

    The shift depends on the same rates, so that on the slope of the edge its noise undoes part of theirs.
    """
    from scipy.interpolate import CubicSpline

    spline = CubicSpline(curve.energy, np.eye(curve.energy.size), axis=0)
    places = energy + shift.value - 0.5 * expected / EV
    matrix = spline(places)
    slope = spline(places, 1) @ curve.value
    found = normalise(matrix @ curve.value, np.zeros(energy.size), energy, settings)
    by_reference = None
    if isinstance(shift, DerivativeShift):
        matrix = matrix + np.outer(slope, shift.by_value * _per_rate(curve, settings))
        by_reference = found.jacobian @ np.outer(slope, shift.by_reference)
    by_gap = found.jacobian @ slope * 0.5 * expected / EV
    return _Moved(found.value, found.jacobian @ matrix, by_reference, by_gap)


def _per_rate(curve: SpectrumCurve, settings: Settings) -> float:
    """What normalisation makes of a change of the rates."""
    alone, _ = normalised_alone(curve.value, curve.covariance, curve.energy, settings)
    return float(np.ptp(alone) / np.ptp(curve.value))


def _stacked(
    moved: Sequence[_Moved], spectra: Sequence[Heated], at: int, settings: Settings
) -> tuple[Array, Array, Array, Array]:
    """Values (T, E); covariance of what is each spectrum's own (T, E, E); derivatives by the rates of the reference
    through the shifts (T, E, R), and of the reference itself (E, R).
    """
    scale = _per_rate(spectra[at].curve, settings)
    nothing = np.zeros_like(moved[at].by_own)
    rates = [nothing if each.by_reference is None else scale * each.by_reference for each in moved]
    own = [
        (each.by_own * heated.curve.covariance) @ each.by_own.T + np.outer(each.by_gap, each.by_gap)
        for each, heated in zip(moved, spectra, strict=True)
    ]
    return np.stack([each.value for each in moved]), np.stack(own), np.stack(rates), moved[at].by_own


@dataclass(frozen=True)
class Constancy:
    """Whether the ratio of two windows is the same for all differences: common ratio, chi-square, p-value."""

    value: float
    chi_square: float
    dof: int

    @property
    def p_value(self) -> float:
        return chi_square_p_value(self.chi_square, self.dof)


def constant_ratio(above: Array, below: Array, covariance: Array) -> Constancy:
    """Test whether ratios have one value.

    Parameters
    ----------
    above, below : ndarray, shape (N,)
        Numerators and denominators.
    covariance : ndarray, shape (2, N, 2, N)
        Of both together.

    Returns
    -------
    Constancy
        Chi-square of ``above - r below`` at the ratio r that makes it least, N - 1 degrees of freedom. Exact where
        denominators are poorly known, as Fieller's interval is.
    """
    from scipy.optimize import minimize_scalar

    def chi_square(angle: float) -> float:
        cosine, sine = np.cos(angle), np.sin(angle)
        rest = cosine * above - sine * below
        total = (
            cosine**2 * covariance[0, :, 0] + sine**2 * covariance[1, :, 1]
            - cosine * sine * (covariance[0, :, 1] + covariance[1, :, 0])
        )  # fmt: skip
        return float(rest @ np.linalg.solve(total, rest))

    angles = np.linspace(-np.pi / 2, np.pi / 2, 181)
    nearest = float(min(angles, key=chi_square))
    best = minimize_scalar(chi_square, bounds=(nearest - 0.02, nearest + 0.02), method="bounded")
    return Constancy(float(np.tan(best.x)), float(best.fun), above.size - 1)
