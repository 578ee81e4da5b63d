"""What findings need of devices and of the reduction. Plans know no device class, and no equation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from bluesky.protocols import Readable

from plans.protocols import Axis, Instruments, MissingRoleError, Supervision, TimedCounter

Rows = Sequence[Mapping[str, Any]]
"""Readings by data key, one mapping a count."""


class Judged(Protocol):
    """A finding, as the reduction makes it."""

    @property
    def name(self) -> str: ...

    @property
    def value(self) -> float: ...

    @property
    def stddev(self) -> float: ...

    @property
    def unit(self) -> str: ...

    @property
    def verdict(self) -> str: ...

    @property
    def reason(self) -> str: ...

    @property
    def settings(self) -> Mapping[str, float]: ...

    @property
    def numbers(self) -> Mapping[str, tuple[float, float]]: ...

    @property
    def curve(self) -> Any: ...


Judge = Callable[[Rows, Mapping[str, float]], Judged]
"""Makes a finding of readings and of the conditions that they were taken at."""


@runtime_checkable
class GatedCounter(TimedCounter, Protocol):
    """A photon counter behind a gate with a delay and a width in ticks of its clock."""

    tick_ns: float

    @property
    def gate_delay(self) -> Axis: ...

    @property
    def gate_width(self) -> Axis: ...

    @property
    def gate_clock(self) -> Readable: ...


class BoxcarWindow(Protocol):
    """One boxcar: its window and its baseline, degrees of the laser period, and the length of both, s."""

    @property
    def window_start(self) -> Axis: ...

    @property
    def window_size(self) -> Axis: ...

    @property
    def baseline_start(self) -> Axis: ...

    @property
    def baseline_enable(self) -> Axis: ...


class Analyser(Readable, Protocol):
    """Trace of one laser period."""

    @property
    def phase(self) -> Readable: ...


@runtime_checkable
class BoxcarPair(TimedCounter, Protocol):
    """Two boxcars with the trace that they see."""

    @property
    def box1(self) -> BoxcarWindow: ...

    @property
    def box2(self) -> BoxcarWindow: ...

    @property
    def pwa(self) -> Analyser: ...


@dataclass(frozen=True)
class Bench:
    """What findings use beside the instruments of scans; a role may be without a device.

    Attributes
    ----------
    instruments : Instruments
    threshold : Axis, optional
        Of the discriminator of the first counter, mV.
    time_zero : Axis, optional
        t0 of the delay: setting of the delay generator at which pump and probe coincide, s.
    calibration : Axis, optional
        True energy minus that of the records, keV.
    fill_pattern : Readable, optional
        Currents of the bunches.
    foil : Readable, optional
        Chamber behind a foil.
    laser_steering : sequence of Axis
        Two motors that move the spot of the laser, um.
    second_crystal : Axis, optional
        Angle of the second crystal of the monochromator, urad.
    attenuator : Axis, optional
        Absorbance of filters before I0.
    i0_gain : Axis, optional
        Gain of the amplifier of I0, V/A.
    i0_most : float
        Counts/s of I0 up to which its amplifier is used.
    foil_stage : Axis, optional
        Moves foils into the beam.
    foils : mapping of str to float
        Its position for the foil of each edge.
    laser_focus : Axis, optional
        Position of the lens that focuses the laser, mm.
    knife : sequence of Axis
        Two blades at the sample, um: along the flow and across it.
    knife_diode : Readable, optional
        Photodiode behind the knife, which sees X-rays and laser.
    delay_sign : Axis, optional
        1, or -1 where the delay generator works the other way.
    supervision : Supervision
    """

    instruments: Instruments
    threshold: Axis | None = None
    time_zero: Axis | None = None
    calibration: Axis | None = None
    fill_pattern: Readable | None = None
    foil: Readable | None = None
    laser_steering: Sequence[Axis] = ()
    second_crystal: Axis | None = None
    attenuator: Axis | None = None
    i0_gain: Axis | None = None
    i0_most: float = 5e6
    foil_stage: Axis | None = None
    foils: Mapping[str, float] = field(default_factory=dict)
    laser_focus: Axis | None = None
    knife: Sequence[Axis] = ()
    knife_diode: Readable | None = None
    delay_sign: Axis | None = None
    supervision: Supervision = field(default_factory=Supervision)

    @property
    def behind_knife(self) -> tuple[Readable, ...]:
        """The photodiode behind a knife of two blades; empty without such a knife."""
        return (self.knife_diode,) if len(self.knife) == 2 and self.knife_diode is not None else ()

    def needed(self, role: str) -> Any:
        """The device of a role.

        Raises
        ------
        MissingRoleError
        """
        found = getattr(self, role)
        if found is None:
            raise MissingRoleError(role, f"the {role.replace('_', ' ')} cannot be set")
        return found

    @property
    def boxcar(self) -> BoxcarPair:
        """The first counter that is a pair of boxcars.

        Raises
        ------
        ValueError
            If there is none.
        """
        for counter in self.instruments.counters:
            if isinstance(counter, BoxcarPair):
                return counter
        raise ValueError("find_windows needs boxcars among the counters; write their device to counters below [roles]")

    @property
    def gated(self) -> GatedCounter:
        """The first counter.

        Raises
        ------
        ValueError
            If it has no gate.
        """
        counter = self.instruments.counters[0]
        if not isinstance(counter, GatedCounter):
            raise ValueError(f"{counter.name} has no gate with a delay and a width that could be set")
        return counter
