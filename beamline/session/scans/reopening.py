"""Opens the X-ray shutter again after it has fallen shut without its permit, so that scans go on by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf
from time import monotonic
from typing import Any

from devices.base.settings import NOT_SENT
from devices.instruments.xray_shutter import OPEN, XrayShutter

TRAVEL = 5.0
"""Seconds of wall time within which a shutter falls shut that has lost its permit."""
LATE = 1.0
"""Seconds of wall time by which the loss of a permit may be told of later than the fall that it has caused."""
NOT_OPENED = (ValueError, *NOT_SENT)
"""What a set raises that is refused or cannot be sent; the scan goes on waiting, and has to say why."""


class Reopening:
    """Knows whether the X-ray shutter fell shut, and opens it when a scan asks and the permit is back.

    One that was shut while the permit was there was shut by somebody, and stays shut; so does one that was told to shut
    by its record, whenever that was.

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
        shutter.status.subscribe(self._moved, run=False)
        shutter.permit.subscribe(self._permitted, run=False)
        shutter.close_command.subscribe(self._commanded, run=False)

    def close(self) -> None:
        """Watch no longer."""
        self._shutter.status.clear_sub(self._moved)
        self._shutter.permit.clear_sub(self._permitted)
        self._shutter.close_command.clear_sub(self._commanded)

    async def open_again(self) -> None:
        """Open the shutter if it fell shut and may be opened; a failure is told once, and tried again when asked again.

        For the RunEngine's loop.
        """
        if not (self._fell and self._shutter.permit.get()):
            return
        try:
            status = self._shutter.set(OPEN)
        except NOT_OPENED as error:
            if self._shutter.permit.get():  # else it has gone again
                self._failed(error)
            return
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        status.add_callback(lambda _: loop.call_soon_threadsafe(ended.set))
        await ended.wait()
        if status.success:
            self._notify("The X-ray shutter fell shut without its permit; the permit is back, and it is open again")
        else:
            self._failed(status.exception())

    def _failed(self, error: BaseException | None) -> None:
        if not self._notified:
            self._notified = True
            self._notify(f"The X-ray shutter fell shut without its permit and cannot be opened: {error}")

    def _commanded(self, value: int, **_: Any) -> None:
        if value:
            self._by_hand, self._fell = True, False

    def _moved(self, value: int, **_: Any) -> None:
        was_open, self._open = self._open, value == OPEN
        if self._open:
            self._fell = self._by_hand = self._notified = False
            self._without_permit = -inf
        elif was_open:
            self._shut_at = monotonic()
            lately = self._shut_at - self._without_permit < TRAVEL  # it may be back before the shutter has travelled
            self._fell = not self._by_hand and (lately or not self._shutter.permit.get())

    def _permitted(self, value: int, **_: Any) -> None:
        was_given, self._permit = self._permit, bool(value)
        if not (was_given and value):
            self._without_permit = monotonic()
        if not value and not self._by_hand and monotonic() - self._shut_at < LATE:
            self._fell = True
