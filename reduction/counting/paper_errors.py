"""Errors by the rules of the SI (3 to 5): square roots of counts, for comparison with complete errors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import OFF, ON
from reduction.counting.rows import DwellRows

Array = NDArray[np.float64]


def counts_of(rows: DwellRows) -> Array:
    """Hits in each dwell and slot, shape (N, R, S), recovered from photons a pulse and their variance.

    With one count a gate ``var = (e^mu - 1) / gates``, and hits are ``gates (1 - e^-mu)``.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(-np.expm1(-rows.slot_mu) * np.expm1(rows.slot_mu) / rows.slot_var)


def paper_stddev(rows: DwellRows) -> Array:
    """Errors by the SI's rule, shape (2, S, N): square root of the counts, scaled as the rates are."""
    counts, mu_weight = counts_of(rows), rows.slot_mu * rows.weight[:, :, None]
    result = np.empty((2, rows.num_slots, len(rows.state)))
    for laser in (OFF, ON):
        mine = (rows.state == laser)[:, :, None]
        total = np.where(mine, counts, 0.0).sum(axis=1)
        rate = np.where(mine, mu_weight, 0.0).sum(axis=1) / np.where(mine, rows.exposure[:, :, None], 0.0).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):  # no counts have no error by this rule
            result[laser] = (rate / np.sqrt(total)).T
    return result
