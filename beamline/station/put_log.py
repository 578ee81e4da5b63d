"""The log of puts: every value that this session sends to a record, with the one before it, and who sent it."""

from __future__ import annotations

import getpass
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ophyd import Device, EpicsSignal
from ophyd.signal import UNSET_VALUE

from beamline.formatting import printable
from beamline.station.connect import epics_signals
from beamline.station.logs import close_log, rotating_log

SIZE, FILES = 10_000_000, 10
"""A scan puts about five values a dwell, a hundred bytes each: a week of scans."""
SENDING = "_write_pv.put("
"""What ophyd begins its remark with when it sends a value, in the log that each signal has."""
LONGEST = 80


class Purpose:
    """What values are put for: the run that is open. A RunEngine subscriber; call it without documents for the text."""

    def __init__(self) -> None:
        self._run = ""

    def __call__(self, name: str, doc: Mapping[str, Any]) -> None:
        """Take a document of a raw run."""
        if name == "start":
            self._run = f"scan {doc.get('scan_id')} {doc.get('plan_name', '')}".rstrip()
        elif name == "stop":
            self._run = ""

    def text(self) -> str:
        """Of the run that is open; empty if none is."""
        return self._run


class PutLog:
    """Keeps every put of some devices in ``log/puts.log`` below the data root.

    Parameters
    ----------
    root : Path
    devices : mapping
    running : callable
        Says which scan is under way; an empty text if none is.
    """

    def __init__(self, root: Path, devices: Mapping[str, Device], running: Callable[[], str]) -> None:
        self._log = rotating_log(root, "puts", SIZE, FILES)
        self._running = running
        self._user = getpass.getuser()
        signals = [signal for device in devices.values() for signal in epics_signals(device)]
        self._listening = {signal: signal.control_layer_log for signal in signals if isinstance(signal, EpicsSignal)}
        for signal, remarks in self._listening.items():
            signal.control_layer_log = _Remarks(remarks.logger, remarks.extra, signal, self.keep)

    def keep(self, signal: EpicsSignal, value: Any) -> None:
        """Write a line: when, who, what for, record, old value as far as it is known here, new value."""
        before = signal._readback
        old = "" if before is None or before is UNSET_VALUE else _short(before)
        if not signal._auto_monitor:
            old += "?"  # what this session knew last: others may have put since
        purpose = self._running() or "between scans"
        self._log.info("%s, %s: %s %s -> %s", self._user, purpose, signal.setpoint_pvname, old, _short(value))

    def close(self) -> None:
        """Listen no longer."""
        for signal, remarks in self._listening.items():
            signal.control_layer_log = remarks
        close_log(self._log)


class _Remarks(logging.LoggerAdapter):  # type: ignore[type-arg]
    """What a signal says to its log; what it says of puts goes to ours as well."""

    def __init__(self, logger: logging.Logger, extra: Any, signal: EpicsSignal, keep: Callable[..., None]) -> None:
        super().__init__(logger, extra)
        self._signal, self._keep = signal, keep

    def debug(self, msg: object, *args: object, **kwargs: Any) -> None:
        if args and str(msg).startswith(SENDING):
            self._keep(self._signal, args[0])
        super().debug(msg, *args, **kwargs)


def _short(value: Any) -> str:
    """A value on part of a line."""
    if isinstance(value, np.ndarray):
        return f"array of {value.size}"
    text = printable(f"{value:.9g}" if isinstance(value, float) else value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
