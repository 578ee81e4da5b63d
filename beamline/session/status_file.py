"""What only a session knows, for readers outside of it: a small file, replaced once a second by a thread of its own."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any, Protocol

from ophyd.utils.errors import OpException

from beamline.config.own_files import read_own, replace_file
from beamline.session.scans.suspenders import OutsideSuspender, SuspensionLog
from beamline.station.beamline import Beamline
from devices.base.abort import FAILED

logger = logging.getLogger(__name__)

FILE = Path("log") / "session.json"
"""Below the data root."""
PERIOD = 1.0
ENDED = "closed"
"""State of a session that has ended as it should."""
STOP_TIMEOUT = 2.0
SHUTTERS = ("xray_shutter", "laser_shutter")
"""Roles whose position is reported."""
POSITIONS = {0: "shut", 1: "open"}


@dataclass(frozen=True)
class SessionStatus:
    """A session at one time.

    Attributes
    ----------
    state : str
        Of the RunEngine: ``idle``, ``running``, ``paused``, ...
    waits : sequence of (str, float)
        Why a scan waits, and since when, seconds since 1970.
    readings : sequence of mapping
        Readings that hold scans up, with their limits, and shutters: ``name``, ``value``, and ``low``, ``high``,
        ``reason`` or ``words``.
    pid : int
    time : float
        Of this status, seconds since 1970.
    """

    state: str
    waits: Iterable[tuple[str, float]] = ()
    readings: Iterable[Mapping[str, Any]] = ()
    pid: int = field(default_factory=os.getpid)
    time: float = field(default_factory=time.time)


def read_status(root: Path) -> SessionStatus | None:
    """The last status below a data root; None without one."""
    try:
        found = json.loads(read_own(root / FILE))
        waits = [(str(reason), float(since)) for reason, since in found["waits"]]
        readings = [each for each in found["readings"] if isinstance(each, dict)]
        return SessionStatus(str(found["state"]), waits, readings, int(found["pid"]), float(found["time"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_status(root: Path, status: SessionStatus) -> None:
    """Replace the status below a data root."""
    path = root / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, json.dumps(asdict(status), allow_nan=False).encode())


class StatusThread:
    """Writes the status of a session, from values that it has anyway; a disk that hangs holds up nothing else.

    Parameters
    ----------
    root : Path
        The data root.
    look : callable
        Returns the present status.
    """

    def __init__(self, root: Path, look: Callable[[], SessionStatus]) -> None:
        self._root, self._look = root, look
        self._ended = Event()
        self._thread = Thread(target=self._run, name="session status", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write for the last time, that the session has ended."""
        self._ended.set()
        self._thread.join(STOP_TIMEOUT)

    def _run(self) -> None:
        while not self._ended.is_set():
            self._write(self._look)
            self._ended.wait(PERIOD)
        self._write(lambda: SessionStatus(ENDED))

    def _write(self, look: Callable[[], SessionStatus]) -> None:
        try:
            write_status(self._root, look())
        except (OSError, ValueError, TypeError):
            logger.debug("the status could not be written", exc_info=True)


class _Scans(Protocol):
    """The part of the scans of a session that is reported."""

    suspension_log: SuspensionLog
    suspenders: list[OutsideSuspender]


def status_of(engine: Any, scans: _Scans, beamline: Beamline) -> SessionStatus:
    """The present status, from monitored values alone."""
    waits = [(each.reason, each.began) for each in list(scans.suspension_log.suspensions) if each.seconds is None]
    readings = [each.reading() for each in scans.suspenders if not each.between_dwells]
    return SessionStatus(str(engine.state), waits, [*readings, *_shutters(beamline)])


def _shutters(beamline: Beamline) -> list[dict[str, Any]]:
    found = []
    for role in SHUTTERS:
        shutter = beamline.find(role)
        if shutter is not None and hasattr(type(shutter), "position"):
            value = None
            with suppress(*FAILED, OpException, ValueError, TypeError):
                value = int(shutter.position)
            found.append({"name": role, "value": value, "words": POSITIONS.get(value if value is not None else -1, "")})
    return found
