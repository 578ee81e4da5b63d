"""Opens the X-ray shutter again after it has fallen shut without its permit, so that scans go on by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf
from time import monotonic
from typing import Any

from devices.xray_shutter import OPEN, XrayShutter

TOGETHER = 5.0
"""Seconds of wall time within which shutter and permit go together; they may be told of in either order."""


class Reopening:
    """Knows whether the X-ray shutter fell shut, and opens it when a scan asks and the permit is back.

    One that was shut while the permit was there was shut by somebody, and stays shut.

    Parameters
    ----------
    shutter : XrayShutter
        Connected.
    tell : callable
        Takes sentences for the user.
    """

    def __init__(self, shutter: XrayShutter, tell: Callable[[str], None]) -> None:
        self._shutter, self._tell = shutter, tell
        self._open = shutter.position == OPEN
        self._shut_at = -inf
        self._fell = self._told = False
        shutter.status.subscribe(self._moved, run=False)
        shutter.permit.subscribe(self._permitted, run=False)

    def close(self) -> None:
        """Watch no longer."""
        self._shutter.status.clear_sub(self._moved)
        self._shutter.permit.clear_sub(self._permitted)

    async def open_again(self) -> None:
        """Open the shutter if it fell shut and may be opened; a failure is told once, and tried again when asked again.

        For the RunEngine's loop.
        """
        if not (self._fell and self._shutter.permit.get()):
            return
        try:
            status = self._shutter.set(OPEN)
        except ValueError:  # the permit has gone again
            return
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        status.add_callback(lambda _: loop.call_soon_threadsafe(ended.set))
        await ended.wait()
        if status.success:
            self._tell("The X-ray shutter fell shut without its permit; the permit is back, and it is open again")
        elif not self._told:
            self._told = True
            self._tell(f"The X-ray shutter fell shut without its permit and cannot be opened: {status.exception()}")

    def _moved(self, value: int, **_: Any) -> None:
        was_open, self._open = self._open, value == OPEN
        if self._open:
            self._fell = self._told = False
        elif was_open:
            self._shut_at = monotonic()
            self._fell = not self._shutter.permit.get()

    def _permitted(self, value: int, **_: Any) -> None:
        if not value and monotonic() - self._shut_at < TOGETHER:
            self._fell = True
