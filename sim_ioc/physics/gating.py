"""Transmission of a gate: its overlap with the detector pulses of its own bunch and of others."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim_ioc.scenario.detectors import DetectorTruth

FloatArray = NDArray[np.float64]

JITTER_STEPS = 32


@dataclass(frozen=True)
class Gate:
    """A gate after each bunch marker, in ticks of the gating clock.

    Attributes
    ----------
    delay_ticks, width_ticks
        Delay after the marker, and width.
    locked
        Whether the gating clock follows the RF. If not, the gate opens anywhere within one tick later.
    """

    delay_ticks: int
    width_ticks: int
    locked: bool

    @classmethod
    def around_the_pulse(cls, detector: DetectorTruth, bunch_period_ns: float) -> Gate:
        """The gate at start-up: with a margin of one tick for the jitter, or locked where bunches are too close."""
        tick = detector.gate_tick_ns
        begins = math.floor(detector.pulse_arrival_ns / tick)
        ends = math.ceil((detector.pulse_arrival_ns + detector.pulse_length_ns) / tick)
        early = max(0, begins - 1)
        wide = ends + 1 - early
        locked = bunch_period_ns < detector.pulse_length_ns + (wide + 1) * tick
        return cls(begins, ends - begins, True) if locked else cls(early, wide, False)

    def set_at_start(self, detector: DetectorTruth) -> Gate:
        """This gate with what the scenario has for its delay and its width."""
        delay, width = detector.gate_delay_ticks, detector.gate_width_ticks
        return Gate(delay if delay >= 0 else self.delay_ticks, width if width >= 1 else self.width_ticks, self.locked)

    def opens_ns(self, tick_ns: float) -> FloatArray:
        """Opening times after the marker, equally likely."""
        late = np.zeros(1) if self.locked else (np.arange(JITTER_STEPS) + 0.5) / JITTER_STEPS
        return np.asarray((self.delay_ticks + late) * tick_ns)


@dataclass(frozen=True)
class GateTransmission:
    """Fraction of each pulse that a gate transmits.

    Attributes
    ----------
    offsets : tuple of int
        Pulses with any transmission, relative to the gate's own bunch, K of them.
    shares : float64[J, K, P]
        By opening time (equally likely), offset, and phase of the gate.
    """

    offsets: tuple[int, ...]
    fractions: FloatArray

    def photons(self, mu: FloatArray) -> FloatArray:
        """Photons per gate with the same hit probability, from photons per pulse, both float64[C, P]."""
        moments = np.zeros((len(self.fractions), *mu.shape))
        for k, offset in enumerate(self.offsets):
            moments += self.fractions[:, k, np.newaxis, :] * np.roll(mu, -offset, axis=-1)
        if len(moments) == 1:
            return np.asarray(moments[0])
        return np.asarray(-np.log(np.exp(-moments).mean(axis=0)))


def gate_transmission(
    gate: Gate, detector: DetectorTruth, arrival_ns: FloatArray, pattern_ns: float
) -> GateTransmission:
    """Transmission of a gate for the pulse of its own bunch and for others.

    Parameters
    ----------
    gate, detector
    arrival_ns
        Bunch markers of a pattern, ascending, shape (P,).
    pattern_ns
        Time until the pattern repeats.
    """
    opens = gate.opens_ns(detector.gate_tick_ns)[:, np.newaxis]
    shuts = opens + gate.width_ticks * detector.gate_tick_ns
    found: dict[int, FloatArray] = {}
    for step in (1, -1):
        offset = 0 if step == 1 else -1
        while True:
            begins = detector.pulse_arrival_ns + _later(arrival_ns, pattern_ns, offset)
            ends = begins + detector.pulse_length_ns
            if (step == 1 and begins.min() >= shuts.max()) or (step == -1 and ends.max() <= opens.min()):
                break
            overlap = np.minimum(shuts, ends) - np.maximum(opens, begins)
            if (overlap > 0).any():
                found[offset] = np.clip(overlap, 0.0, None) / detector.pulse_length_ns
            offset += step
    offsets = tuple(sorted(found))
    fractions = np.stack([found[k] for k in offsets], axis=1) if offsets else np.zeros((1, 0, arrival_ns.size))
    steady = bool(np.all(fractions == fractions[:1]))
    return GateTransmission(offsets, fractions[:1] if steady else fractions)


def _later(arrival_ns: FloatArray, pattern_ns: float, offset: int) -> FloatArray:
    """Time from each pulse to the one that many later, float64[P]."""
    turns, phase = np.divmod(np.arange(arrival_ns.size) + offset, arrival_ns.size)
    return np.asarray(arrival_ns[phase] + turns * pattern_ns - arrival_ns)
