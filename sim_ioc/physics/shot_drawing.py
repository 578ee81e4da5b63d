"""Shots drawn one by one: hits with after-effects, as the photon counter records them, and their pulse heights.

The law of the hits is that of `sim_ioc.physics.photons`: a hit has probability q after a gate without one, and
a + (1 - blinding) q after a gate with one. The pulse of a hit is above the discriminator's threshold and any
other is not, since digitiser and counter see the same pulse.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from sim_ioc.physics.kernel_cache import kernel

GAUSS_BITS = 14
ADC_PER_MV = 20.0
HIGHEST, LOWEST = 32767, -32768


def gauss_table() -> NDArray[np.float32]:
    """Standard normal deviates, equally likely, with unit variance."""
    number = 1 << GAUSS_BITS
    deviates = ndtri((np.arange(number) + 0.5) / number)
    return (deviates / deviates.std()).astype(np.float32)


@kernel(nogil=True)
def _next(state):  # type: ignore[no-untyped-def]
    """Next 64 random bits: xorshift128+ (Vigna, J. Comput. Appl. Math. 315, 175, 2017)."""
    a, b = state[0], state[1]
    state[0] = b
    a ^= a << np.uint64(23)
    state[1] = a ^ b ^ (a >> np.uint64(18)) ^ (b >> np.uint64(5))
    return state[1] + b


@kernel(nogil=True)
def _photons(state, mu):  # type: ignore[no-untyped-def]
    """Photons of a pulse that has at least one: a Poisson number above 0."""
    probability = np.exp(-mu)
    left = (_next(state) >> np.uint64(11)) * 2.0**-53 * (1 - probability)
    number, probability = 1, probability * mu
    while left > probability and number < 100:
        left -= probability
        number += 1
        probability *= mu / number
    return number


@kernel(nogil=True)
def draw_shots(state, mu, after, widths, gauss, limits, before, heights, monitor):  # type: ignore[no-untyped-def]
    """Draw shots from phase 0 on.

    Parameters
    ----------
    state : uint64[2]
        State of the random numbers; written.
    mu : float64[C, P]
        Photons per gate, for C equal parts of the shots in turn.
    after : float64[1 + P]
        Probability of an afterpulse; blinding by phase.
    widths : float64[4]
        ADC units of one photon, its spread, electronic noise; mean of the monitor.
    gauss : float32[2^k]
        From `gauss_table`.
    limits : int64[2]
        Heights above the first are hits; phase of the first shot.
    before : int64
        1 if the shot before was a hit.
    heights, monitor : int16[N]
        Written.

    Returns
    -------
    int
        1 if the last shot was a hit.
    """
    last = gauss.size - 1
    classes, num_phases = mu.shape
    one, spread, noise, mean = widths
    threshold, phase = limits
    q = 1 - np.exp(-mu)
    for shot in range(heights.size):
        row = shot * classes // heights.size
        probability = q[row, phase]
        if before:
            probability = min(after[0] + (1 - after[1 + phase]) * probability, 1.0)
        bits = _next(state)
        before = np.int64((bits >> np.uint64(11)) * 2.0**-53 < probability)
        more = _next(state)
        height = noise * gauss[more & np.uint64(last)]
        if before:
            number = _photons(state, mu[row, phase])
            height += number * one + np.sqrt(number) * spread * gauss[(more >> np.uint64(16)) & np.uint64(last)]
            heights[shot] = np.int16(min(max(round(height), threshold + 1), HIGHEST))
        else:
            heights[shot] = np.int16(max(min(round(height), threshold), LOWEST))
        monitor[shot] = np.int16(mean * (1 + 0.01 * gauss[(more >> np.uint64(32)) & np.uint64(last)]))
        phase += 1
        if phase == num_phases:
            phase = 0
    return before


@kernel(nogil=True)
def count_shots(heights, threshold, phase, history, hits, gates, pairs):  # type: ignore[no-untyped-def]
    """Count consecutive shots as the photon counter does.

    Parameters
    ----------
    heights : int16[N]
    threshold : int
    phase : int
        Of the first shot.
    history : int64[L]
        State of the last shots, the latest first: 0 closed, 1 no hit, 2 hit; written.
    hits, gates : int64[P]
    pairs : int64[4, L, P]
        Gates, hits, hits before, hits in both.
    """
    lags, num_phases = history.size, hits.size
    for shot in range(heights.size):
        hit = heights[shot] > threshold
        gates[phase] += 1
        hits[phase] += hit
        for lag in range(lags):
            if history[lag] > 0:
                pairs[0, lag, phase] += 1
                pairs[1, lag, phase] += hit
                if history[lag] == 2:
                    pairs[2, lag, phase] += 1
                    pairs[3, lag, phase] += hit
        for lag in range(lags - 1, 0, -1):
            history[lag] = history[lag - 1]
        history[0] = 2 if hit else 1
        phase += 1
        if phase == num_phases:
            phase = 0
