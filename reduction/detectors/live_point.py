"""The state of a point after a dwell, by several counters together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from reduction.counting import kernels
from reduction.counting.rows import DwellRows, PointUpdate


def combined_update(
    updates: Mapping[str, PointUpdate], parts: Sequence[tuple[DwellRows, NDArray[np.float64]]], i0_noise: float
) -> PointUpdate:
    """The sum of all counters at one point; final weights are known only at the end of a pass.

    Parameters
    ----------
    updates : mapping of str to PointUpdate
        By name of the counter.
    parts : sequence of (DwellRows, ndarray of shape (2, S))
        The dwells of that point, N = 1, of each counter, and the variance of the background that they share.
    i0_noise : float
        Relative standard deviation of one I0 reading.
    """
    each, rows = list(updates.values()), [part[0] for part in parts]
    slots = each[0].difference.size
    rate, cov = np.empty((2, slots)), np.empty((2, slots, slots))
    good = np.all([one.state[0] != kernels.EMPTY for one in rows], axis=0)
    state = np.where(good, rows[0].state[0], np.int8(kernels.EMPTY))
    mu, var = (np.sum([getattr(one, name)[0] for one in rows], axis=0) for name in ("slot_mu", "slot_var"))
    common = np.sum([part[1] for part in parts], axis=0)
    kernels.sum_rows(state, rows[0].weight[0], rows[0].flux[0], mu, var, common, i0_noise, rate, cov)
    faults = {name: update.fault for name, update in updates.items() if update.fault is not None}
    same = len(faults) == len(each) and len(set(faults.values())) == 1
    fault = next(iter(faults.values())) if same else "; ".join(f"{name}: {why}" for name, why in faults.items())
    return PointUpdate(
        point=each[0].point,
        fault=fault or None,
        rate=rate,
        covariance=cov,
        difference=rate[kernels.ON] - rate[kernels.OFF],
        difference_covariance=cov[kernels.ON] + cov[kernels.OFF],
        photons=np.sum([one.photons for one in each], axis=0),
        photons_stddev=np.sqrt(np.sum([one.photons_stddev**2 for one in each], axis=0)),
        bad_phases=max(one.bad_phases for one in each),
        superseded=max(one.superseded for one in each),
    )
