"""From photons per pulse to the counts of a single-photon counter: at most one count per gate.

A recorded hit changes the next gate: it hides a fraction of its photons (blinding) and may cause a hit
there (afterpulse). With q = 1 - exp(-mu) the probability of a hit is q after a gate without a hit and
a + (1 - blinding) q after a gate with one. Where the dead time is paralysable, a gate whose photons were hidden has
the same effect.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim_ioc.physics.pair_chain import walk

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

NUM_LAGS = 5
_NUM_STATES = 2**NUM_LAGS
# _BIT[s, l]: whether state s of the last five gates has a hit in the gate l + 1 before.
_BIT: IntArray = (np.arange(_NUM_STATES)[:, np.newaxis] >> np.arange(NUM_LAGS)) & 1
# Five hits in the order of time @ _STATE_WEIGHT = their state.
_STATE_WEIGHT: IntArray = 2 ** np.arange(NUM_LAGS - 1, -1, -1)


@dataclass
class PhaseCounts:
    """Counters after a dwell; P phases, five lags.

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
        """All counters at zero."""
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
    """Hits by phase without after-effects: binomial, at most one count per gate.

    Parameters
    ----------
    rng
        Random number generator.
    mu
        Photons per pulse, shape (..., P).
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
    blinding: ArrayLike = 0.0,
    starts: ArrayLike = 1,
    paralysable: bool = False,
) -> PhaseCounts:
    """Hits and pair counters with after-effects, without a loop over shots.

    All turns of the pattern are drawn together: a histogram holds how many of them are in each of the 2^5
    states of their last five gates, and each phase splits it by binomials. This is the exact law of the
    shot-by-shot chain with one exception: the gates before phase 0 are drawn anew instead of being those at
    the end of the pattern.

    Parameters
    ----------
    rng
        Random number generator.
    mu
        Photons per pulse, shape (..., P).
    gates
        Turns of the pattern (opened gates of each phase), shape (...).
    afterpulse, blinding
        The two after-effects, each below 1; the blinding may be given by phase, shape (P,).
    starts
        Number of (re)starts of counting at phase 0, shape (...): the first gates after each have no partner.
    paralysable
        Whether hidden photons hide those of the next gate too.
    """
    q = hit_probability(mu)
    lead, num_phases = q.shape[:-1], q.shape[-1]
    q = q.reshape(-1, num_phases)
    turns = np.broadcast_to(np.asarray(gates, dtype=np.int64), lead).reshape(-1)
    young = np.minimum(np.broadcast_to(np.asarray(starts, dtype=np.int64), lead).reshape(-1), turns)
    after_hit = np.minimum(afterpulse + (1 - np.asarray(blinding)) * q, 1.0)
    hidden = np.minimum(np.asarray(blinding) * q, 1 - after_hit) if paralysable else np.zeros_like(q)
    law = _Law(q, after_hit, hidden)

    first_hits = [_first_hits(rng, law, i, int(number)) for i, number in enumerate(young)]
    states, hits = _chain(rng, law, turns, first_hits)
    result = PhaseCounts(
        counts=hits.sum(axis=-1),
        gates=states.sum(axis=-1),
        pair_gates=np.repeat(states.sum(axis=-1)[:, np.newaxis], NUM_LAGS, axis=1),
        pair_counts=np.repeat(hits.sum(axis=-1)[:, np.newaxis], NUM_LAGS, axis=1),
        prev_hits=np.swapaxes(states @ _BIT, -1, -2),
        coinc=np.swapaxes(hits @ _BIT, -1, -2),
    )
    for i, (bits, _) in enumerate(first_hits):
        _add_first_gates(result, i, bits)
    return PhaseCounts(*(a.reshape(*lead, *a.shape[1:]) for a in result._arrays()))


@dataclass(frozen=True)
class _Law:
    """Probabilities by set and phase, float64[C, P]: of a hit after a gate without and with one, and hidden after one.

    With hidden photons a state of the chain has one more bit: whether the last gate had some.
    """

    q: FloatArray
    after_hit: FloatArray
    hidden: FloatArray

    @cached_property
    def remembers_hidden(self) -> bool:
        return bool(self.hidden.any())

    @cached_property
    def hit(self) -> FloatArray:
        """Probability of a hit by phase, set and state before, float64[P, C, 32 or 64]."""
        states = _NUM_STATES * (2 if self.remembers_hidden else 1)
        hit = np.empty((self.q.shape[1], self.q.shape[0], states))
        hit[:] = self.after_hit.T[:, :, np.newaxis]
        hit[:, :, 0:_NUM_STATES:2] = self.q.T[:, :, np.newaxis]
        return hit

    def burn_in(self) -> int:
        """Gates until the influence of the initial state is below 1e-9."""
        slope = min(float(np.max(np.abs(self.after_hit + self.hidden - self.q), initial=0.0)), 0.999)
        slope = max(slope, min(float(np.max(np.abs(self.after_hit - self.q), initial=0.0)), 0.999))
        return NUM_LAGS + 1 + (math.ceil(math.log(1e-9) / math.log(slope)) if slope > 1e-9 else 0)

    @cached_property
    def lost(self) -> FloatArray:
        """Probability that photons of a gate without a hit were hidden, as `hit`; empty where none are hidden."""
        if not self.remembers_hidden:
            return np.empty((0, 0, 0))
        fraction = self.hidden / np.maximum(1 - self.after_hit, 1e-300)
        lost = np.zeros_like(self.hit)
        lost[:] = np.minimum(fraction, 1.0).T[:, :, np.newaxis]
        lost[:, :, 0:_NUM_STATES:2] = 0.0
        return lost

    def walk(self, rng: np.random.Generator, state: IntArray, begin: int, number: int) -> tuple[IntArray, IntArray]:
        """States before each of some phases, and hits among them, int64[C, number, 32 or 64]; `state` goes along."""
        states = np.empty((state.shape[0], number, state.shape[1]), dtype=np.int64)
        hits = np.empty_like(states)
        walk(rng, self.hit, self.lost, state, begin, states, hits)
        return states, hits


def _visible(states: IntArray) -> IntArray:
    """States of the last five gates, summed over the hidden bit: int64[..., 32]."""
    if states.shape[-1] == _NUM_STATES:
        return states
    return np.asarray(states[..., :_NUM_STATES] + states[..., _NUM_STATES:])


def _take_out(rng: np.random.Generator, state: IntArray, number: int) -> None:
    """Remove turns from the histogram, each with equal probability whatever its state."""
    for _ in range(number):
        drawn = rng.integers(state.sum())
        state[np.searchsorted(np.cumsum(state), drawn, side="right")] -= 1


def _first_hits(rng: np.random.Generator, law: _Law, i: int, starts: int) -> tuple[IntArray, NDArray[np.bool_]]:
    """Hits in the first gates after each start of set i, int64[starts, min(5, P)], and what the last of them hid."""
    num_first = min(NUM_LAGS, law.q.shape[1])
    bits = np.zeros((starts, num_first), dtype=np.int64)
    before, hidden = np.zeros(starts, dtype=bool), np.zeros(starts, dtype=bool)
    for phase in range(num_first):
        dead = before | hidden
        drawn = rng.random(starts)
        before = drawn < np.where(dead, law.after_hit[i, phase], law.q[i, phase])
        hidden = dead & ~before & (drawn < law.after_hit[i, phase] + law.hidden[i, phase])
        bits[:, phase] = before
    return bits, hidden


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
    rng: np.random.Generator, law: _Law, turns: IntArray, first_hits: list[tuple[IntArray, NDArray[np.bool_]]]
) -> tuple[IntArray, IntArray]:
    """States before each phase, and hits among them, int64[C, P, 32], of turns with five gates behind them."""
    num_sets, num_phases = law.q.shape
    num_states = _NUM_STATES * (2 if law.remembers_hidden else 1)
    state = np.zeros((num_sets, num_states), dtype=np.int64)
    state[:, 0] = turns
    for begin in range(-law.burn_in(), 0, num_phases):
        law.walk(rng, state, begin, min(num_phases, -begin))
    for i, (bits, _) in enumerate(first_hits):
        _take_out(rng, state[i], len(bits))
    num_first = min(NUM_LAGS, num_phases)
    parts = [law.walk(rng, state, 0, num_first)]
    if num_phases > NUM_LAGS:
        for i, (bits, hidden) in enumerate(first_hits):
            if len(bits):
                state[i] += np.bincount(bits @ _STATE_WEIGHT + _NUM_STATES * hidden, minlength=num_states)
        parts.append(law.walk(rng, state, num_first, num_phases - num_first))
    states, hits = (np.concatenate(both, axis=1) for both in zip(*parts, strict=True))
    return _visible(states), _visible(hits)
