"""The log of puts: each value that this session puts to a record, with the old value, user and purpose."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ophyd import Device, EpicsSignal
from ophyd.signal import UNSET_VALUE

from beamline.formatting import printable
from beamline.station.connect import epics_signals
from beamline.station.logs import rotating_log
from devices.base.settings import Setting
from devices.instruments.controller import Controller

SIZE, FILES = 10_000_000, 10
"""About five puts per dwell, a hundred bytes each: a week of scans."""
LONGEST = 80


class Purpose:
    """The run that puts are made for. A RunEngine subscriber; `text` has the run that is open."""

    def __init__(self) -> None:
        self._run = ""

    def __call__(self, name: str, doc: Mapping[str, Any]) -> None:
        """Take a document of a raw run."""
        if name == "start":
            self._run = f"scan {doc.get('scan_id')} {doc.get('plan_name', '')}".rstrip()
        elif name == "stop":
            self._run = ""

    def text(self) -> str:
        """Number and plan of the open run; empty without one."""
        return self._run


class SessionPutLog:
    """Writes each put to a `devices.base.settings.Setting` of some devices into ``log/puts.log`` below the data root.

    Parameters
    ----------
    root : Path
    devices : mapping
    running : callable
        Returns which scan is under way; an empty text if none is.
    """

    def __init__(self, root: Path, devices: Mapping[str, Device], running: Callable[[], str]) -> None:
        self._log = rotating_log(root, "puts", SIZE, FILES)
        self._running = running
        self._user = getpass.getuser()
        logged = [device for device in devices.values() if not isinstance(device, Controller)]  # a put every 5 s
        signals = [signal for device in logged for signal in epics_signals(device)]
        self._observed = [signal for signal in signals if isinstance(signal, Setting)]
        for signal in self._observed:
            signal.on_put = self.record

    def record(self, signal: EpicsSignal, value: Any) -> None:
        """Write a line: time, user, purpose, record, old value as far as it is known here, new value."""
        before = signal._readback
        old = "" if before is None or before is UNSET_VALUE else _short(before)
        if not signal._auto_monitor:
            old += "?"  # last value known here; other clients may have put since
        purpose = self._running() or "between scans"
        self._log.write(f"{self._user}, {purpose}: {signal.setpoint_pvname} {old} -> {_short(value)}")

    def close(self) -> None:
        """Stop observing, and close the file."""
        for signal in self._observed:
            signal.on_put = None
        self._log.close()


def _short(value: Any) -> str:
    """Format a value briefly."""
    if isinstance(value, np.ndarray):
        return f"array of {value.size}"
    text = printable(f"{value:.9g}" if isinstance(value, float) else value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
