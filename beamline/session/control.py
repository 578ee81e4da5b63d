"""SoleControl of a beamline by one session: the lock files of this machine, and the record that other machines see."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bluesky.utils import MsgGenerator

from beamline.config.models import Configuration
from beamline.session.control_record import ControlRecord
from beamline.session.lock import ControlLock, lock_paths
from devices.instruments.controller import Controller


class SoleControl:
    """Held by the controlling session until it is released, or its process ends.

    Parameters
    ----------
    config : Configuration
    controller : Controller or None
        Connected record of the beamline, if it has one.
    """

    def __init__(self, config: Configuration, controller: Controller | None) -> None:
        self._lock, self._record = ControlLock(lock_paths(config)), ControlRecord(controller, config.name)
        self.refusal = self._lock.refusal or self._record.refusal()
        """Why it is not held; empty if it is."""
        if self.refusal:
            self._lock.release()

    def sign(self, notify: Callable[[str], None]) -> None:
        """Name this session in the record."""
        self._record.take(notify)

    def restore(self) -> list[Path]:
        """Restore lock files that were removed or replaced; returns their paths.

        Raises
        ------
        ControlLostError
            If another session has taken control meanwhile.
        """
        self._record.check()
        return self._lock.restore()

    def release(self) -> None:
        """Let another session take control."""
        self._record.release()
        self._lock.release()


def checked_first(check: Callable[[], None], plan: MsgGenerator[Any]) -> MsgGenerator[Any]:
    """The plan, after a check that may refuse it."""
    check()
    return (yield from plan)
