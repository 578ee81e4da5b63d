"""Scans of any pattern of bunches and laser, by plain numpy: each bunch with its own current and efficiency.

The currents decay, each with its own lifetime, and a top-up may fill one bunch by a few per cent at a given time. A
record of the currents is read with every dwell; it is updated every few seconds and has noise.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from reduction.counting.accumulate import CountingAccumulator
from reduction.counting.currents import CurrentReading
from reduction.counting.dwell import Dwell
from reduction.counting.pairs import Pairs
from reduction.counting.phases import Pattern
from reduction.counting.rows import PointRates
from reduction.counting.slot_bins import with_bins
from reduction.settings import Settings
from reduction.spectra.spectrum import Spectrum, reduce_spectrum
from sim_ioc.physics.photons import sample_pairs

Array = NDArray[np.float64]

TURNS = 271554.0
"""A second."""
ENERGY = np.round(13.450 + 0.003 * np.arange(14), 6)
STATIC = np.array([0.5, 0.5, 0.5, 0.55, 0.7, 1.8, 1.4, 1.5, 1.45, 1.5, 1.48, 1.45, 1.5, 1.5])
CHANGE = np.array([0.0, 0.0, 0.0, 0.0, 0.02, -0.03, 0.02, -0.01, 0.01, 0.0, 0.0, -0.01, 0.0, 0.01])
SETTINGS = Settings(pre_edge=(13.449, 13.457), integral=(13.458, 13.490), i0_noise=1e-3, drift="off")
SEGMENTS = (1, 0, 0, 1)
BETWEEN = 0.7
"""Seconds between the dwells of a point; between points there are twice as many."""


@dataclass
class Ring:
    """Truth of the bunches and of the measurement.

    Attributes
    ----------
    bunches, divider : int
    amplitudes : ndarray, shape (divider,)
        Transient of each pump slot over `CHANGE`.
    charge, efficiency : float
        Relative standard deviations of the bunches' currents and efficiencies.
    lifetime : float
        Mean lifetime of the currents, s; those of the bunches differ by their currents.
    topup : tuple of (float, int, float), optional
        When, which bunch, and by how much of its current.
    period, record_noise : float
        Seconds from one update of the record to the next, and relative noise of each bunch's current in it.
    dwell, gates, mu : float
        Seconds of a dwell, gates of a phase in it (fewer than there are: more noise), photons a pulse.
    jet : float
        Relative noise that all slots of a dwell share.
    pattern : tuple of int
        Laser on and off dwells of a point.
    """

    bunches: int = 24
    divider: int = 4
    amplitudes: Array = field(default_factory=lambda: 0.4 ** np.arange(4))
    charge: float = 0.15
    efficiency: float = 0.05
    lifetime: float = 20_000.0
    topup: tuple[float, int, float] | None = None
    period: float = 3.0
    record_noise: float = 2e-3
    dwell: float = 1.0
    gates: int = 50_000
    mu: float = 0.3
    jet: float = 3e-3
    passes: int = 2
    pattern: tuple[int, ...] = SEGMENTS
    after: tuple[float, float] | None = None
    """Afterpulses and blinding, of a counter with pair counters."""
    charges: tuple[float, ...] = ()
    """Of the bunches, any unit; by default all alike but for `charge`."""

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.bunches)
        self.first = np.maximum(1 + self.charge * rng.standard_normal(self.bunches), 0.3)
        self.first *= np.array(self.charges or (1.0,) * self.bunches)
        self.first /= self.first.mean()
        self.response = 1 + self.efficiency * rng.standard_normal(self.bunches)

    def phases(self, laser_phase: int = 0) -> Pattern:
        return Pattern(self.bunches, self.divider, laser_phase, self.bunches * TURNS)

    def current(self, time: Array) -> Array:
        """Of each bunch at times, shape (..., B)."""
        time = np.asarray(time, dtype=np.float64)[..., None]
        current = self.first * np.exp(-time * self.first / self.lifetime)
        if self.topup is not None:
            when, bunch, part = self.topup
            current[..., bunch] *= 1 + part * (time[..., 0] > when)
        return np.asarray(current)

    @cached_property
    def mean_currents(self) -> Array:
        """Of each bunch over each dwell, shape (points, segments, B)."""
        moments = self.times()[..., None] + self.dwell * (np.arange(100) + 0.5) / 100
        return np.asarray(self.current(moments).mean(axis=2))

    def times(self) -> Array:
        """Beginning of each dwell of a pass, shape (points, segments)."""
        number = np.arange(ENERGY.size * len(self.pattern)).reshape(ENERGY.size, -1)
        return np.asarray(number * (self.dwell + BETWEEN) + 2 * BETWEEN * np.arange(ENERGY.size)[:, None])

    def level(self, laser: int) -> Array:
        """Photons a pulse of a mean bunch by pump slot and point, shape (divider, E)."""
        return np.asarray(self.mu * STATIC * (1 + laser * self.amplitudes[:, None] * CHANGE))


def measured(
    ring: Ring,
    rng: np.random.Generator,
    settings: Settings = SETTINGS,
    record: bool = True,
    monitor: bool = False,
    delay: float | None = 100.0,
) -> PointRates:
    """Rates of one measurement of a scan.

    Parameters
    ----------
    ring, rng, settings
    record : bool
        Whether the currents are read.
    monitor : bool
        Read by a fast monitor during the dwell instead of by the record.
    delay : float or None
        Of slot 0, ps; None where it is scanned.
    """
    pattern = with_bins(ring.phases(), settings, delay)
    sums = CountingAccumulator(pattern, ENERGY.size, settings.i0_noise, after_effects=settings.after_effects)
    bunch, slot = pattern.bunch_of_phase(), np.arange(pattern.num_phases) % ring.divider
    level = np.stack([ring.level(laser)[slot].T for laser in ring.pattern], axis=1)  # (E, segments, P)
    begins, current, gates = ring.times(), ring.mean_currents, np.full(pattern.num_phases, ring.gates)
    updates = np.arange(rng.uniform(-ring.period, 0.0), begins.max() + 2 * ring.dwell, ring.period)
    newest = np.searchsorted(updates, begins + ring.dwell, side="right") - 1
    for number in range(ring.passes):
        read = ring.current(updates) * (1 + ring.record_noise * rng.standard_normal((updates.size, ring.bunches)))
        seen = current * (1 + ring.record_noise * rng.standard_normal(current.shape))
        flicker = 1 + ring.jet * rng.standard_normal(begins.shape)
        mu = level * (current * ring.response)[:, :, bunch] * flicker[..., None]
        hits, pairs = counted(ring, rng, mu)
        flux = current.mean(axis=2) * (1 + settings.i0_noise * rng.standard_normal(begins.shape))
        for at in np.ndindex(begins.shape):
            reading = (
                CurrentReading(seen[at]) if monitor else CurrentReading(read[newest[at]], float(updates[newest[at]]))
            )
            sums.add(
                Dwell(
                    str(number), at[0], at[1], 0, bool(ring.pattern[at[1]]), "good", float(flux[at]), hits[at], gates,
                    0, time=float(begins[at]) + ring.dwell / 2, seconds=ring.dwell,
                    currents=reading if record else None, pairs=pairs[at] if pairs else None,
                )
            )  # fmt: skip
    return sums.result()


def counted(ring: Ring, rng: np.random.Generator, mu: Array) -> tuple[Array, dict[tuple[int, int], Pairs]]:
    """Hits of all dwells, and their pair counters by point and segment if the counter has after-effects."""
    if ring.after is None:
        return rng.binomial(ring.gates, -np.expm1(-mu)), {}
    found = sample_pairs(rng, mu, np.full(mu.shape[:2], ring.gates), *ring.after)
    arrays = found.pair_gates, found.pair_counts, found.prev_hits, found.coinc
    return found.counts, {at: Pairs(*(array[at] for array in arrays)) for at in np.ndindex(mu.shape[:2])}


def spectrum(rates: PointRates, reference: str, settings: Settings = SETTINGS) -> Spectrum:
    assert rates.pattern is not None
    return reduce_spectrum(ENERGY, rates, replace(settings, reference=reference), rates.pattern.probe_delays(100.0))


def normalised(rate: Array) -> Array:
    """By the pre-edge offset and the edge integral, in plain numpy; shape (..., E)."""
    above = rate - rate[..., :3].mean(axis=-1, keepdims=True)
    width = ENERGY[-1] - ENERGY[3]
    return np.asarray(above / (np.trapezoid(above[..., 3:], ENERGY[3:], axis=-1) / width)[..., None])


def truth(ring: Ring, rates: PointRates, held: Array | None = None) -> Array:
    """Transients without noise, shape (S, E); `held` is what the reference of `slots` holds, shape (E,)."""
    assert rates.pattern is not None
    off, on = (rates.pattern.mean_by_slot(ring.level(laser)) for laser in (0, 1))
    if held is not None:
        on = on / (1 + held)
    return normalised(on) - normalised(off)
