"""Computed spectra on the energies of a measurement, through the measurement's own normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reduction.errors import ReductionError
from reduction.settings import Settings
from reduction.spectra.align import EnergyShift, find_shift
from reduction.spectra.normalise import normalise_values, window_integral_weights, window_mean_weights
from reduction.spectra.overlay import SpectrumCurve
from reduction.theory.average import FEWEST, ComputedSpectrum
from reduction.theory.broadening import Width, broadened

Array = NDArray[np.float64]

EV = 1e3
SEARCH, STEP = 40.0, 0.5
"""eV around the tabulated edge within which the zero of the computed energies is looked for, and step of the search."""
FINE = 0.1
"""eV; step of the computed spectrum to which the measured one is aligned."""


@dataclass(frozen=True)
class Placed:
    """A computed ground state beside a measured laser-off spectrum.

    Attributes
    ----------
    shift : EnergyShift
        Energy of the computed zero, keV.
    energy : ndarray, shape (E,), keV
        Measured energies up to the end of the computed spectrum.
    static : ndarray, shape (E,)
        Measured, in edge integrals of these energies.
    settings : Settings
        With an edge integral that ends where the computed spectrum ends.
    scale : float
        Edge integrals of these energies in one of the whole measurement.
    whole : bool
        Whether the computed spectrum covers the measurement.
    """

    shift: EnergyShift
    energy: Array
    static: Array
    settings: Settings
    scale: float
    whole: bool


def place(
    static: SpectrumCurve, ground: ComputedSpectrum, width: Width, settings: Settings, e0: float, largest: float
) -> Placed:
    """Find the rigid shift at which a computed ground state agrees best with the measured spectrum.

    A rough search by correlation, then the criterion by which passes are aligned, with scale and offset free.

    Parameters
    ----------
    static : SpectrumCurve
        Laser off, in edge integrals, with variances, shape (E,).
    ground : ComputedSpectrum
    width : Width
    settings : Settings
        With the windows of the measurement.
    e0 : float, keV
        Tabulated edge.
    largest : float, keV
        Of the shift against the rough search.

    Raises
    ------
    ReductionError
        If the computed spectrum ends too early, or no shift aligns both.
    """
    rough = _rough(static, ground, width, e0)
    top = rough + ground.energy[-1] / EV - largest
    inside = static.energy <= top
    cut = (
        replace(settings, integral=(settings.integral[0], min(settings.integral[1], float(static.energy[inside][-1]))))
        if inside.sum() >= FEWEST
        else None
    )
    if cut is None:
        raise ReductionError(
            f"the computed spectrum ends {ground.energy[-1]:g} eV above its zero: too early to be aligned"
        )
    energy, value = static.energy[inside], static.value[inside]
    stddev = np.sqrt(static.covariance[inside])
    fine = np.arange(energy[0] - 2 * largest, energy[-1] + 2 * largest, FINE / EV)
    reference = _at(ground, width, fine, rough)
    found = find_shift(energy, value, stddev, reference, np.full(fine.size, 1e-6 * np.ptp(reference)), largest, fine)
    own, _, scale = normalise_values(value, *_windows(energy, cut), cut)
    return Placed(replace(found, value=rough + found.value), energy, own, cut, scale, bool(inside.all()))


def _rough(static: SpectrumCurve, ground: ComputedSpectrum, width: Width, e0: float) -> float:
    """Energy of the computed zero, keV, by the largest correlation with the measured spectrum."""
    zeros = e0 + np.arange(-SEARCH, SEARCH + STEP, STEP) / EV
    return float(max(zeros, key=lambda zero: _correlation(static, ground, width, float(zero))))


def _correlation(static: SpectrumCurve, ground: ComputedSpectrum, width: Width, zero: float) -> float:
    inside = static.energy <= zero + ground.energy[-1] / EV
    rising = inside & (static.energy >= zero + ground.energy[0] / EV)
    if rising.sum() < FEWEST or inside.sum() < 0.5 * inside.size:
        return -1.0
    return float(np.corrcoef(static.value[inside], _at(ground, width, static.energy[inside], zero))[0, 1])


def _at(computed: ComputedSpectrum, width: Width, energy: Array, zero: float) -> Array:
    """A broadened spectrum at energies in keV."""
    places = EV * (energy - zero)
    return broadened(computed.energy, computed.value, width.at(places), places)


def _windows(energy: Array, settings: Settings) -> tuple[Array, Array]:
    return window_mean_weights(energy, settings.pre_edge), window_integral_weights(energy, settings.integral)


def normalised(computed: ComputedSpectrum, width: Width, placed: Placed, by: float = 0.0) -> Array:
    """A computed spectrum in edge integrals, shape (E,), `by` (keV) above the place of the ground state.

    Raises
    ------
    ReductionError
        If its edge integral is not above zero.
    """
    return _normalised(computed, width, placed, by)[0]


def _normalised(computed: ComputedSpectrum, width: Width, placed: Placed, by: float) -> tuple[Array, float]:
    """In edge integrals, and the edge integral."""
    value = _at(computed, width, placed.energy, placed.shift.value + by)
    found, _, integral = normalise_values(value, *_windows(placed.energy, placed.settings), placed.settings)
    return found, integral


def difference(
    excited: ComputedSpectrum, ground: ComputedSpectrum, width: Width, placed: Placed, by: float = 0.0
) -> Array:
    """Transient per fraction of the sample in the excited state, in edge integrals of the whole measurement.

    Laser on and laser off have a normalisation each. Of states with spectra n in their own edge integrals I, a fraction
    f makes ``f I1 / ((1 - f) I0 + f I1) (n1 - n0)``: to first order in f ``I1/I0 (n1 - n0)``.

    Returns
    -------
    ndarray, shape (E,)

    Raises
    ------
    ReductionError
        As `normalised`.
    """
    return differences([excited], ground, [(width, by)], placed)[0][0]


def differences(
    excited: Sequence[ComputedSpectrum], ground: ComputedSpectrum, tried: Sequence[tuple[Width, float]], placed: Placed
) -> list[Array]:
    """As `difference`, of several states at several widths and shifts: an array of shape (len(tried), E) for each.

    Raises
    ------
    ReductionError
        As `normalised`.
    """
    grounds = [_normalised(ground, width, placed, by) for width, by in tried]
    found = []
    for state in excited:
        curves = []
        for (width, by), (before, integral) in zip(tried, grounds, strict=True):
            after, its_integral = _normalised(state, width, placed, by)
            curves.append(placed.scale * its_integral / integral * (after - before))
        found.append(np.stack(curves))
    return found
