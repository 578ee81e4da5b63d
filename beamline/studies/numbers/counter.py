"""A counter that records at most one hit per gate, with afterpulses and blinding, and its pair counters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from beamline.studies.numbers.scenarios import StudyScenario

Array = NDArray[np.float64]
Counts = NDArray[np.int64]

LAGS = 3
"""Largest distance of a pair, in gates."""


@dataclass(frozen=True)
class Recorded:
    """Counters of dwells; the last axis is the phase (P).

    Attributes
    ----------
    gates, hits : ndarray of int, shape (..., P)
    before, both : ndarray of int, shape (..., LAGS, P)
        Hits in the gate `lag` before, and gates with a hit in both.
    """

    gates: Counts
    hits: Counts
    before: Counts
    both: Counts


def count(photons: Array, flicker: float, gates: int, truth: StudyScenario, rng: np.random.Generator) -> Recorded:
    """Draw the counters of dwells with mean light `photons`, shape (..., P), and `gates` gates in each phase.

    Photons are Poisson distributed in each shot; light that flickers faster than a dwell (relative variance `flicker`)
    is averaged over the shots: ``E exp(-m (1 + x)) = exp(-m) (1 + m^2 var(x) / 2)``.
    """
    q = -np.expm1(-photons) - np.exp(-photons) * photons**2 * flicker / 2
    if truth.afterpulse or truth.blinding:
        return _with_memory(q, gates, truth, rng)
    hits = rng.binomial(gates, q)
    none = np.zeros((*hits.shape[:-1], LAGS, hits.shape[-1]), np.int64)
    return Recorded(np.full_like(hits, gates), hits, none, none)


def _with_memory(q: Array, gates: int, truth: StudyScenario, rng: np.random.Generator) -> Recorded:
    """Hits have probability q after a gate without a hit, and ``afterpulse + (1 - blinding) q`` after a hit.

    All turns are drawn at once: the turns are counted by the history of their last gates (bits, the latest lowest), and
    each of these numbers is split by a binomial draw. The last gates of one turn precede the first gates of the next,
    and a few rounds suffice to forget the initial history.
    """
    after_hit = np.clip(truth.afterpulse + (1 - truth.blinding) * q, 0, 1)
    lead, phases = q.shape[:-1], q.shape[-1]
    states = np.arange(2**LAGS)
    hit_before = states & 1
    number = np.zeros((*lead, states.size), np.int64)
    number[..., 0] = gates
    hits = np.zeros(q.shape, np.int64)
    before, both = (np.zeros((*lead, LAGS, phases), np.int64) for _ in range(2))
    for crossing in (*range(phases - 2 * LAGS, phases), *range(phases)):
        probability = np.where(hit_before, after_hit[..., crossing, None], q[..., crossing, None])
        hit = rng.binomial(number, probability)
        hits[..., crossing] = hit.sum(axis=-1)
        for lag in range(LAGS):
            mine = (states >> lag) & 1 == 1
            before[..., lag, crossing] = number[..., mine].sum(axis=-1)
            both[..., lag, crossing] = hit[..., mine].sum(axis=-1)
        number = _shifted(number - hit, hit)
    return Recorded(np.full_like(hits, gates), hits, before, both)


def _shifted(without: Counts, with_hit: Counts) -> Counts:
    """Numbers of histories after one more gate: all bits shift up by one, and the oldest is dropped."""
    half = without.shape[-1] // 2
    result = np.empty_like(without)
    for bit, counts in ((0, without), (1, with_hit)):
        result[..., bit::2] = counts[..., :half] + counts[..., half:]
    return result
