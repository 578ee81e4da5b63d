"""Where in the whole laser period the transient begins: coarse, by comparing all slots of the same shots.

A scan of the delay over the time between two bunches sees, in all slots together, the whole period of the laser. Each
count has a factor of all its slots (jet, flux) and each slot one of all counts (laser off, too), which are free; a
decay that begins at a trial time and repeats with the laser is fitted to what is left. The trial times that the data
allow are what is scanned next.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf, sqrt

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LIFETIMES = np.geomspace(300.0, 1e6, 6)
"""ps; of the trial decays."""
TRIALS = 300
"""Trial times in the range that is looked at."""
SIGNIFICANT = 6.0
"""Standard deviations from which on there is a transient."""
SIGN_MARGIN = 16.0
"""chi-square by which one sign of the delay has to be better than the other."""
NARROW = 200.0
"""ps; range of the onset from which on the rise is measured."""
MOST_STEPS = 12
"""Steps from the whole period to the closest range."""
INSIDE = 1e-4
"""Probability outside the range that is looked at next, on each side."""


@dataclass(frozen=True)
class SlotTrace:
    """Counts of all slots at several delays.

    Attributes
    ----------
    delay : ndarray, shape (N,), ps
        As set.
    laser_on : ndarray of bool, shape (N,)
    value, variance : ndarray, shape (N, S)
        Logarithm of the photons of each slot, and its counting variance.
    spacing : float, ps
        Time between two bunches.
    """

    delay: Array
    laser_on: NDArray[np.bool_]
    value: Array
    variance: Array
    spacing: float

    @property
    def period(self) -> float:
        """Of the laser, ps."""
        return self.spacing * self.value.shape[1]

    def times(self, sign: int) -> Array:
        """Time of each slot after the set zero, shape (N, S), ps, if the delay has this sign."""
        return np.asarray(sign * self.delay[:, None] + self.spacing * np.arange(self.value.shape[1]))


@dataclass(frozen=True)
class AllowedOnset:
    """Where the onset is looked for, where that is known.

    Attributes
    ----------
    low, high : float, ps
        Of the time of the onset, as in `SlotTrace.times`.
    sign : int
        Of the delay; 0 if that is not known.
    """

    low: float
    high: float
    sign: int


@dataclass(frozen=True)
class Onset:
    """Where the transient begins.

    Attributes
    ----------
    low, high : float, ps
        Range of the time of the onset, as in `SlotTrace.times`.
    mean, stddev : float, ps
        Of the time of the onset in this range.
    sign : int
        1 if a larger delay is later after the pump, -1 if earlier.
    significance : float
        Of the transient, in standard deviations.
    sign_margin : float
        chi-square by which this sign is better than the other one.
    """

    low: float
    high: float
    mean: float
    stddev: float
    sign: int
    significance: float
    sign_margin: float

    @property
    def middle(self) -> float:
        """ps"""
        return 0.5 * (self.low + self.high)

    @property
    def is_seen(self) -> bool:
        """Whether there is a transient."""
        return self.significance > SIGNIFICANT

    @property
    def is_certain(self) -> bool:
        """Whether there is one, and the sign of the delay is known."""
        return self.is_seen and self.sign_margin > SIGN_MARGIN

    @property
    def is_narrow(self) -> bool:
        """Whether the rise can be measured."""
        return self.high - self.low < NARROW


def find_onset(trace: SlotTrace, allowed: AllowedOnset | None = None) -> Onset:
    """Find the onset, ever closer while the counts allow it.

    Parameters
    ----------
    trace : SlotTrace
    allowed : AllowedOnset, optional
        By default the whole laser period, for both signs of the delay.
    """
    signs = (allowed.sign,) if allowed is not None and allowed.sign else (1, -1)
    found = {sign: _closest(trace, sign, allowed) for sign in signs}
    sign = max(found, key=lambda each: found[each].significance)
    if len(signs) == 1:
        return replace(found[sign], sign_margin=inf)
    margin = found[sign].significance ** 2 - found[-sign].significance ** 2
    return replace(found[sign], sign_margin=margin)


def _closest(trace: SlotTrace, sign: int, allowed: AllowedOnset | None) -> Onset:
    """The onset for one sign of the delay: a fast rise shows only where trial times are close."""
    if allowed is None:
        trials = _trials(0.0, trace.period)
        middle = float(trials[np.argmax(_gains(trace, sign, trials))])  # a range must not be cut by the period's end
        allowed = AllowedOnset(middle - 0.5 * trace.period, middle + 0.5 * trace.period, sign)
    found = _within(trace, sign, allowed.low, allowed.high)
    for _ in range(MOST_STEPS):
        closer = _within(trace, sign, found.low, found.high)
        if closer.high - closer.low > 0.9 * (found.high - found.low):
            return found
        found = closer
    return found


def _within(trace: SlotTrace, sign: int, low: float, high: float) -> Onset:
    """What is left of a range of the onset."""
    trials = _trials(low, high)
    gains = _gains(trace, sign, trials)
    likelihood = np.exp(0.5 * (gains - gains.max()))
    likelihood /= likelihood.sum()
    first, last = np.searchsorted(np.cumsum(likelihood), [INSIDE, 1 - INSIDE])
    step = (high - low) / TRIALS
    ends = float(trials[first] - step), float(trials[min(int(last), TRIALS - 1)] + step)
    mean = float(likelihood @ trials)
    stddev = sqrt(float(likelihood @ (trials - mean) ** 2) + step**2 / 12)
    return Onset(*ends, mean, stddev, sign, sqrt(max(float(gains.max()), 0.0)), 0.0)


def _trials(low: float, high: float) -> Array:
    return np.asarray(low + (high - low) * (np.arange(TRIALS) + 0.5) / TRIALS)


def _gains(trace: SlotTrace, sign: int, trials: Array) -> Array:
    """By how much a decay that begins at each trial time reduces chi-square; the best of all lifetimes, shape (T,)."""
    times, weight = trace.times(sign), 1 / trace.variance
    left = _centred(trace.value, weight)
    since = np.mod(times[None] - trials[:, None, None], trace.period)
    best = np.zeros(trials.size)
    for lifetime in LIFETIMES:
        shape = _centred(np.exp(-since / lifetime) * trace.laser_on[:, None], weight)
        norm = (weight * shape**2).sum(axis=(1, 2))
        best = np.maximum(best, (weight * shape * left).sum(axis=(1, 2)) ** 2 / np.maximum(norm, 1e-300))
    return best


def _centred(value: Array, weight: Array) -> Array:
    """Values without the weighted means of each count and of each slot, which have weights in proportion."""
    counts = value - ((weight * value).sum(axis=-1) / weight.sum(axis=-1))[..., None]
    return np.asarray(counts - ((weight * counts).sum(axis=-2) / weight.sum(axis=-2))[..., None, :])
