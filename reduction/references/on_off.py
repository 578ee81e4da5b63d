"""Laser-on and laser-off rates of each point from the same passes with the same weights.

The thickness of the jet changes by several per cent from pass to pass. Where a pass has laser-on and laser-off dwells
of a point, that cancels; where a dwell is missing, the plain sum of scans would compare different passes. So the rates
of each pass are averaged with one weight for both laser states.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import OFF, ON
from reduction.counting.neighbours import shifted
from reduction.counting.rows import DwellRows

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Between:
    """Covariance of the rates of each point with those of the points above it, at L distances from 1 on.

    Attributes
    ----------
    counting : ndarray, shape (L, 2, S, E)
    factor : ndarray, shape (L, 2, E)
        Relative covariance for noise of a relative variance of 1 in each dwell.
    """

    counting: Array
    factor: Array


@dataclass(frozen=True)
class OnOff:
    """Rates in photons per I0 count; axes 2 laser states (off, on), S slots, E points, M shared parameters.

    Attributes
    ----------
    rate, variance : ndarray, shape (2, S, E)
        Rate and its variance from counting alone.
    variance_factor : ndarray, shape (2, E)
        Relative variance of a rate for a relative variance of 1 in each dwell (sum of squared weights).
    shift : ndarray, shape (2, S, E, M)
        Change of the rate when a parameter that all dwells weights moves by its standard deviation.
    weights : ndarray, shape (2, E, R), optional
        Of the dwells in each rate.
    currents : ndarray, shape (E, 2, S, 2, S), or None
        Relative covariance of the rates from the measured currents of the bunches; None without them.
    slot_weight : ndarray, shape (S,), or None
        Phases of each slot over their mean; None where all have as many.
    between : Between, optional
        Of points that share frames of a sweep.
    """

    rate: Array
    variance: Array
    variance_factor: Array
    shift: Array
    weights: Array | None = None
    currents: Array | None = None
    slot_weight: Array | None = None
    between: Between | None = None

    def of_all_slots(self) -> tuple[Array, Array]:
        """Rate of all slots together and its variance from counting, shape (2, E)."""
        if self.slot_weight is None:
            return self.rate.sum(axis=1), self.variance.sum(axis=1)
        total = np.einsum("s,lse->le", self.slot_weight, self.rate)
        return total, np.einsum("s,lse->le", self.slot_weight**2, self.variance)

    @property
    def relative_variance(self) -> Array:
        """Variance of the logarithm of each rate from counting, shape (2, S, E)."""
        return self.variance / self.rate**2


def balanced(rows: DwellRows) -> OnOff:
    """Average the passes of each point with the same weight for laser on and off.

    Only passes with both count; their weight is ``e_on e_off / (e_on + e_off)`` with their exposures (gates x flux),
    which is optimal for the difference. With equal passes this is the sum of scans over the sum of flux. A point is NaN
    without such a pass.
    """
    exposure = _exposure(rows)
    weights = np.zeros_like(exposure)
    total = np.zeros(rows.state.shape[0])
    for index in np.unique(rows.pass_index):
        mine = rows.pass_index == index
        off, on = exposure[:, :, mine].sum(axis=2)
        both = (off > 0) & (on > 0)
        weight = np.divide(off * on, off + on, out=np.zeros_like(on), where=both)
        for laser, of_pass in ((OFF, off), (ON, on)):
            factor = np.divide(weight, of_pass, out=np.zeros_like(on), where=both)
            weights[laser][:, mine] = exposure[laser][:, mine] * factor[:, None]
        total += weight
    return _average(rows, weights, np.stack([total, total]))


def with_current_errors(rows: DwellRows, on_off: OnOff) -> OnOff:
    """Rates with the errors of the currents of the bunches, where they were measured."""
    if rows.currents is None or on_off.weights is None:
        return on_off
    return replace(on_off, currents=rows.currents.covariance(on_off.weights))


def summed(rows: DwellRows) -> OnOff:
    """Sum of scans over the sum of flux, separately for laser on and off (SI 4); NaN without dwells."""
    exposure = _exposure(rows)
    return _average(rows, exposure, exposure.sum(axis=2))


def _exposure(rows: DwellRows) -> Array:
    """Exposure of the good dwells, shape (2, N, R)."""
    return np.where(np.stack([rows.state == laser for laser in (OFF, ON)]), rows.exposure, 0.0)


def _average(rows: DwellRows, weights: Array, total: Array) -> OnOff:
    """Average rates of the dwells, with weights (2, N, R) that add up to `total` (2, N)."""
    counts = weights > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        weights = weights / total[:, :, None]
        factor = np.where(counts, weights / rows.flux, weights)
    taken = np.asarray(counts.any(axis=0))[..., None]
    mu, var = (np.where(taken, values, 0.0) for values in (rows.slot_mu, rows.slot_var))
    shift = np.where(taken[..., None], rows.slot_shift, 0.0)
    return OnOff(
        rate=_of_dwells(factor, mu),
        variance=_of_dwells(factor**2, var),
        variance_factor=(weights**2).sum(axis=2),
        shift=np.einsum("lnr,nrsm->lsnm", factor, shift),
        weights=np.where(counts, weights, 0.0),
        slot_weight=rows.slot_weight,
        between=_between(rows, weights, factor),
    )


def _of_dwells(weights: Array, values: Array) -> Array:
    """Sums of the dwells' values (N, R, S) with weights (2, N, R), shape (2, S, N)."""
    return np.asarray((weights.swapaxes(0, 1) @ values).transpose(1, 2, 0))


def _between(rows: DwellRows, weights: Array, factor: Array) -> Between | None:
    """Of rates with these weights and these factors of photons, both of shape (2, N, R)."""
    near = rows.neighbours
    if near is None:
        return None
    counts = (weights > 0)[..., None]
    spread = np.where(counts, np.sqrt(np.where(counts, rows.slot_var, 0.0)) * factor[..., None], 0.0)
    own = np.where(weights > 0, weights, 0.0)
    counting, noise = [], []
    for distance, (of_slots, of_frames) in enumerate(zip(near.counting, near.noise, strict=True), start=1):
        counting.append(np.einsum("lnrs,lnrs,nrs->lsn", spread, shifted(spread, distance, 1), of_slots))
        noise.append(np.einsum("lnr,lnr,nr->ln", own, shifted(own, distance, 1), of_frames))
    return Between(np.array(counting), np.array(noise))
