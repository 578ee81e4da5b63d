"""The counters of a stretch of shots, one row of P integers (phases) each: its contents and indices.

    counters, shape (8, P)                           pairs, shape (4, LAGS, P): opened gates, `lag` shots apart

    0  GATES            opened gates                 0  PAIR_GATES      both gates opened
    1  HITS             hits                         1  PAIR_HITS       ... and a hit in the later one
    2  HIT_SUMS         heights of the hits          2  PREVIOUS_HITS   ... and a hit in the earlier one
    3  SUMS             heights                      3  COINCIDENCES    ... and a hit in both
    4  SQUARES          squared heights
    5  MONITOR_SUMS     monitor                      The phase is that of the later gate; index 0 of the second
    6  MONITOR_SQUARES  squared monitor              axis is lag 1.
    7  PRODUCTS         heights times monitor

Both lie in one array of ``NUM_COUNTERS + NUM_PAIR_COUNTERS * LAGS`` rows, so that one operation rotates all of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]

LAGS = 5
GATES, HITS, HIT_SUMS, SUMS, SQUARES, MONITOR_SUMS, MONITOR_SQUARES, PRODUCTS = range(8)
NUM_COUNTERS = 8
PAIR_GATES, PAIR_HITS, PREVIOUS_HITS, COINCIDENCES = range(4)
NUM_PAIR_COUNTERS = 4


def new_counters(num_phases: int) -> IntArray:
    """Zeros for all counters, shape (28, P)."""
    return np.zeros((NUM_COUNTERS + NUM_PAIR_COUNTERS * LAGS, num_phases), np.int64)


def split(counters: IntArray) -> tuple[IntArray, IntArray]:
    """Views of all counters as `counters`, shape (8, P), and `pairs`, shape (4, LAGS, P)."""
    return counters[:NUM_COUNTERS], counters[NUM_COUNTERS:].reshape(NUM_PAIR_COUNTERS, LAGS, -1)
