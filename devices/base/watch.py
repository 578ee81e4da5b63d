"""Monitors the conditions of a measurement: settings, states, and axes that must not move while detectors count.

CA monitors add no dead time to a dwell: every change during a dwell is known at its end, even if it has been reverted
by then.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any

from ophyd import Signal
from ophyd.signal import EpicsSignalBase

from devices.base.approach import Approach
from devices.base.bulk_read import raw_values
from devices.base.count_ends import CountEnds
from devices.base.record_names import inputs_of, plain_name, record_of, shown

REMEMBERED = 100
"""Lines of the put log that are stored to find the author of a put."""
LATE = 60.0
"""Largest delay of a late value, s; an older timestamp is from a clock that was set back."""
SEPARATORS = re.compile(r"[\s,;=]+")

Window = tuple[float, float]


@dataclass(frozen=True)
class Watched:
    """A signal that must not change.

    Attributes
    ----------
    signal : EpicsSignalBase
    tolerance : float
        Largest change that is ignored, in the unit of the signal; 0 for a setting, above 0 for a readback.
    """

    signal: EpicsSignalBase
    tolerance: float = 0.0

    def differs(self, value: Any, before: Any) -> bool:
        """Whether a value has changed. NaN differs from every value."""
        return value != before and not (self.tolerance and abs(value - before) <= self.tolerance)


class Watch:
    """Reports changes during a dwell, and settings that differ from the start of the run.

    Parameters
    ----------
    settings : sequence of Watched
        Compared with their values at the start of the run; a scan waits until they are restored.
    states : sequence of EpicsSignalBase
        Must not change during a dwell; checks and suspenders decide whether their values are right.
    axes : mapping
        Readback signal of each axis by name; the plan gives the window in which it must stay.
    laser_shutter : EpicsSignalBase
        Reads 1 (open) or 0 (shut), as the dwell requires.
    put_logs : sequence of EpicsSignalBase
        Text records with each put: user, record, old and new value (EPICS module caPutLog).
    busy : mapping
        Busy record of each detector, by name of the detector.
    upwards : str
        Name of the axis whose moves must end upwards, against its backlash; a dwell after another approach is rejected.
    notify : callable
        Called with a sentence for each change that spoils a dwell.
    """

    parent = None
    name = "watch"

    def __init__(
        self,
        settings: Sequence[Watched],
        states: Sequence[EpicsSignalBase] = (),
        axes: Mapping[str, Signal] | None = None,
        laser_shutter: EpicsSignalBase | None = None,
        put_logs: Sequence[EpicsSignalBase] = (),
        notify: Callable[[str], None] = lambda sentence: None,
        busy: Mapping[str, EpicsSignalBase] | None = None,
        upwards: str = "",
    ) -> None:
        self._upwards, self._approach = upwards, Approach()
        self._count_ends, self._late = CountEnds(busy or {}), list[str]()
        self._settings, self._states, self._axes = tuple(settings), tuple(states), dict(axes or {})
        self._laser_shutter, self._put_logs, self._notify = laser_shutter, tuple(put_logs), notify
        self._lock = Lock()
        self._before: dict[Signal, Any] = {}
        self._away: dict[Signal, Any] = {}
        self._changed: dict[Signal, Any] = {}
        self._reported: set[Signal] = set()
        self._windows: dict[Signal, Window] = {}
        self._held: dict[Signal, Window] = {}
        self._resting: dict[Signal, Any] = {}
        self._required_laser: tuple[int, bool] = (0, False)
        self._stamps: dict[Signal, float] = {}
        self._puts: deque[str] = deque(maxlen=REMEMBERED)
        self._new_puts: deque[str] = deque(maxlen=REMEMBERED)
        self._callbacks: list[tuple[Signal, Callable[..., None]]] = []

    @property
    def is_staged(self) -> bool:
        """Whether it is subscribed."""
        return bool(self._callbacks)

    def stage(self) -> list[object]:
        """Subscribe to all signals."""
        self.unstage()
        for watched in self._settings:
            self._subscribe(watched.signal, partial(self._setting, watched))
        for signal in self._states:
            self._subscribe(signal, self._state)
        for signal in self._axes.values():
            self._subscribe(signal, self._axis)
        if self._laser_shutter is not None:
            self._subscribe(self._laser_shutter, self._laser)
        for signal in self._put_logs:
            self._subscribe(signal, self._put)
        self._count_ends.stage()
        return [self]

    def unstage(self) -> list[object]:
        """Unsubscribe, and discard all values."""
        for signal, callback in self._callbacks:
            signal.clear_sub(callback)
        self._callbacks.clear()
        self._count_ends.unstage()
        for values in (self._before, self._away, self._changed, self._windows, self._held, self._resting, self._stamps):
            values.clear()
        self._approach.clear()
        return [self]

    def _subscribe(self, signal: Signal, callback: Callable[..., None]) -> None:
        signal.subscribe(callback, run=False)
        self._callbacks.append((signal, callback))

    async def begin_run(self, held: Mapping[str, Window]) -> None:
        """Take the present settings as reference; only the first call after staging has an effect.

        Parameters
        ----------
        held : mapping
            Windows of axes that a plan does not move: they must not change either.

        Raises
        ------
        DisconnectedError, TimeoutError
            Naming a record that does not answer.
        """
        if self._before:
            return
        answers = raw_values([watched.signal for watched in self._settings])
        with self._lock:
            self._before = {signal: value for signal, (value, _) in answers.items()}
            self._stamps = {signal: stamp for signal, (_, stamp) in answers.items()}
            self._held = {self._axes[name]: window for name, window in held.items() if name in self._axes}
            self._before |= {signal: sum(window) / 2 for signal, window in self._held.items()}
            self._away.clear()

    def moved(self, devices: Iterable[Any]) -> None:
        """The scan itself has moved these devices between two runs: where they are now is their reference."""
        ours = {*devices}
        watched = (each.signal for each in self._settings if each.signal in self._before)
        answers = raw_values([signal for signal in watched if signal.parent in ours])
        with self._lock:
            for signal, (self._before[signal], self._stamps[signal]) in answers.items():
                self._away.pop(signal, None)

    def begin_dwell(self, windows: Mapping[str, Window], laser_on: int, moving: Collection[Any] = ()) -> None:
        """A dwell begins: from now on nothing may change.

        Parameters
        ----------
        windows : mapping
            Lowest and highest allowed reading of each axis, by name.
        laser_on : int
            1 or 0; the laser shutter may still be moving.
        moving : collection of devices
            Their states may change: the dwell itself moves them.
        """
        with self._lock:
            for values in (self._changed, self._reported, self._new_puts, self._late):
                values.clear()
            self._count_ends.begin_dwell()
            self._windows = {self._axes[name]: window for name, window in windows.items() if name in self._axes}
            resting = [signal for signal in self._states if signal.parent not in moving]
            self._resting = {signal: self._present(signal) for signal in resting}
            shutter = self._laser_shutter
            self._required_laser = (laser_on, shutter is not None and self._present(shutter) == laser_on)

    async def caught_up(self, detectors: Iterable[str]) -> None:
        """Wait until all changes are known that came before the end of the counts of these detectors, by name."""
        self._late = await self._count_ends.late(detectors)
        for signal in self._axes.values():
            if signal.connected:  # its own callback comes after those of the records that it is computed from
                self._axis(obj=signal)
        with self._lock:
            signal = self._axes.get(self._upwards)
            if signal in self._windows and (above := self._approach.came_from_above(*self._windows[signal])):
                self._changed.setdefault(signal, above)

    def _present(self, signal: EpicsSignalBase) -> Any:
        """Latest value of a record; callbacks that are still queued carry older values, and are ignored."""
        self._stamps[signal] = signal._read_pv.timestamp
        return signal.get() if signal.connected else signal._readback

    def _is_old(self, signal: Signal, stamp: float) -> bool:
        """Whether a late value is older than the reference; a clock that was set back does not count as late."""
        known = self._stamps.get(signal)
        return known is not None and 0 <= known - stamp < LATE

    def away(self) -> list[str]:
        """A sentence for each setting that differs from the start of the run; a scan waits until it is restored."""
        with self._lock:
            away = dict(self._away)
        return [
            f"{record_of(signal)} is {shown(value)}, it was {shown(self._before[signal])} at the beginning of the run"
            f"{self._by(signal)}"
            for signal, value in away.items()
        ]

    def changes(self) -> list[str]:
        """Changes since the dwell began, and settings that are away: the reasons why it is rejected."""
        with self._lock:
            changed = {**self._away, **self._changed}
        for signal, value in changed.items():
            if signal not in self._reported:
                self._reported.add(signal)
                self._notify(f"{record_of(signal)} became {shown(value)} while a dwell was counted{self._by(signal)}")
        late = [f"monitors of {name} are late" for name in self._late]
        return [*(f"{signal.name} has changed ({record_of(signal)})" for signal in changed), *late]

    def lost_axes(self) -> list[str]:
        """Names of the axes that have left their windows since the dwell began."""
        with self._lock:
            return [name for name, each in self._axes.items() if each in self._changed and each not in self._held]

    def _setting(self, watched: Watched, *, value: Any, timestamp: float, **_: Any) -> None:
        signal = watched.signal
        with self._lock:
            if signal not in self._before or self._is_old(signal, timestamp):
                return
            differs = watched.differs(value, self._before[signal])
            if differs:
                self._changed[signal] = value
            self._keep(signal, value, differs)

    def _state(self, *, value: Any, obj: Signal, timestamp: float, **_: Any) -> None:
        with self._lock:
            if obj in self._resting and value != self._resting[obj] and not self._is_old(obj, timestamp):
                self._changed[obj] = value

    def _axis(self, *, obj: Signal, **_: Any) -> None:
        value = obj.get()  # may differ from the value that the record sends
        with self._lock:
            if obj is self._axes.get(self._upwards):
                self._approach.note(value)
            low, high = self._held.get(obj) or self._windows.get(obj, (value, value))
            if not low <= value <= high:
                self._changed[obj] = value
            if obj in self._held:
                self._keep(obj, value, not low <= value <= high)

    def _keep(self, signal: Signal, value: Any, away: bool) -> None:
        if away:
            self._away[signal] = value
        else:
            self._away.pop(signal, None)

    def _laser(self, *, value: Any, obj: Signal, timestamp: float, **_: Any) -> None:
        with self._lock:
            if self._is_old(obj, timestamp):
                return
            wanted, there = self._required_laser
            if value == wanted:
                self._required_laser = (wanted, True)
            elif there:
                self._changed[obj] = value

    def _put(self, *, value: Any, **_: Any) -> None:
        with self._lock:
            self._puts.append(str(value))
            self._new_puts.append(str(value))

    def _by(self, signal: Signal) -> str:
        """Line of the put log: the first put since the dwell began, or else the latest one, if the server logs it."""
        names = inputs_of(signal)
        with self._lock:
            lines = [*self._new_puts, *reversed(self._puts)]
        line = next((line for line in lines if names & {plain_name(word) for word in SEPARATORS.split(line)}), "")
        return f" (put log: {line})" if line else ""
