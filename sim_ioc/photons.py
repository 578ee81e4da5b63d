"""From photons a pulse to what a single-photon counter records: one count a gate at most.

A recorded hit changes the next gate: it hides a share of its photons (blinding) and may cause a hit
there (afterpulse). With q = 1 - exp(-mu) the probability of a hit is q after a gate without a hit and
a + (1 - blinding) q after a gate with one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

NUM_LAGS = 5
_NUM_STATES = 2**NUM_LAGS
_OLDER = _NUM_STATES // 2
# _BIT[s, l]: whether state s of the last five gates has a hit in the gate l + 1 before.
_BIT: IntArray = (np.arange(_NUM_STATES)[:, np.newaxis] >> np.arange(NUM_LAGS)) & 1
# Five hits in the order of time @ _STATE_WEIGHT = their state.
_STATE_WEIGHT: IntArray = 2 ** np.arange(NUM_LAGS - 1, -1, -1)


@dataclass
class PhaseCounts:
    """What the counter holds after a dwell; P phases, five lags.

    Attributes
    ----------
    counts, gates : int64[..., P]
        Hits and opened gates.
    pair_gates : int64[..., 5, P]
        Opened gates with an opened gate `lag` before.
    pair_counts, prev_hits, coinc : int64[..., 5, P]
        Of those gates: hits in them, hits in the gate before, both.
    """

    counts: IntArray
    gates: IntArray
    pair_gates: IntArray
    pair_counts: IntArray
    prev_hits: IntArray
    coinc: IntArray

    @classmethod
    def zeros(cls, num_phases: int) -> PhaseCounts:
        """An empty counter."""
        flat = [np.zeros(num_phases, dtype=np.int64) for _ in range(2)]
        pairs = [np.zeros((NUM_LAGS, num_phases), dtype=np.int64) for _ in range(4)]
        return cls(*flat, *pairs)

    def __add__(self, other: PhaseCounts) -> PhaseCounts:
        return PhaseCounts(*(a + b for a, b in zip(self._arrays(), other._arrays(), strict=True)))

    def total(self) -> PhaseCounts:
        """Sum over every leading axis."""
        num_phases = self.counts.shape[-1]
        shapes = [(num_phases,)] * 2 + [(NUM_LAGS, num_phases)] * 4
        summed = [a.reshape(-1, *s).sum(axis=0) for a, s in zip(self._arrays(), shapes, strict=True)]
        return PhaseCounts(*summed)

    def _arrays(self) -> tuple[IntArray, ...]:
        return self.counts, self.gates, self.pair_gates, self.pair_counts, self.prev_hits, self.coinc


def hit_probability(mu: ArrayLike) -> FloatArray:
    """Probability of at least one photon, 1 - exp(-mu); any shape."""
    return -np.expm1(-np.asarray(mu, dtype=float))


def sample_counts(rng: np.random.Generator, mu: ArrayLike, gates: ArrayLike) -> IntArray:
    """Hits by phase without after-effects: binomial, one count a gate at most.

    Parameters
    ----------
    rng
        Source of the randomness.
    mu
        Photons a pulse, shape (..., P).
    gates
        Opened gates, broadcast against `mu`.

    Returns
    -------
    int64[..., P]
    """
    return rng.binomial(np.asarray(gates), hit_probability(mu)).astype(np.int64)


def sample_pairs(
    rng: np.random.Generator,
    mu: ArrayLike,
    gates: ArrayLike,
    afterpulse: float = 0.0,
    blinding: float = 0.0,
    starts: ArrayLike = 1,
) -> PhaseCounts:
    """Hits and pair counters with after-effects, without going through the shots one by one.

    All turns of the pattern go together: a histogram says how many of them are in which of the 2^5
    states of their last five gates, and each phase splits it by binomials. That is the exact law of
    the shot-by-shot chain, but for one thing: the gates before phase 0 are drawn anew instead of
    being those of the end of the pattern.

    Parameters
    ----------
    rng
        Source of the randomness.
    mu
        Photons a pulse, shape (..., P).
    gates
        Turns of the pattern (opened gates of each phase), shape (...).
    afterpulse, blinding
        The two after-effects, each below 1.
    starts
        How often counting (re)started at phase 0, shape (...): the first gates after it have no partner.
    """
    q = hit_probability(mu)
    lead, num_phases = q.shape[:-1], q.shape[-1]
    q = q.reshape(-1, num_phases)
    turns = np.broadcast_to(np.asarray(gates, dtype=np.int64), lead).reshape(-1)
    young = np.minimum(np.broadcast_to(np.asarray(starts, dtype=np.int64), lead).reshape(-1), turns)
    after_hit = np.minimum(afterpulse + (1 - blinding) * q, 1.0)

    first_hits = _first_hits(rng, q, after_hit, young)
    states, hits = _chain(rng, q, after_hit, turns, first_hits)
    result = PhaseCounts(
        counts=hits.sum(axis=-1),
        gates=states.sum(axis=-1),
        pair_gates=np.repeat(states.sum(axis=-1)[:, np.newaxis], NUM_LAGS, axis=1),
        pair_counts=np.repeat(hits.sum(axis=-1)[:, np.newaxis], NUM_LAGS, axis=1),
        prev_hits=np.swapaxes(states @ _BIT, -1, -2),
        coinc=np.swapaxes(hits @ _BIT, -1, -2),
    )
    for i, bits in enumerate(first_hits):
        _add_first_gates(result, i, bits)
    return PhaseCounts(*(a.reshape(*lead, *a.shape[1:]) for a in result._arrays()))


def _burn_in(afterpulse_slope: float) -> int:
    """Gates until the memory of the state that a chain began with is below 1e-9."""
    slope = min(abs(afterpulse_slope), 0.999)
    return NUM_LAGS + 1 + (math.ceil(math.log(1e-9) / math.log(slope)) if slope > 1e-9 else 0)


def _step(
    rng: np.random.Generator, states: IntArray, q: FloatArray, after_hit: FloatArray
) -> tuple[IntArray, IntArray]:
    """One phase: hits among the turns in each state, and the states after it."""
    probability = np.empty(states.shape)
    probability[:, 0::2] = q[:, np.newaxis]
    probability[:, 1::2] = after_hit[:, np.newaxis]
    hits = rng.binomial(states, probability)
    misses = states - hits
    after = np.empty_like(states)
    after[:, 0::2] = misses[:, :_OLDER] + misses[:, _OLDER:]
    after[:, 1::2] = hits[:, :_OLDER] + hits[:, _OLDER:]
    return hits, after


def _take_out(rng: np.random.Generator, state: IntArray, number: int) -> None:
    """Take so many turns out of the histogram, each with the same chance whatever its state."""
    for _ in range(number):
        drawn = rng.integers(state.sum())
        state[np.searchsorted(np.cumsum(state), drawn, side="right")] -= 1


def _first_hits(rng: np.random.Generator, q: FloatArray, after_hit: FloatArray, young: IntArray) -> list[IntArray]:
    """Hits in the first gates after each start, for each set int64[starts, min(5, P)]."""
    num_first = min(NUM_LAGS, q.shape[1])
    result = []
    for i, starts in enumerate(young):
        bits = np.zeros((int(starts), num_first), dtype=np.int64)
        before = np.zeros(int(starts), dtype=bool)
        for phase in range(num_first):
            before = rng.random(int(starts)) < np.where(before, after_hit[i, phase], q[i, phase])
            bits[:, phase] = before
        result.append(bits)
    return result


def _add_first_gates(result: PhaseCounts, i: int, bits: IntArray) -> None:
    """Add the first gates of set i, whose pairs reach back only to the start."""
    num_starts, num_first = bits.shape
    for phase in range(num_first):
        result.counts[i, phase] += bits[:, phase].sum()
        result.gates[i, phase] += num_starts
        for lag in range(1, phase + 1):
            before = bits[:, phase - lag]
            result.pair_gates[i, lag - 1, phase] += num_starts
            result.pair_counts[i, lag - 1, phase] += bits[:, phase].sum()
            result.prev_hits[i, lag - 1, phase] += before.sum()
            result.coinc[i, lag - 1, phase] += (before * bits[:, phase]).sum()


def _chain(
    rng: np.random.Generator, q: FloatArray, after_hit: FloatArray, turns: IntArray, first_hits: list[IntArray]
) -> tuple[IntArray, IntArray]:
    """States before each phase, and hits among them, int64[C, P, 32], of turns with five gates behind them."""
    num_sets, num_phases = q.shape
    state = np.zeros((num_sets, _NUM_STATES), dtype=np.int64)
    state[:, 0] = turns
    slope = float(np.max(np.abs(after_hit - q), initial=0.0))
    for phase in range(-_burn_in(slope), 0):
        _, state = _step(rng, state, q[:, phase % num_phases], after_hit[:, phase % num_phases])
    states = np.empty((num_sets, num_phases, _NUM_STATES), dtype=np.int64)
    hits = np.empty_like(states)
    for phase in range(num_phases):
        for i, bits in enumerate(first_hits):
            if phase == 0:
                _take_out(rng, state[i], len(bits))
            if phase == NUM_LAGS and len(bits):
                state[i] += np.bincount(bits @ _STATE_WEIGHT, minlength=_NUM_STATES)
        states[:, phase] = state
        hits[:, phase], state = _step(rng, state, q[:, phase], after_hit[:, phase])
    return states, hits
