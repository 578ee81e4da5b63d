"""What the shot kernels compute, in the plainest numpy: one array element a shot, no blocks, no cleverness."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LAGS = 5


def by_phase(values: NDArray[Any], first_phase: int, num_phases: int) -> list[int]:
    """Sums by phase, as integers of any length."""
    wide = values.astype(object)
    phase = (first_phase + np.arange(values.size)) % num_phases
    return [int(sum(wide[phase == p], 0)) for p in range(num_phases)]


def gates_and_hits(shots: NDArray[Any], threshold: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which gates opened, which of them have a hit."""
    if shots.dtype == np.uint8:
        opened = shots // 128 == 0
        return opened, opened & (shots % 2 == 1)
    return np.ones(shots.size, bool), shots > threshold


def pairs(opened: NDArray[np.bool_], hits: NDArray[np.bool_], first_phase: int, num_phases: int) -> NDArray[np.int64]:
    """Pair counters, shape (4, LAGS, P): gates, hits, previous hits, coincidences."""
    phase = (first_phase + np.arange(opened.size)) % num_phases
    found = np.zeros((4, LAGS, num_phases), np.int64)
    for lag in range(1, LAGS + 1):
        for shot in range(lag, opened.size):
            later, before = shot, shot - lag
            if opened[later] and opened[before]:
                counts = (1, hits[later], hits[before], hits[later] and hits[before])
                found[:, lag - 1, phase[shot]] += np.array(counts, np.int64)
    return found
