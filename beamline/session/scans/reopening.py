"""Reopens the X-ray shutter after it closed for a lost permit, so that scans resume automatically."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Callable
from math import inf
from time import monotonic
from typing import Any

from devices.base.settings import NOT_SENT
from devices.instruments.xray_shutter import OPEN, XrayShutter

TRAVEL = 5.0
"""Wall seconds within which a shutter closes after it has lost its permit."""
LATE = 1.0
"""Wall seconds by which the monitor of the permit may lag behind that of the shutter."""
NOT_OPENED = (ValueError, *NOT_SENT)
"""Exceptions of a refused or failed set; the scan keeps waiting and reports them."""


class Reopening:
    """Tracks whether the X-ray shutter closed for a lost permit, and reopens it on request once the permit is back.

    A shutter that closed with its permit present was closed on purpose, and stays closed; so does one that was closed
    by its record at any time.

    Parameters
    ----------
    shutter : XrayShutter
        Connected.
    notify : callable
        Called with messages for the user.
    """

    def __init__(self, shutter: XrayShutter, notify: Callable[[str], None]) -> None:
        self._shutter, self._notify = shutter, notify
        self._open = shutter.position == OPEN
        self._permit = bool(shutter.permit.get())
        self._shut_at = self._without_permit = -inf
        self._fell = self._by_hand = self._notified = False
        self._closed = 0
        self._was_shut = False
        self._disturbed = ""
        shutter.status.subscribe(self._moved, run=False)
        shutter.permit.subscribe(self._permitted, run=False)
        shutter.close_command.subscribe(self._commanded, run=False)

    def close(self) -> None:
        """Unsubscribe."""
        self._shutter.status.clear_sub(self._moved)
        self._shutter.permit.clear_sub(self._permitted)
        self._shutter.close_command.clear_sub(self._commanded)

    async def open_again(self) -> None:
        """Open the shutter if it closed for a lost permit that is back; failures are reported once, and retried at the
        next call. Runs in the RunEngine's event loop.
        """
        if not (self._fell and self._shutter.permit.get()):
            return
        try:
            status = self._shutter.set(OPEN)
        except NOT_OPENED as error:
            if self._shutter.permit.get():  # otherwise the permit is lost again
                self._failed(error)
            return
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        status.add_callback(lambda _: loop.call_soon_threadsafe(ended.set))
        await ended.wait()
        if status.success:
            self._notify(
                f"The X-ray shutter was opened by the scan of {getpass.getuser()}: it closed for a lost permit, the"
                " permit is back, and [xray_shutter] reopen = true; the shutter is open again"
            )
        else:
            self._failed(status.exception())

    def before_shut(self) -> None:
        """A scan is about to shut the open shutter, and wants to reopen it."""
        self._closed, self._was_shut, self._disturbed = 0, False, ""

    def may_reopen(self) -> bool:
        """Whether only the scan has shut it, nobody has opened it, and it has had its permit all the time."""
        if self._open:
            return False
        disturbed = self._disturbed or ("" if self._shutter.permit.get() else "it has no permit")
        if disturbed:
            self._notify(f"The X-ray shutter stays shut after the run without X-rays: {disturbed}.")
        else:
            self._notify(f"The X-ray shutter is opened by the scan of {getpass.getuser()}, which had shut it.")
        return not disturbed

    def _failed(self, error: BaseException | None) -> None:
        if not self._notified:
            self._notified = True
            self._notify(f"The X-ray shutter closed for a lost permit and cannot be opened: {error}")

    def _commanded(self, value: int, old_value: int = 0, **_: Any) -> None:
        if value:
            self._by_hand, self._fell = True, False
        if value and not old_value:  # a put from here is called back again when the record posts it
            self._closed += 1
            # The first command is that of the scan, as is one that it repeats because the shutter is still open.
            if self._closed > 1 and not self._open:
                self._disturbed = "somebody else has shut it, too"

    def _moved(self, value: int, **_: Any) -> None:
        was_open, self._open = self._open, value == OPEN
        if self._open:
            if self._was_shut:
                self._disturbed = "somebody had opened it meanwhile"
            self._fell = self._by_hand = self._notified = False
            self._without_permit = -inf
        elif was_open:
            self._was_shut = True
            self._shut_at = monotonic()
            lately = (
                self._shut_at - self._without_permit < TRAVEL
            )  # the permit may be back before the shutter has closed
            self._fell = not self._by_hand and (lately or not self._shutter.permit.get())

    def _permitted(self, value: int, **_: Any) -> None:
        was_given, self._permit = self._permit, bool(value)
        if not (was_given and value):
            self._without_permit = monotonic()
        if not value:
            self._disturbed = "its permit was lost meanwhile"
        if not value and not self._by_hand and monotonic() - self._shut_at < LATE:
            self._fell = True
