"""The laser shutter at the begin and the end of a session, where the beamline has one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from beamline.station.beamline import Beamline
from devices.base.settings import NOT_SENT

SHUT = 0
LONGEST = 10.0
"""Seconds for the shutter to shut at the end."""


class LaserShutterAtTheEnd:
    """Shuts the laser shutter of a beamline at the end of its session."""

    def __init__(self, beamline: Beamline) -> None:
        self._shutter = beamline.find("laser_shutter")

    def shut_at_once(self) -> None:
        """Send the command and wait for nothing."""
        if self._shutter is None:
            return
        if hasattr(self._shutter, "shut_at_once"):
            self._shutter.shut_at_once()
        elif self._shutter.connected:
            with suppress(*NOT_SENT):
                self._shutter.set(SHUT)

    def wait_until_shut(self) -> None:
        """Shut it and wait, where its records are connected."""
        if self._shutter is not None and self._shutter.connected:
            self._shutter.set(SHUT).wait(timeout=LONGEST)


def report_open_shutter(beamline: Beamline, notify: Callable[[str], None]) -> None:
    """Report an open laser shutter."""
    shutter = beamline.find("laser_shutter")
    if shutter is not None and getattr(shutter, "position", False):
        notify(f"The laser shutter is open. Shut it with: RE(bps.mv({beamline.roles.laser_shutter}, 0))")
