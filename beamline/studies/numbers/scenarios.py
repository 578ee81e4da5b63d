"""Truth of one measurement, drawn by seed from wide ranges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

TURN = 3.68251e6
"""ps; one turn of the ring (Cannelli et al. 2021: 1296 buckets at 351.933984 MHz)."""
SINGLE = 3.0
"""Charge of the single bunch of the hybrid fill, relative to a bunch of its train."""


@dataclass(frozen=True)
class Fill:
    """Bunches in the ring, and the divider of the laser.

    Attributes
    ----------
    name : str
    positions : ndarray, shape (B,)
        Position of each bunch, fractions of a turn.
    divider : int
    """

    name: str
    positions: Array
    divider: int

    @property
    def bunches(self) -> int:
        return self.positions.size

    @property
    def phases(self) -> int:
        return int(np.lcm(self.bunches, self.divider))

    @property
    def shares_bunches(self) -> bool:
        return bool(np.gcd(self.bunches, self.divider) == 1)

    @property
    def even(self) -> bool:
        return bool(np.ptp(np.diff(self.positions)) < 1e-9)

    @property
    def period(self) -> float:
        """Between laser pulses, ps."""
        return TURN * self.divider / self.bunches

    def slot_times(self) -> Array:
        """From the laser pulse to the bunch of each slot, ps, shape (S,), for a laser phase of 0."""
        turns, bunch = np.divmod(np.arange(self.divider), self.bunches)
        return np.asarray(TURN * (turns + self.positions[bunch] - self.positions[0]))


def _even(name: str, bunches: int, divider: int) -> Fill:
    return Fill(name, np.arange(bunches) / bunches, divider)


FILLS = (
    _even("24/5", 24, 5),
    _even("24/4", 24, 4),
    _even("48/10", 48, 10),
    _even("31/4", 31, 4),
    _even("324/4", 324, 4),
    Fill("hybrid", np.append(0.02 * np.arange(16), 0.65), 17),
)
SHARES = (0.3, 0.1, 0.1, 0.3, 0.1, 0.1)
"""Probabilities of the fills: higher for those in which slots can be compared with each other."""


@dataclass(frozen=True)
class StudyScenario:
    """One measurement; relative numbers unless a unit is named.

    Attributes
    ----------
    fill : Fill
    lifetimes, amplitudes : ndarray, shape (K,)
        Components of the decay, ps; infinity for a constant. Amplitudes add up to 1.
    size : float
        Transient at the white line, relative to the edge step.
    response, time_zero : float, ps
        Standard deviation of the Gaussian response, and the true time zero.
    response_given, response_stddev : float, ps
        The response as the user measured it, and the error of that; without one the given value is the default.
    mu : float
        Photons per pulse at the white line, from the mean bunch.
    background : float
        Light below the edge, relative to the edge step.
    bunches, efficiency, passes_differ : float
        Standard deviation of the bunches' charges, of the slots' efficiencies and of the jet from pass to pass.
    jet, corner, drift : float
        Noise of the jet's thickness (rms) that is 1/f between `corner` (Hz) and 100 Hz; rms of a line over a pass.
    laser_light : float
        Photons from the laser alone in slot 0, relative to `mu`.
    afterpulse, blinding : float
        Effects of a recorded hit on the next gate.
    correct_after_effects : bool
        Whether the user turns their correction on.
    dark : float
        Photons per pulse in every gate without any light.
    background_run : bool
        Whether a run without X-rays is taken and subtracted.
    slip : int
        Phases by which the laser slips, once in the measurement, somewhere within a dwell.
    bad_dwell : str
        Fault of one dwell: ``""``, ``saturated`` or ``no gates``.
    i0_noise : float
        Relative noise of one reading.
    passes : int
    dwell : float, s
    resolution : float
        Signal of full excitation over the counting error of a point, for which delay scans that are fitted count.
    delay : float
        Pump-probe delay of the energy scan, ps.
    bend, sharpness : float
        Fluence at which line and plateau of the transient meet, relative to the largest one, and how sharp the bend is.
    alternating, monitors : bool
        Whether each second pass goes downwards, and whether energy scans return to monitor energies.
    misaligned : float, keV
        Standard deviation of the energies of passes, in the scan that is aligned.
    seed : int
        Seed of the noise.
    """

    fill: Fill
    lifetimes: Array
    amplitudes: Array
    size: float
    response: float
    time_zero: float
    response_given: float
    response_stddev: float | None
    mu: float
    background: float
    bunches: float
    efficiency: float
    passes_differ: float
    jet: float
    corner: float
    drift: float
    laser_light: float
    dark: float
    background_run: bool
    afterpulse: float
    blinding: float
    correct_after_effects: bool
    slip: int
    bad_dwell: str
    i0_noise: float
    passes: int
    dwell: float
    resolution: float
    delay: float
    bend: float
    sharpness: float
    alternating: bool
    monitors: bool
    misaligned: float
    seed: int


def draw(seed: int) -> StudyScenario:
    """The scenario of a seed."""
    rng = np.random.default_rng([2021, seed])

    def log_uniform(low: float, high: float) -> float:
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))

    def sometimes(probability: float) -> bool:
        return bool(rng.random() < probability)

    lifetimes, amplitudes = _decays(rng)
    fill = FILLS[int(rng.choice(len(FILLS), p=SHARES))]
    effects = sometimes(0.25)
    response, error = rng.uniform(20.0, 120.0), float(np.exp(rng.uniform(np.log(1.0), np.log(10.0))))
    given, known = response + error * rng.standard_normal(), sometimes(0.7)
    return StudyScenario(
        fill=fill,
        lifetimes=lifetimes,
        amplitudes=amplitudes,
        size=log_uniform(0.005, 0.05),
        response=response,
        time_zero=rng.uniform(-150.0, 150.0),
        response_given=max(given, 10.0) if known else 45.0,
        response_stddev=error if known else None,
        mu=log_uniform(0.01, 2.0),
        background=rng.uniform(0.2, 0.8),
        bunches=rng.uniform(0.0, 0.25),
        efficiency=log_uniform(1e-4, 1e-2),
        passes_differ=rng.uniform(0.0, 0.1),
        jet=0.0 if sometimes(0.2) else log_uniform(1e-3, 0.03),
        corner=log_uniform(1e-4, 1.0),
        drift=0.0 if sometimes(0.5) else rng.uniform(0.0, 0.1),
        laser_light=0.0 if sometimes(0.5) else log_uniform(1e-5, 0.02),
        dark=log_uniform(1e-8, 1e-5),
        background_run=sometimes(0.5),
        afterpulse=log_uniform(1e-4, 0.02) if effects else 0.0,
        blinding=rng.uniform(0.0, 0.3) if effects else 0.0,
        correct_after_effects=effects and sometimes(0.8),
        slip=int(rng.integers(1, fill.phases)) if sometimes(0.1) else 0,
        bad_dwell=("saturated", "no gates")[int(rng.integers(2))] if sometimes(0.1) else "",
        i0_noise=log_uniform(1e-4, 3e-3),
        passes=int(rng.integers(2, 7)),
        dwell=log_uniform(0.5, 4.0),
        resolution=log_uniform(3.0, 60.0),
        delay=log_uniform(100.0, 0.09 * fill.period),
        bend=log_uniform(0.05, 4.0),
        sharpness=float(rng.choice([0.8, 1.0, 1.3, 1.7, 2.3, 4.0, 8.0])),
        alternating=sometimes(0.5),
        monitors=sometimes(0.5),
        misaligned=log_uniform(1e-5, 5e-4),
        seed=seed,
    )


def _decays(rng: np.random.Generator) -> tuple[Array, Array]:
    """One to four components of 20 ps to 10 us; the slowest is a constant in one of four."""
    number = int(rng.integers(1, 5))
    lifetimes = np.sort(np.exp(rng.uniform(np.log(20.0), np.log(1e7), number)))
    if rng.random() < 0.25:
        lifetimes[-1] = np.inf
    return lifetimes, rng.dirichlet(np.ones(number))
