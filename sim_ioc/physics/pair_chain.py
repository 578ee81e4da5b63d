"""The chain of gates as one compiled loop: all turns of the pattern, sorted by the hits in their last five gates.

A state is a number of five bits, a hit in the last gate the lowest; a sixth bit marks photons that the last gate hid.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim_ioc.physics.kernel_cache import kernel

Array = NDArray[np.float64]
Counts = NDArray[np.int64]

HALF, HIDDEN = 16, 32
"""States that differ in the oldest gate alone lie this far apart; those with hidden photons begin there."""
FORGOTTEN = 16
"""Gates after which it does not matter whether there was a hit before them."""


@kernel(nogil=True)
def walk(
    rng: np.random.Generator, hit: Array, lost: Array, state: Counts, begin: int, states: Counts, hits: Counts
) -> None:
    """Go through some phases: hits are binomial among the turns in each state.

    Parameters
    ----------
    rng
        Random number generator; the draws are those of numpy, in its order.
    hit, lost : float64[P, C, S]
        Probability of a hit, and, given none, of hidden photons; `lost` is empty where none are hidden.
    state : int64[C, S]
        Turns by state before the first phase; afterwards, behind the last.
    begin
        The first phase; counted on beyond the ends of the pattern.
    states, hits : int64[C, number, S]
        Receive the turns by state before each phase, and the hits among them.
    """
    sets, number, size = states.shape
    for i in range(number):
        phase = (begin + i) % hit.shape[0]
        for c in range(sets):  # numba compiles seconds for the message of an assignment of arrays
            for s in range(size):
                states[c, i, s] = state[c, s]
                hits[c, i, s] = rng.binomial(state[c, s], hit[phase, c, s])
        state[:] = 0
        for c in range(sets):
            for s in range(size):
                misses, after = states[c, i, s] - hits[c, i, s], 2 * (s % HALF)
                if lost.size:
                    hidden = rng.binomial(misses, lost[phase, c, s])
                    state[c, HIDDEN + after] += hidden
                    misses -= hidden
                state[c, after] += misses
                state[c, after + 1] += hits[c, i, s]


@kernel(nogil=True)
def walk_once(
    rng: np.random.Generator, q: Array, after_hit: Array, turns: Counts, hits: Counts, previous: Counts, both: Counts
) -> None:
    """Go once through all phases, with the last gate alone as the state; the gates before phase 0 are drawn anew.

    Parameters
    ----------
    rng
    q, after_hit : float64[C, P]
        Probability of a hit after a gate without and with one.
    turns : int64[C]
    hits, previous, both : int64[P]
        Hits, hits in the gate before, and gates with both, are added to these.
    """
    sets, phases = q.shape
    for c in range(sets):
        before = 0
        for i in range(-FORGOTTEN, phases):
            p = i % phases
            after = rng.binomial(before, after_hit[c, p])
            found = after + rng.binomial(turns[c] - before, q[c, p])
            if i >= 0:
                hits[p] += found
                previous[p] += before
                both[p] += after
            before = found


def warm_up() -> None:
    """Compile all, or load it from the cache, so that the first dwell does not wait."""
    sums = np.zeros(1, np.int64)
    walk_once(np.random.default_rng(0), np.zeros((1, 1)), np.zeros((1, 1)), sums, sums.copy(), sums.copy(), sums.copy())
    state, turns = np.zeros((1, 32), np.int64), np.zeros((1, 1, 32), np.int64)
    walk(np.random.default_rng(0), np.zeros((1, 1, 32)), np.empty((0, 0, 0)), state, 0, turns, turns.copy())
