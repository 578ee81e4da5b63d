"""The record in an IOC that names the controlling session: for machines that share no disk with its lock files.

The session puts its name every few seconds, so that the record of one that was killed, or whose machine is gone, is
known to be left over: its time stamp stands still.
"""

from __future__ import annotations

import getpass
import logging
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread

from ophyd.utils.errors import DisconnectedError

from beamline.formatting import printable
from beamline.session.lock import ControlLostError
from devices.base.abort import FAILED
from devices.base.settings import NOT_SENT
from devices.instruments.controller import Controller

logger = logging.getLogger(__name__)

PERIOD = 5.0
"""Seconds between two puts of a controlling session."""
LEFT_OVER = 2.5 * PERIOD
"""Seconds without a put after which the record is that of a session that is no more."""
LONGEST_PUT = 2.0
"""Seconds to wait for a put that is under way at the end."""
POLL = 0.2
NOBODY = "nobody"
"""Put at the end of a session. An empty text would do as well, but some clients do not receive an empty array."""


class ControlRecord:
    """Names this session in the record, and reports other sessions that are named there.

    Parameters
    ----------
    controller : Controller or None
        Connected; None where the beamline has no such record: then nobody is named.
    beamline : str
        Name of the beamline.
    """

    def __init__(self, controller: Controller | None, beamline: str) -> None:
        self._controller = controller
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        own = f"{getpass.getuser()}@{socket.gethostname()} {os.getpid()} {beamline} {since}"
        self._own = controller.fitted(own) if controller is not None else own
        self._ended = Event()
        self._thread: Thread | None = None

    def refusal(self) -> str:
        """Why this session may not control the beamline: another one is named and lives; empty if there is none.

        To be called with the lock of this machine: a session of this machine that is named then is no more. One of
        another machine is waited for until it puts its name again.
        """
        named = self.named()
        if not named or named == self._own or f"@{socket.gethostname()} " in named:
            return ""
        return f"controlled by {named} ({self._pvname})" if self.is_refreshed() else ""

    def named(self) -> str:
        """The session that is named now; empty if there is none, or the record does not reply."""
        if self._controller is None:
            return ""
        with suppress(*FAILED, DisconnectedError):
            named = printable(str(self._controller.text.get())).strip()
            return "" if named == NOBODY else named
        return ""

    def is_refreshed(self) -> bool:
        """Whether the named session puts its name within `LEFT_OVER` seconds."""
        if self._controller is None:
            return False
        before, deadline = self._controller.stamp(), time.monotonic() + LEFT_OVER
        while before is not None and time.monotonic() < deadline:
            time.sleep(POLL)
            if self._controller.stamp() not in (None, before):
                return bool(self.named())
        return False

    def take(self, notify: Callable[[str], None]) -> None:
        """Name this session from now on."""
        if self._controller is not None:
            self._put(self._own)
            self._thread = Thread(target=self._refresh, args=(notify,), name="control record", daemon=True)
            self._thread.start()

    def check(self) -> None:
        """Refuse a plan if another session is named.

        Raises
        ------
        ControlLostError
        """
        if self._thread is not None and (named := self.named()) not in ("", self._own):
            raise ControlLostError(f"{named} has taken control ({self._pvname})")

    def release(self) -> None:
        """Name `NOBODY`, if this session is named."""
        self._ended.set()
        if self._thread is None:
            return
        self._thread.join(LONGEST_PUT)
        if self.named() == self._own:
            self._put(NOBODY)

    @property
    def _pvname(self) -> str:
        return str(self._controller.text.pvname) if self._controller is not None else ""

    def _refresh(self, notify: Callable[[str], None]) -> None:
        while not self._ended.wait(PERIOD):
            named = self.named()
            if named not in ("", self._own):
                notify(f"{named} has taken control ({self._pvname}); no more scan starts here.")
                return
            if not self._ended.is_set():
                self._put(self._own)

    def _put(self, text: str) -> None:
        """Put a text; where the server does not reply, the next put does it."""
        if self._controller is None:
            return
        try:
            self._controller.text.put(text, wait=False)
        except (*FAILED, *NOT_SENT):
            logger.debug("the control record could not be put", exc_info=True)
