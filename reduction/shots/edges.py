"""The shots at the two ends of a stretch, which pairs reach across when stretches are joined."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LAGS = 5
OPEN, HIT = 1, 2
"""Bits of a shot's state; 0 is a gate that did not open."""

States = NDArray[np.uint8]


@dataclass(frozen=True)
class Edges:
    """Ends of a stretch of shots.

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

    def followed_by(self, later: Edges, missing: int) -> Edges:
        """Ends of this stretch, `missing` shots and a later stretch together."""
        gap = np.zeros(min(missing, LAGS), np.uint8)
        # A stretch of fewer than LAGS shots is its own head and its own tail.
        head = np.concatenate([self.head, gap, later.head]) if self.length < LAGS else self.head
        tail = np.concatenate([self.tail, gap, later.tail]) if later.length < LAGS else later.tail
        return Edges(self.length + missing + later.length, head[:LAGS], tail[-LAGS:])


def pairs_across(earlier: Edges, later: Edges, missing: int, first_phase: int, pairs: NDArray[np.int64]) -> None:
    """Add the pairs of a shot in `later` and one in `earlier`.

    Parameters
    ----------
    missing : int
        Shots lost between the two.
    first_phase : int
        Phase of the first shot of `later`.
    pairs : ndarray of int64, shape (4, LAGS, P)
        Increased: gates, hits, before, both as in `reduction.counting.pairs.Pairs`.
    """
    num_phases = pairs.shape[2]
    for place, state in enumerate(later.head):
        phase = (first_phase + place) % num_phases
        for lag in range(place + 1, LAGS + 1):
            back = lag - place - missing  # 1 is the last shot of `earlier`
            if 1 <= back <= earlier.tail.size:
                add_pair(int(state), int(earlier.tail[-back]), pairs[:, lag - 1, phase])


def add_pair(later: int, before: int, counters: NDArray[np.int64]) -> None:
    """Count one pair of states in its four counters."""
    if later & OPEN and before & OPEN:
        hit, hit_before = later & HIT != 0, before & HIT != 0
        counters += (1, hit, hit_before, hit and hit_before)
