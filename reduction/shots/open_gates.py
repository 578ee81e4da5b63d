"""Pair counters where every gate opened: three of the four follow from what is counted already."""

from __future__ import annotations

from numba import njit

from reduction.shots.edges import HIT, LAGS


@njit(cache=True, error_model="numpy", nogil=True)
def pairs_of_open_gates(gates, hits, head, tail, length, pairs):  # type: ignore[no-untyped-def]
    """Write the first three pair counters: gates, hits, and before.

    The first `lag` shots have no partner before them, the last `lag` none after them.

    Parameters
    ----------
    gates, hits : int64[P]
        By phase counted from the first shot.
    head, tail : uint8[min(length, LAGS)]
        States of the first and last shots, as in `edges.Edges`.
    length : int
        Shots.
    pairs : int64[4, LAGS, P]
        Its first three rows are written, by phase counted from the first shot.
    """
    num_phases = gates.size
    for lag in range(1, LAGS + 1):
        for phase in range(num_phases):
            pairs[0, lag - 1, phase] = gates[phase]
            pairs[1, lag - 1, phase] = hits[phase]
            pairs[2, lag - 1, (phase + lag) % num_phases] = hits[phase]
        for place in range(min(lag, head.size)):
            pairs[0, lag - 1, place % num_phases] -= 1
            pairs[1, lag - 1, place % num_phases] -= head[place] & HIT != 0
        for back in range(1, min(lag, tail.size) + 1):
            partner = (length - back + lag) % num_phases
            pairs[2, lag - 1, partner] -= tail[tail.size - back] & HIT != 0
