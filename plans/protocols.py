"""What plans require of the devices that they drive, and what a session adds. Plans know no device class."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, Protocol, runtime_checkable

from bluesky.protocols import Flyable, Movable, Preparable, Readable, Status, Stoppable, Triggerable

from plans.times import MoveTimes, Steadiness
from plans.watch import NullServerWatch, NullWatch, ServerWatcher, Tolerances, Watcher

AxisName = Literal["energy", "delay", "fluence", "temperature"]


class MissingRoleError(ValueError):
    """A beamline has no device in a role; the message names the role and the entry of the configuration to write.

    Parameters
    ----------
    role : str
    what : str
        What is not possible without it.
    """

    def __init__(self, role: str, what: str = "") -> None:
        self.role = role
        article = "an" if role[0] in "aeiou" else "a"
        super().__init__(
            f"{what or f'this needs {article} {role}'}: this beamline has no device in the role {role}; write"
            f' {role} = "NAME" of a device below [roles] of its configuration'
        )


@runtime_checkable
class Axis(Movable, Readable, Protocol):
    """A positioner that can refuse a setpoint before anything moves."""

    def check_value(self, value: Any) -> None:
        """Raise an error that names the axis if it cannot go to `value`."""
        ...


@runtime_checkable
class TemperatureAxis(Axis, Protocol):
    """The temperature of a sample, degC."""

    def is_at(self, value: Any) -> bool:
        """Whether `value` is set, and what is set was reached some time ago."""
        ...


@runtime_checkable
class TimedCounter(Readable, Triggerable, Protocol):
    """A detector that counts for a preset time (s)."""

    @property
    def preset_time(self) -> Axis: ...

    @property
    def counted_key(self) -> str:
        """Data key of the time (s) that it has really counted; empty if it has none."""
        ...

    def trigger(self) -> Status: ...


class Sweeper(Flyable, Preparable, Stoppable, Protocol):
    """Moves the energy along a trajectory while frames are counted, which it collects."""

    @property
    def buffer(self) -> Readable:
        """The frames of the last sweep as a whole."""

    def check_trajectory(self, trajectory: Mapping[str, Any]) -> None:
        """Raise an error if the energy cannot follow, or the counter does not take such frames."""


class Shutter(Movable, Protocol):
    """Takes 1 (open) and 0 (shut). A method `prepare` starts the move to the next state early and never fails."""


class DwellLabel(Movable, Readable, Protocol):
    """The signals that label an event with its dwell.

    Set to a mapping with the keys ``point_index``, ``segment``, ``attempt`` and ``laser_on``. These signals and
    `quality` are soft: a set is complete when it returns, so plans read them without waiting.
    """

    @property
    def quality(self) -> Movable: ...


class Timing(Readable, Protocol):
    """Bunches of the ring, their positions (fractions of a turn), and crossings from one laser pulse to the next."""

    @property
    def num_bunches(self) -> Readable: ...

    @property
    def bunch_places(self) -> Readable: ...

    @property
    def laser_divider(self) -> Readable: ...

    @property
    def laser_rate(self) -> Readable: ...


class WaitObserver(Protocol):
    """Callbacks at the beginning and at the end of each wait, for one line in the log each."""

    def begin(self, reason: str, reading: str) -> Any:
        """A wait begins; the value returned identifies it."""

    def end(self, wait: Any) -> None:
        """The wait is over."""

    def give_up(self, wait: Any) -> None:
        """The wait has lasted too long, and the scan ends."""


class NullWaitObserver:
    """A `WaitObserver` that does nothing."""

    def begin(self, reason: str, reading: str) -> None:
        """Do nothing."""

    def end(self, wait: None) -> None:
        """Do nothing."""

    def give_up(self, wait: None) -> None:
        """Do nothing."""


class XrayShutterGuard(Protocol):
    """Follows an X-ray shutter that a scan shuts, and decides whether the scan may reopen it."""

    def before_shut(self) -> None:
        """The scan is about to shut it."""

    def may_reopen(self) -> bool:
        """Whether nobody and nothing but the scan has shut it, and nobody has opened it; a refusal is reported."""


class TrustingGuard:
    """An `XrayShutterGuard` that allows everything."""

    def before_shut(self) -> None:
        """Do nothing."""

    def may_reopen(self) -> bool:
        """Always."""
        return True


@dataclass(frozen=True)
class Instruments:
    """The devices that a scan drives and reads, by their roles, and how fast they are. A role may be without a device.

    Attributes
    ----------
    energy : Axis
        X-ray energy, keV.
    counters : sequence of TimedCounter
        Triggered together for each dwell; I0 is one of them.
    dwell_label : DwellLabel
    delay : Axis, optional
        Pump-probe delay, ps, positive when the pump comes first.
    fluence : Axis, optional
        Laser fluence on the sample, mJ/cm2.
    temperature : TemperatureAxis, optional
        Of the sample, degC.
    images : sequence of TimedCounter
        Triggered together for an image, in place of the counters: an area detector and I0.
    sweep : Sweeper, optional
        Sweeps of the energy.
    read_in_a_sweep : sequence of Readable
        Readings that hold for all frames of a sweep, in place of the counters, which are then `resting`.
    laser_shutter : Shutter, optional
        1 opens, 0 shuts; without it scans have the laser off.
    timing : Timing, optional
    xray_shutter : Movable, optional
        1 opens, 0 shuts.
    readables : sequence of Readable
        Read with each dwell beside axes and counters.
    clock_rate : float
        Seconds of beamline time a second of wall time; 1 at a real beamline.
    times : MoveTimes
    steadiness : Steadiness
    """

    energy: Axis
    counters: Sequence[TimedCounter]
    dwell_label: DwellLabel
    delay: Axis | None = None
    fluence: Axis | None = None
    temperature: TemperatureAxis | None = None
    images: Sequence[TimedCounter] = ()
    sweep: Sweeper | None = None
    read_in_a_sweep: Sequence[Readable] = ()
    resting: Sequence[TimedCounter] = ()
    laser_shutter: Shutter | None = None
    timing: Timing | None = None
    xray_shutter: Movable | None = None
    readables: Sequence[Readable] = field(default_factory=tuple)
    clock_rate: float = 1.0
    times: MoveTimes = field(default_factory=MoveTimes)
    steadiness: Steadiness = field(default_factory=Steadiness)

    def __repr__(self) -> str:
        """Names of the devices, at most a screenful: a device of ophyd alone has that length."""
        given = ((each.name, getattr(self, each.name)) for each in fields(self))
        return f"Instruments({', '.join(f'{role}={_named(value)}' for role, value in given if value is not None)})"

    def taking_images(self) -> Instruments:
        """The same with the counters of an image."""
        return replace(self, counters=self.images)

    def sweeping(self) -> Instruments:
        """The same with the frames of a sweep in place of the counters."""
        assert self.sweep is not None  # refused before
        in_place = (*self.readables, *self.read_in_a_sweep, self.sweep.buffer)
        return replace(self, counters=(), resting=self.counters, readables=in_place)

    @property
    def area_detector(self) -> TimedCounter | None:
        """The first of `images`."""
        return self.images[0] if self.images else None

    def read_in_a_dwell(self) -> list[Readable]:
        """What an event holds, apart from the label of the dwell.

        The counters come last: their readings arrive while the others are read.
        """
        first = [each for each in (self.energy, self.delay, self.temperature, self.timing) if each is not None]
        return [*first, *self.readables, *self.counters]

    def axis(self, name: AxisName) -> Axis:
        """The axis of that name.

        Raises
        ------
        MissingRoleError
            If this beamline has none.
        """
        axis: Axis | None = getattr(self, name)
        if axis is None:
            raise MissingRoleError(name, f"the {name} cannot be set")
        return axis


@dataclass(frozen=True)
class Supervision:
    """What a session adds to a scan: when to wait, what to retry, and who logs it.

    Attributes
    ----------
    ready : callable, optional
        Awaited before each dwell.
    restore_xrays : callable, optional
        Awaited before each dwell that needs X-rays, and while a scan waits for them: reopens what may be reopened.
    xray_shutter : XrayShutterGuard
        Decides whether a run without X-rays may reopen the shutter.
    watch : Watcher
        Receives every change of what the numbers depend on while a dwell is counted.
    servers : ServerWatcher
        Knows which servers do not reply; a scan waits for them.
    tolerances : Tolerances
        How far axes may be from their points.
    wait_observer : WaitObserver
        Its callbacks log each wait.
    shutter_tries : int
        How often the laser shutter is set before a scan fails because its status does not follow.
    shutter_retry_interval : float
        Beamline seconds between two of these attempts.
    """

    ready: Callable[[], Awaitable[None]] | None = None
    restore_xrays: Callable[[], Awaitable[None]] | None = None
    xray_shutter: XrayShutterGuard = field(default_factory=TrustingGuard)
    watch: Watcher = field(default_factory=NullWatch)
    servers: ServerWatcher = field(default_factory=NullServerWatch)
    tolerances: Tolerances = field(default_factory=Tolerances)
    wait_observer: WaitObserver = field(default_factory=NullWaitObserver)
    shutter_tries: int = 3
    shutter_retry_interval: float = 0.0

    def awaited_before_a_dwell(self) -> list[Callable[[], Awaitable[None]]]:
        """The callables to await, in order."""
        return [each for each in (self.ready, self.restore_xrays) if each is not None]


def _named(value: Any) -> str:
    """The name of a device, those of several, or a value as it is."""
    if isinstance(value, Sequence):
        return f"[{', '.join(map(_named, value))}]"
    return str(getattr(value, "name", value))
