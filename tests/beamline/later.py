"""Acting in another thread while a scan runs."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tests.devices.builds import until


def later(condition: Callable[[], bool], action: Callable[[], None]) -> threading.Thread:
    """Do something in another thread as soon as a condition holds."""

    def wait_and_act() -> None:
        until(condition, "the moment to act")
        action()

    thread = threading.Thread(target=wait_and_act)
    thread.start()
    return thread
