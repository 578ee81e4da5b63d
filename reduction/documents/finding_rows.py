"""Readings of the counts of findings as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.documents.detectors import LASER_PHASE
from reduction.findings.counts import photons_per_gate

Rows = Sequence[Mapping[str, Any]]
Conditions = Mapping[str, float]
Array = NDArray[np.float64]


class SlotCounts:
    """Photons per pulse of each slot in each count, and their variance.

    Parameters
    ----------
    rows : sequence of mapping
    counter : str
        Device of the photon counter.
    divider : int
        Slots of the laser.
    """

    def __init__(self, rows: Rows, counter: str, divider: int) -> None:
        hits, gates = (np.array([row[f"{counter}_{key}"] for row in rows]) for key in ("counts", "gates"))
        mean, variance = photons_per_gate(hits, gates)
        slot = (np.arange(hits.shape[1]) - column(rows, LASER_PHASE).astype(int)[:, None]) % divider
        member = slot[:, None, :] == np.arange(divider)[:, None]
        number = member.sum(axis=2)
        self.photons = np.where(member, mean[:, None, :], 0.0).sum(axis=2) / number
        self.variance = np.where(member, variance[:, None, :], 0.0).sum(axis=2) / number**2


def column(rows: Rows, key: str) -> Array:
    """One reading of each count."""
    return np.array([row[key] for row in rows], dtype=np.float64)


def i0_rate(rows: Rows) -> Array:
    """Rate of I0 in each count, counts/s."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(column(rows, "i0") / column(rows, "i0_time"))
