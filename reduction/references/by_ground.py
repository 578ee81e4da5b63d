"""Each slot against the same bunches in the slots before the pump of the same shots, where the laser is slow.

Currents and efficiencies of the bunches, flux and jet are common to both sides of every dwell and cancel, so that
nothing has to be scaled by means over the scan, and no laser-off dwell is needed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import OFF, ON
from reduction.counting.neighbours import Neighbours, shifted
from reduction.counting.row_parts import GroundState
from reduction.counting.rows import DwellRows
from reduction.references.compared import Compared

Array = NDArray[np.float64]


def by_ground(rows: DwellRows, dwell_noise: float) -> Compared:
    """Ground state (as laser off) and laser on of each slot; NaN for slots that are the ground state themselves.

    Parameters
    ----------
    rows : DwellRows
        With the ground state of its dwells; points with a laser-on dwell.
    dwell_noise : float
        Relative standard deviation of a dwell beyond counting, common to all slots and to both sides.
    """
    assert rows.ground is not None  # the caller has asked
    exposure = np.where(rows.state == ON, rows.exposure, 0.0)
    weight = exposure / exposure.sum(axis=1, keepdims=True)
    counts = weight > 0
    factor = np.divide(weight, rows.flux, out=np.zeros_like(weight), where=counts)
    mu = np.where(counts[..., None], np.stack([rows.ground.mu, rows.slot_mu]), 0.0)
    rate = np.einsum("nr,lnrs->lsn", factor, mu)
    rate[ON, rows.ground.is_ground] = np.nan
    local = _counting(rows, rows.ground, factor, counts)
    common = dwell_noise**2 * (weight**2).sum(axis=1)
    local += common * rate[:, :, None, None] * rate
    shift = np.stack([rows.ground.shift, rows.slot_shift])
    shared = np.einsum("nr,lnrsm->lsnm", factor, np.where(counts[..., None, None], shift, 0.0))
    return Compared(rate, local, shared, None if rows.neighbours is None else _between(local, weight, rows.neighbours))


def _between(local: Array, weight: Array, near: Neighbours) -> Array:
    """Covariance of different points, all of whose rates are correlated as their counts are: all are of one frame."""
    result, total = [], (weight**2).sum(axis=1)
    for distance, values in enumerate(near.counting.mean(axis=3), start=1):
        shared = (weight * shifted(weight, distance, 0) * values).sum(axis=1)
        both = np.sqrt(total * shifted(total, distance, 0))
        coefficient = np.divide(shared, both, out=np.zeros_like(both), where=both > 0)
        spread = np.sqrt(np.maximum(local * shifted(local, distance, 4), 0.0))
        result.append(coefficient * spread)
    return np.array(result)


def _counting(rows: DwellRows, ground: GroundState, factor: Array, counts: NDArray[np.bool_]) -> Array:
    """Covariance from counting, shape (2, S, 2, S, N)."""
    slots, points = ground.members.shape[0], len(factor)
    of_bunch = np.einsum("nr,nrb->bn", factor**2, np.where(counts[..., None], ground.bunch_var, 0.0))
    local = np.zeros((2, slots, 2, slots, points))
    local[OFF, :, OFF] = np.einsum("sb,tb,bn->stn", ground.members, ground.members, of_bunch)
    both = np.einsum("sb,tb,bn->stn", ground.inside, ground.members, of_bunch)
    local[ON, :, OFF] = both
    local[OFF, :, ON] = both.transpose(1, 0, 2)
    own = np.arange(slots)
    local[ON, own, ON, own] = np.einsum("nr,nrs->sn", factor**2, np.where(counts[..., None], rows.slot_var, 0.0))
    return local
