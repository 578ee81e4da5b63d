"""Ctrl-C at a prompt pauses the running plan; pressing it repeatedly does not harm the RunEngine."""

from __future__ import annotations

import signal
import threading
from contextlib import suppress
from queue import SimpleQueue
from time import monotonic
from types import FrameType
from typing import Any

from bluesky import RunEngine
from bluesky.utils import TransitionError

AGAIN = 10.0
"""Seconds within which a second Ctrl-C pauses immediately instead of at the next checkpoint."""
BOUNCE = 0.1
"""Seconds within which two presses count as one."""


class PauseOnInterrupt:
    """Context manager of the RunEngine: Ctrl-C pauses at the next checkpoint, a second one immediately.

    Bluesky's own handler interrupts the RunEngine's thread after eleven presses, which breaks the RunEngine.

    Parameters
    ----------
    engine : bluesky.RunEngine
    """

    def __init__(self, engine: RunEngine) -> None:
        self._engine = engine
        self._presses: SimpleQueue[bool | None] = SimpleQueue()
        self._last = -AGAIN
        self._before: Any = None

    def __enter__(self) -> PauseOnInterrupt:
        if threading.current_thread() is threading.main_thread():  # Python delivers signals to it alone
            self._before = signal.signal(signal.SIGINT, self._pressed)
            threading.Thread(target=self._pause, name="Ctrl-C", daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._presses.put(None)

    def _pressed(self, number: int, frame: FrameType | None) -> None:
        since, self._last = monotonic() - self._last, monotonic()
        if since > BOUNCE:
            self._presses.put(since > AGAIN)

    def _pause(self) -> None:
        while (defer := self._presses.get()) is not None:
            if defer:
                print("Ctrl-C: the plan pauses at the next checkpoint; press again to pause at once.")
            with suppress(TransitionError):  # already pausing, or just ended
                self._engine.request_pause(defer=defer)
