"""I0: an ion chamber on a scaler channel, and its amplifier."""

from __future__ import annotations

import math
from collections.abc import Mapping

from sim_ioc.physics.knife import KnifeDiode
from sim_ioc.physics.transmission import TransmittedBeam
from sim_ioc.physics.world import World
from sim_ioc.records.channels import Limits, PutRefusedError
from sim_ioc.records.device import SimDevice
from sim_ioc.records.fields import Shown, analog_out
from sim_ioc.records.scaler import Counts, ScalerRecord

I0_CHANNEL = 2
BEHIND = {3: "It", 4: "If"}
"""Names of the channels of the chambers behind the sample and behind the foil."""
DIODE = {5: "Diode"}
"""That of the photodiode behind the knife."""
GAIN_DIGITS = (1, 2, 5)
GAIN_STEPS = tuple(float(digit * 10**power) for power in range(13) for digit in GAIN_DIGITS) + (1e13,)


def _refuse_between_steps(gain: float) -> None:
    if gain not in GAIN_STEPS:
        raise PutRefusedError(f"the I0 amplifier has gains of 1, 2 and 5 times a power of ten, not {gain:g}")


class SimScaler(SimDevice):
    """Counts I0 on channel 2 of a scaler record, behind an amplifier with gain and dark rate."""

    def __init__(self, world: World, prefix: str = "7idd:") -> None:
        super().__init__()
        self._world = world
        self.i0_is_nan = False
        transmission = world.scenario.transmission
        self._transmitted = TransmittedBeam(world, transmission) if transmission is not None else None
        self._diode = KnifeDiode(world)
        names = {I0_CHANNEL: "I0"} | DIODE | (BEHIND if transmission is not None else {})
        scaler = ScalerRecord(f"{prefix}scaler1", "I0 and slow counters", names, world.clock, self._start_count)
        i0 = world.scenario.i0
        limits, meaning = Limits(GAIN_STEPS[0], GAIN_STEPS[-1]), "gain of the I0 amplifier, in steps of 1, 2, 5"
        gain = analog_out(i0.gain_V_per_A, Shown("V/A", 0), limits, meaning, self._put_gain)
        gain.check = _refuse_between_steps
        dark = analog_out(i0.dark_per_s, Shown("counts/s", 1), Limits(0, 1e9), "dark rate of I0, as last measured")
        self.records = {**scaler.records, f"{prefix}I0:Gain": gain, f"{prefix}I0:Dark": dark}

    async def _put_gain(self, gain_V_per_A: float) -> None:
        relative = gain_V_per_A / self._world.scenario.i0.gain_V_per_A
        self._world.i0_gain.set(self._world.clock.now(), relative)

    def _start_count(self) -> Counts:
        """Draw the noise of a count, which is the same for all its updates."""
        noise, beam, behind_knife = self._world.draw_i0_noise(), self._transmitted, self._diode.draw_noise()
        of_chambers = beam.draw_noise() if beam is not None else (0.0, 0.0)

        def counts(start_s: float, end_s: float) -> Mapping[int, float]:
            found = {I0_CHANNEL: math.nan}
            if not self.i0_is_nan:
                found[I0_CHANNEL] = float(round(self._world.i0_counts(start_s, end_s, noise)))
            found |= {each: float(round(self._diode.counts(start_s, end_s, behind_knife))) for each in DIODE}
            if beam is not None:
                behind = beam.counts(start_s, end_s, of_chambers)
                found |= {channel: float(round(value)) for channel, value in zip(BEHIND, behind, strict=True)}
            return found

        return counts
