"""Watches what a measurement is made under: settings that rest, states, and axes that stay while detectors count.

Monitors do it, so that a dwell pays nothing for it: whatever fires during a dwell is known at its end, also where it
has been put back by then.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any

from ophyd import EpicsSignal, Signal
from ophyd.signal import EpicsSignalBase
from ophyd.utils.errors import DisconnectedError

from devices.channel_access import GroupGet

GET_TIMEOUT = 2.0
"""Seconds for the records to say what they hold at the begin of a run."""
REMEMBERED = 100
"""Lines of the put log that are kept to look up who has put."""

LATE = 60.0
"""Seconds by which a value may come late; one that is older than that is of a clock that was set back."""
SEPARATORS = re.compile(r"[\s,;=]+")

Window = tuple[float, float]


@dataclass(frozen=True)
class Watched:
    """A signal that has to rest.

    Attributes
    ----------
    signal : EpicsSignalBase
    tolerance : float
        How far it may be from what it was, in its own unit; 0 for a setting, more for a readback.
    """

    signal: EpicsSignalBase
    tolerance: float = 0.0

    def differs(self, value: Any, before: Any) -> bool:
        """Whether a value is another one than before. What is no number is none that was before."""
        return value != before and not (self.tolerance and abs(value - before) <= self.tolerance)


class Watch:
    """What has changed while a dwell was counted, and what is not what it was at the begin of the run.

    Parameters
    ----------
    settings : sequence of Watched
        Compared with what they were at the begin of the run; a scan waits until they are that again.
    states : sequence of EpicsSignalBase
        Must not change while a dwell is counted; whether they are right is for checks and suspenders to say.
    axes : mapping
        Name of each axis and the signal that tells where it is; a plan says within which window it has to stay.
    laser_shutter : EpicsSignalBase
        Tells 1 (open) or 0 (shut), as the dwell wants it.
    put_logs : sequence of EpicsSignalBase
        Texts of records that tell of each put: who, which record, old and new value (EPICS module caPutLog).
    notify : callable
        Takes a sentence for each change that spoils a dwell.
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
    ) -> None:
        self._settings, self._states, self._axes = tuple(settings), tuple(states), dict(axes or {})
        self._laser_shutter, self._put_logs, self._notify = laser_shutter, tuple(put_logs), notify
        self._lock = Lock()
        self._before: dict[Signal, Any] = {}
        self._away: dict[Signal, Any] = {}
        self._changed: dict[Signal, Any] = {}
        self._told: set[Signal] = set()
        self._windows: dict[Signal, Window] = {}
        self._held: dict[Signal, Window] = {}
        self._resting: dict[Signal, Any] = {}
        self._wanted_laser: tuple[int, bool] = (0, False)
        self._stamps: dict[Signal, float] = {}
        self._puts: deque[str] = deque(maxlen=REMEMBERED)
        self._new_puts: deque[str] = deque(maxlen=REMEMBERED)
        self._callbacks: list[tuple[Signal, Callable[..., None]]] = []

    @property
    def is_staged(self) -> bool:
        """Whether it listens."""
        return bool(self._callbacks)

    def stage(self) -> list[object]:
        """Begin to listen."""
        self.unstage()
        for watched in self._settings:
            self._listen(watched.signal, partial(self._setting, watched))
        for signal in self._states:
            self._listen(signal, self._state)
        for signal in self._axes.values():
            self._listen(signal, self._axis)
        if self._laser_shutter is not None:
            self._listen(self._laser_shutter, self._laser)
        for signal in self._put_logs:
            self._listen(signal, self._put)
        return [self]

    def unstage(self) -> list[object]:
        """Listen no longer, and forget what was."""
        for signal, callback in self._callbacks:
            signal.clear_sub(callback)
        self._callbacks.clear()
        for kept in (self._before, self._away, self._changed, self._windows, self._held, self._resting, self._stamps):
            kept.clear()
        return [self]

    def _listen(self, signal: Signal, callback: Callable[..., None]) -> None:
        signal.subscribe(callback, run=False)
        self._callbacks.append((signal, callback))

    async def begin_run(self, held: Mapping[str, Window]) -> None:
        """Take what the settings are now as what they have to be; only once after it was staged.

        Parameters
        ----------
        held : mapping
            Windows of axes that a plan does not move: they have to rest as settings do.

        Raises
        ------
        DisconnectedError, TimeoutError
            Naming a record that does not answer.
        """
        if self._before:
            return
        signals = [watched.signal for watched in self._settings]
        if lost := [signal.pvname for signal in signals if not signal._read_pv.connected]:
            raise DisconnectedError(f"{', '.join(lost)} cannot be watched: not connected")
        gets = GroupGet([signal._read_pv for signal in signals])
        gets.wait(GET_TIMEOUT)
        answers = {signal: gets.reply(number) for number, signal in enumerate(signals)}
        if silent := [signal.pvname for signal, answer in answers.items() if answer is None]:
            raise TimeoutError(f"{', '.join(silent)} cannot be watched: no answer within {GET_TIMEOUT:g} s")
        with self._lock:
            self._before = {signal: answer[0] for signal, answer in answers.items() if answer is not None}
            self._stamps = {signal: answer[1] for signal, answer in answers.items() if answer is not None}
            self._held = {self._axes[name]: window for name, window in held.items() if name in self._axes}
            self._before |= {signal: sum(window) / 2 for signal, window in self._held.items()}
            self._away.clear()

    def begin_dwell(self, windows: Mapping[str, Window], laser_on: int) -> None:
        """A dwell begins: from now on everything has to rest.

        Parameters
        ----------
        windows : mapping
            Name of each axis, and between which values it has to stay.
        laser_on : int
            1 or 0; the laser shutter may still be on its way there.
        """
        with self._lock:
            self._changed.clear()
            self._told.clear()
            self._new_puts.clear()
            self._windows = {self._axes[name]: window for name, window in windows.items() if name in self._axes}
            self._resting = {signal: self._present(signal) for signal in self._states}
            shutter = self._laser_shutter
            self._wanted_laser = (laser_on, shutter is not None and self._present(shutter) == laser_on)

    def _present(self, signal: EpicsSignalBase) -> Any:
        """What the record has told last; what our own thread has not handed on yet is older, and will be ignored."""
        self._stamps[signal] = signal._read_pv.timestamp
        return signal.get() if signal.connected else signal._readback

    def _is_old(self, signal: Signal, stamp: float) -> bool:
        """Whether a value comes late that was there before what was compared with; a clock may have been set back."""
        known = self._stamps.get(signal)
        return known is not None and 0 <= known - stamp < LATE

    def away(self) -> list[str]:
        """What is not what it was at the begin of the run, a sentence each; a scan waits for it."""
        with self._lock:
            away = dict(self._away)
        return [
            f"{_record(signal)} is {_shown(value)}, it was {_shown(self._before[signal])} at the begin of the run"
            f"{self._by(signal)}"
            for signal, value in away.items()
        ]

    def changes(self) -> list[str]:
        """What has changed since the dwell began, or is away: the reasons why it does not count."""
        with self._lock:
            changed = {**self._away, **self._changed}
        for signal, value in changed.items():
            if signal not in self._told:
                self._told.add(signal)
                self._notify(f"{_record(signal)} became {_shown(value)} while a dwell was counted{self._by(signal)}")
        return [f"{signal.name} has changed ({_record(signal)})" for signal in changed]

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
        value = obj.get()  # not always what the record sends
        with self._lock:
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
            wanted, there = self._wanted_laser
            if value == wanted:
                self._wanted_laser = (wanted, True)
            elif there:
                self._changed[obj] = value

    def _put(self, *, value: Any, **_: Any) -> None:
        with self._lock:
            self._puts.append(str(value))
            self._new_puts.append(str(value))

    def _by(self, signal: Signal) -> str:
        """Who has put first since the dwell began, or else last of all, as far as the server tells."""
        names = _inputs(signal)
        with self._lock:
            lines = [*self._new_puts, *reversed(self._puts)]
        line = next((line for line in lines if names & {_plain(word) for word in SEPARATORS.split(line)}), "")
        return f" (put log: {line})" if line else ""


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _record(signal: Signal) -> str:
    """The record that tells a signal, or one that it is made from."""
    pvname = getattr(signal, "pvname", None) or getattr(getattr(signal, "derived_from", None), "pvname", signal.name)
    return str(pvname)


def _inputs(signal: Signal) -> set[str]:
    """Records by which people set what a signal tells: its own, or for a readback those of its device."""
    if isinstance(signal, EpicsSignal):
        return {_plain(signal.setpoint_pvname)}
    siblings = [getattr(signal.parent, name) for name in getattr(signal.parent, "component_names", ())]
    inputs = [each if isinstance(each, EpicsSignal) else getattr(each, "setpoint", None) for each in siblings]
    return {
        _plain(_record(signal)),
        *(_plain(each.setpoint_pvname) for each in inputs if isinstance(each, EpicsSignal)),
    }


def _plain(pvname: str) -> str:
    """A record is its field VAL."""
    return pvname.removesuffix(".VAL")
