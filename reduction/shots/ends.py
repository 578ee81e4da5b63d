"""The first and the last shots of a stretch, which form pairs with those of the stretches before and after it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.kernel_cache import kernel
from reduction.shots.counters import LAGS, PAIR_GATES, PAIR_HITS, PREVIOUS_HITS
from reduction.shots.kernels.bitmaps import is_set

OPENED, HIT = 1, 2
"""Bits of a shot's state; 0 is a gate that did not open."""

States = NDArray[np.uint8]


@dataclass(frozen=True)
class StretchEnds:
    """Both ends of a stretch of shots.

    Attributes
    ----------
    length : int
        Shots of the stretch, missing ones included.
    head, tail : ndarray of uint8, shape (min(length, LAGS),)
        States of its first and last shots, in the order of time.
    """

    length: int
    head: States
    tail: States

    def followed_by(self, later: StretchEnds, missing: int) -> StretchEnds:
        """Ends of this stretch, `missing` shots and a later stretch together."""
        gap = np.zeros(min(missing, LAGS), np.uint8)
        # A stretch of fewer than LAGS shots is its own head and its own tail.
        head = np.concatenate([self.head, gap, later.head]) if self.length < LAGS else self.head
        tail = np.concatenate([self.tail, gap, later.tail]) if later.length < LAGS else later.tail
        return StretchEnds(self.length + missing + later.length, head[:LAGS], tail[-LAGS:])


@kernel(error_model="numpy", nogil=True)
def states_at_ends(opened, hit, length, all_opened):  # type: ignore[no-untyped-def]
    """States of the first and of the last shots of a block, as in `StretchEnds`.

    Parameters
    ----------
    opened, hit : uint64[M]
        Bitmaps (`reduction.shots.kernels.layout`); `opened` is not used where all gates opened.
    length : int
        Shots of the block.
    all_opened : bool

    Returns
    -------
    head, tail : uint8[min(length, LAGS)]
    """
    number = min(length, LAGS)
    head, tail = np.zeros(number, np.uint8), np.zeros(number, np.uint8)
    for states, first in ((head, 0), (tail, length - number)):
        for index in range(number):
            if all_opened or is_set(opened, first + index):
                states[index] |= np.uint8(OPENED)
            if is_set(hit, first + index):
                states[index] |= np.uint8(HIT)
    return head, tail


@kernel(error_model="numpy", nogil=True)
def count_pairs_of_opened_gates(gates, hits, head, tail, length, pairs):  # type: ignore[no-untyped-def]
    """Write the pair counters of a block in which every gate opened, apart from the coincidences.

    They follow from gates and hits: the first `lag` shots have no partner before them, the last `lag` none after them.

    Parameters
    ----------
    gates, hits : int64[P]
        By phase counted from the first shot.
    head, tail : uint8[min(length, LAGS)]
        States of the first and last shots, as in `StretchEnds`.
    length : int
        Shots.
    pairs : int64[4, LAGS, P]
        See `reduction.shots.counters`; by phase counted from the first shot.
    """
    num_phases = gates.size
    for lag in range(1, LAGS + 1):
        for phase in range(num_phases):
            pairs[PAIR_GATES, lag - 1, phase] = gates[phase]
            pairs[PAIR_HITS, lag - 1, phase] = hits[phase]
            pairs[PREVIOUS_HITS, lag - 1, (phase + lag) % num_phases] = hits[phase]
        for index in range(min(lag, head.size)):
            pairs[PAIR_GATES, lag - 1, index % num_phases] -= 1
            pairs[PAIR_HITS, lag - 1, index % num_phases] -= head[index] & HIT != 0
        for back in range(1, min(lag, tail.size) + 1):
            partner = (length - back + lag) % num_phases
            pairs[PREVIOUS_HITS, lag - 1, partner] -= tail[tail.size - back] & HIT != 0


def count_pairs_across(
    earlier: StretchEnds, later: StretchEnds, missing: int, first_phase: int, pairs: NDArray[np.int64]
) -> None:
    """Add the pairs of a shot in `later` and one in `earlier`.

    Parameters
    ----------
    missing : int
        Shots lost between the two.
    first_phase : int
        Phase of the first shot of `later`.
    pairs : ndarray of int64, shape (4, LAGS, P)
        Increased; see `reduction.shots.counters`.
    """
    num_phases = pairs.shape[2]
    for index, state in enumerate(later.head):
        phase = (first_phase + index) % num_phases
        for lag in range(index + 1, LAGS + 1):
            back = lag - index - missing  # 1 is the last shot of `earlier`
            if 1 <= back <= earlier.tail.size:
                _count_pair(int(state), int(earlier.tail[-back]), pairs[:, lag - 1, phase])


def _count_pair(later: int, earlier: int, counters: NDArray[np.int64]) -> None:
    """Count one pair of states in its four counters."""
    if later & OPENED and earlier & OPENED:
        hit, previous_hit = later & HIT != 0, earlier & HIT != 0
        counters += (1, hit, previous_hit, hit and previous_hit)
