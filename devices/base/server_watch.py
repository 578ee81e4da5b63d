"""Watches whether the servers of a scan reply: a frozen one is reported by name and waited for, not a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any, Protocol

from ophyd import Device
from ophyd.signal import EpicsSignalBase

from devices.base.heartbeat import Heartbeat
from devices.channel_access import PV, ChannelAccessException, GroupGet

INTERVAL = 0.25
"""Seconds between a reply and the next question."""
PATIENCE = 1.5
"""Seconds without a reply after which a server is silent; below the 2 s after which a get fails."""
LONGEST_BEAT = 3.0
"""Age in seconds of a heartbeat beyond which a server hangs even if it replies."""
REPORTED_AFTER = 5.0
"""Seconds of silence after which it is reported."""
CHANNELS = ("_read_pv", "_write_pv")
"""Attributes of signals."""
LATE = 1.5
"""Seconds by which a round may be late; beyond that this process was stopped."""


class Observer(Protocol):
    """Callbacks at the begin and the end of a wait."""

    def begin(self, reason: str, reading: str) -> Any: ...

    def end(self, wait: Any) -> None: ...

    def give_up(self, wait: Any) -> None: ...


class ServerWatch:
    """Asks one record of each server for its value while staged, in a thread of its own.

    A server that replied and falls silent while its circuit is open is frozen, and stays so also when Channel Access
    gives up its circuit; it replies again when all its channels are connected again. One that disconnects at once has
    been killed: that is not waited for.

    Parameters
    ----------
    devices : iterable of ophyd.Device
        Connected when this is staged; of each server its heartbeat is asked, or another record if it has none.
    observer : Observer
        Its callbacks log a silence of more than five seconds.
    notify : callable
        Called with a sentence when this process itself was stopped for a while.
    """

    parent = None
    name = "server_watch"

    def __init__(self, devices: Iterable[Device], observer: Observer, notify: Callable[[str], None]) -> None:
        self._devices, self._observer, self._notify = tuple(devices), observer, notify
        self._lock = Lock()
        self._ended = Event()
        self._ended.set()
        self._probes: Mapping[EpicsSignalBase, Sequence[PV]] = {}
        self._silent: dict[EpicsSignalBase, float] = {}
        self._over: dict[str, float] = {}
        self._asked = monotonic()
        self._wait: Any = None
        self._thread: Thread | None = None

    def stage(self) -> list[object]:
        """Begin to ask."""
        self.unstage()
        self._probes = _one_per_server(self._devices)
        self._asked = monotonic()
        self._ended = Event()
        self._thread = Thread(target=self._watch, args=(self._ended,), name="server watch", daemon=True)
        self._thread.start()
        return [self]

    def unstage(self) -> list[object]:
        """Stop asking."""
        with self._lock:
            self._ended.set()
            self._silent.clear()
            self._over.clear()
            wait, self._wait = self._wait, None
        if wait is not None:
            self._observer.give_up(wait)
        return [self]

    def close(self) -> None:
        """Stop asking, and wait for the thread: it must not be in libca when the process ends."""
        self.unstage()
        if self._thread is not None:
            self._thread.join(2 * PATIENCE)

    def silent(self) -> list[str]:
        """A reason for each server that does not reply now."""
        with self._lock:
            return [_reason(probe) for probe in self._silent]

    def silences(self, since: float) -> list[str]:
        """The same, with the silences that have ended since a moment (of `time.monotonic`)."""
        with self._lock:
            over = [reason for reason, end in self._over.items() if end >= since]
            return list(dict.fromkeys([*map(_reason, self._silent), *over]))

    def has_asked_since(self, moment: float) -> bool:
        """Whether all servers have replied, or failed to, after a moment; also when nobody is asked."""
        return self._ended.is_set() or self._asked > moment

    def _watch(self, ended: Event) -> None:
        last = monotonic()
        while not ended.wait(INTERVAL):
            asked = monotonic()
            replied = self._ask()
            now = monotonic()
            stopped = now - last if now - last > INTERVAL + PATIENCE + LATE else 0.0
            last = now
            if replied is not None or stopped:
                self._take(replied or set(), now if stopped else asked, stopped, ended)

    def _ask(self) -> set[EpicsSignalBase] | None:
        """Servers that reply; None if one has disconnected just now."""
        connected = [probe for probe in self._probes if probe._read_pv.connected]
        try:
            gets = GroupGet([probe._read_pv for probe in connected])
        except ChannelAccessException:
            return None
        gets.wait(PATIENCE)
        replies = {probe: gets.reply(number) for number, probe in enumerate(connected)}
        return {probe for probe, reply in replies.items() if reply is not None and not _hangs(probe, reply[0])}

    def _take(self, replied: set[EpicsSignalBase], asked: float, stopped: float, ended: Event) -> None:
        now = monotonic()
        with self._lock:
            if ended.is_set():
                return
            for probe in self._probes:
                if probe in replied:
                    if probe in self._silent and all(channel.connected for channel in self._probes[probe]):
                        del self._silent[probe]
                        self._over[_reason(probe)] = now
                elif probe._read_pv.connected or stopped:
                    self._silent.setdefault(probe, asked)
            if stopped:
                self._over["the session was stopped"] = now
            self._asked = asked
            late = [probe for probe, since in self._silent.items() if now - since >= REPORTED_AFTER]
            self._report(late)
        if stopped:
            self._notify(f"This session was stopped for {stopped:.0f} s; what it was doing is done again.")

    def _report(self, late: Sequence[EpicsSignalBase]) -> None:
        if late and self._wait is None:
            hosts = ", ".join(dict.fromkeys(str(probe._read_pv.host) for probe in late))
            reason = f"no reply from {', '.join(probe.pvname for probe in late)}"
            self._wait = self._observer.begin(reason, f"the server at {hosts} is frozen or cannot be reached")
        elif self._wait is not None and not self._silent:
            self._observer.end(self._wait)
            self._wait = None


def _one_per_server(devices: Iterable[Device]) -> dict[EpicsSignalBase, list[PV]]:
    """All connected heartbeats, of which several may be behind one gateway, and a record of each other server.

    With the channels of its server.
    """
    entries = [entry.item for device in devices for entry in device.walk_signals(include_lazy=True)]
    signals = [signal for signal in entries if isinstance(signal, EpicsSignalBase) and signal._read_pv.connected]
    beats = [signal for signal in signals if isinstance(signal, Heartbeat)]
    known = {beat._read_pv.host for beat in beats}
    scalars = [signal for signal in signals if signal._read_pv.count == 1]
    others = {signal._read_pv.host: signal for signal in scalars if signal._read_pv.host not in known}
    channels: dict[str, list[PV]] = {}
    for channel in (getattr(signal, name) for signal in signals for name in CHANNELS if hasattr(signal, name)):
        channels.setdefault(channel.host, []).append(channel)
    return {probe: channels[probe._read_pv.host] for probe in (*beats, *others.values())}


def _hangs(probe: EpicsSignalBase, value: Any) -> bool:
    if not isinstance(probe, Heartbeat):
        return False
    probe.notice(value)
    return bool(probe.age > LONGEST_BEAT)


def _reason(probe: EpicsSignalBase) -> str:
    return f"no reply from {probe.pvname}"
