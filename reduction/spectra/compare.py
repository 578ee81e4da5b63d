"""Rates that a spectrum is made of: laser on against what the reference says, and the laser-off rate of all slots."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import OFF, ON
from reduction.counting.rows import PointRates, only
from reduction.drift.correct import WithoutDrift, correct_drift
from reduction.references import methods
from reduction.references.by_ground import by_ground
from reduction.references.choice import only_pumped, usable_points
from reduction.references.compared import Compared, with_between
from reduction.references.methods import Comparison
from reduction.settings import Settings
from reduction.spectra.normalise import NormalisedSlots, normalise_slots
from reduction.statistics.factored import Factored

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


def with_common(compared: Compared, root: Array) -> Compared:
    """Rates with further relative errors common to both laser states and all slots, shape (E, M)."""
    common = compared.rate[..., None] * root
    return replace(compared, shared=np.concatenate([compared.shared, common], axis=3))


def compare(
    reference: str, same_bunches: bool, rates: PointRates, used: Flags, comparison: Comparison | None, i0_noise: float
) -> tuple[Compared, Compared]:
    """Rates to compare by the reference, and by `paper`, which gives the static spectrum.

    Parameters
    ----------
    reference : str
    same_bunches : bool
        Whether slots are compared with the same bunches before the pump.
    rates : PointRates
    used : ndarray of bool, shape (E,)
    comparison : Comparison or None
        None if no point has laser on and off.
    i0_noise : float
    """
    if same_bunches and rates.rows is not None:
        compared = by_ground(only(rates.rows, used), i0_noise)
        if comparison is None:
            return compared, compared
        return compared, methods.by_paper(only(rates.rows, used), comparison.dwell_noise)
    if rates.rows is None:
        paper = _of_sums(rates, used)
    else:
        noise = i0_noise if comparison is None else comparison.dwell_noise
        paper = methods.by_paper(only(rates.rows, used), noise)
    if reference == "paper" or comparison is None:
        return paper, paper
    by = {"shutter": methods.by_shutter, "slots": methods.by_slots, "combined": methods.combined}
    return by[reference](comparison), paper


def _of_sums(rates: PointRates, used: Flags) -> Compared:
    slots, size = rates.rate.shape[1], int(used.sum())
    local = np.zeros((2, slots, 2, slots, size))
    for laser in (OFF, ON):
        local[laser, :, laser] = rates.covariance[laser][:, :, used]
    return Compared(rates.rate[:, :, used], local, np.zeros((2, slots, size, 0)))


def normalised_static(energy: Array, paper: Compared, share: Array, settings: Settings) -> NormalisedSlots:
    """Laser-off spectrum, as the only slot: mean of the slots, each with its fraction of the phases."""
    shared = np.einsum("s,sem->em", share, paper.shared[OFF])
    local = np.einsum("s,t,ste->e", share, share, paper.local[OFF, :, OFF])
    covariance = Factored.of(local[None, None], shared[None])
    if paper.between is not None:
        near = np.einsum("s,t,lste->le", share, share, paper.between[:, OFF, :, OFF])
        covariance = with_between(covariance, near[:, None, None])
    return normalise_slots((share @ paper.rate[OFF])[None], covariance, energy, settings)


def without_drift(rates: PointRates, settings: Settings) -> tuple[PointRates, WithoutDrift | None]:
    """Dwells without the drift of the sample, if it is known."""
    usable = np.logical_and(*usable_points(rates))
    off = settings.drift == "off" or settings.procedure == "paper" or only_pumped(rates)
    if off or rates.rows is None or not usable.any():
        return rates, None
    corrected = correct_drift(rates.rows, usable, rates.monitors, settings.i0_noise)
    return (rates, None) if corrected is None else (replace(rates, rows=corrected.rows), corrected)
