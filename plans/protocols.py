"""What plans ask of the things they drive. Any device with these methods will do; plans know no device class."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from bluesky.protocols import Movable, Preparable, Readable, Status, Triggerable

AxisName = Literal["energy", "delay", "fluence"]


@runtime_checkable
class Axis(Movable, Readable, Protocol):
    """Something with a position that can refuse one before anything moves."""

    def check_value(self, value: Any) -> None:
        """Raise an error that names the axis if it cannot go to `value`."""
        ...


@runtime_checkable
class TimedCounter(Readable, Triggerable, Protocol):
    """A detector that counts for a preset time (s)."""

    @property
    def preset_time(self) -> Axis: ...

    def trigger(self) -> Status: ...


class Shutter(Movable, Preparable, Protocol):
    """Takes 1 (open) and 0 (shut); told beforehand by `prepare`, it goes there and does not fail."""


class ScanPlace(Movable, Readable, Protocol):
    """Where in a scan a dwell belongs.

    It is set to a mapping with the keys ``point_index``, ``segment``, ``attempt`` and ``laser_on``. It and its quality
    are set at once: they are read without waiting for them.
    """

    @property
    def quality(self) -> Movable: ...


class Timing(Readable, Protocol):
    """Bunches of the ring, where they are (shares of a turn), and crossings from one laser pulse to the next."""

    @property
    def num_bunches(self) -> Readable: ...

    @property
    def bunch_places(self) -> Readable: ...

    @property
    def laser_divider(self) -> Readable: ...

    @property
    def laser_rate(self) -> Readable: ...


class WaitObserver(Protocol):
    """Is told of each wait, on one line when it begins and on one when it ends."""

    def begin(self, reason: str, reading: str) -> Any:
        """A wait begins; what is returned names it."""

    def end(self, wait: Any) -> None:
        """It is over."""

    def give_up(self, wait: Any) -> None:
        """It has lasted too long, and the scan ends."""


class NullWaitObserver:
    """Nobody listens. A `WaitObserver`."""

    def begin(self, reason: str, reading: str) -> None:
        """Say nothing."""

    def end(self, wait: None) -> None:
        """Say nothing."""

    def give_up(self, wait: None) -> None:
        """Say nothing."""


@dataclass(frozen=True)
class MoveTimes:
    """How long moves take, for telling the time of a scan beforehand.

    Attributes
    ----------
    energy_speed : float
        keV a beamline second.
    fluence_speed : float
        mJ/cm2 a beamline second, on average over its range.
    energy_settle, fluence, delay, laser_shutter, xray_shutter : float
        Beamline seconds: settling of energy and fluence after a move, and a whole move of the others.
    message : float
        Wall seconds of messages and Channel Access for each move.
    dwell : float
        Wall seconds of messages and Channel Access for each dwell.
    run : float
        Wall seconds of messages and Channel Access for each run: its begin, first readings and end.
    """

    energy_speed: float = 0.02
    energy_settle: float = 0.1
    delay: float = 0.0
    fluence: float = 0.1
    fluence_speed: float = 8.0
    laser_shutter: float = 0.05
    xray_shutter: float = 0.5
    message: float = 0.005
    dwell: float = 0.02
    run: float = 0.15


@dataclass(frozen=True)
class Instruments:
    """Everything a scan drives and reads.

    Attributes
    ----------
    energy : Axis
        X-ray energy, keV.
    delay : Axis
        Pump-probe delay, ps, positive when the pump comes first.
    laser_shutter : Shutter
        1 opens, 0 shuts.
    counters : sequence of TimedCounter
        Triggered together for each dwell.
    place : ScanPlace
    timing : Timing
    readables : sequence of Readable
        Read with each dwell beside axes and counters.
    clock_rate : float
        Seconds of beamline time a second of wall time; 1 at a real beamline.
    fluence : Axis, optional
        Laser fluence on the sample, mJ/cm2.
    xray_shutter : Movable, optional
        1 opens, 0 shuts.
    times : MoveTimes
    shutter_tries : int
        How often a laser shutter that does not follow is asked before the scan is given up.
    shutter_wait : float
        Beamline seconds between two of these.
    waits : WaitObserver
        Is told what a scan waits for.
    ready : callable, optional
        Awaited before each dwell.
    xrays_back : callable, optional
        Awaited before each dwell that needs X-rays, and while a scan waits for them: brings back what can be.
    """

    energy: Axis
    delay: Axis
    laser_shutter: Shutter
    counters: Sequence[TimedCounter]
    place: ScanPlace
    timing: Timing
    readables: Sequence[Readable] = field(default_factory=tuple)
    clock_rate: float = 1.0
    fluence: Axis | None = None
    xray_shutter: Movable | None = None
    times: MoveTimes = MoveTimes()
    shutter_tries: int = 3
    shutter_wait: float = 0.0
    waits: WaitObserver = field(default_factory=NullWaitObserver)
    ready: Callable[[], Awaitable[None]] | None = None
    xrays_back: Callable[[], Awaitable[None]] | None = None

    def read_in_a_dwell(self) -> list[Readable]:
        """What an event holds, apart from the place in the scan.

        The counters come last: their readings are on the way while the others are read.
        """
        return [self.energy, self.delay, self.timing, *self.readables, *self.counters]

    def axis(self, name: AxisName) -> Axis:
        """The axis of that name.

        Raises
        ------
        ValueError
            If this beamline has none.
        """
        axis: Axis | None = getattr(self, name)
        if axis is None:
            raise ValueError(f"{name} cannot be set: this beamline has no {name} axis")
        return axis
