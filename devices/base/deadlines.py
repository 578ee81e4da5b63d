"""Calls after a time, all by one thread: starting a thread for each takes longer than sending a put."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable
from itertools import count
from threading import Condition, Thread
from time import monotonic

logger = logging.getLogger(__name__)


class Deadline:
    """A call that is due at a time of `time.monotonic`, unless it is cancelled before."""

    def __init__(self, when: float, number: int, function: Callable[[], None]) -> None:
        self.when, self._number = when, number
        self._function: Callable[[], None] | None = function

    def __lt__(self, other: Deadline) -> bool:
        return (self.when, self._number) < (other.when, other._number)

    @property
    def cancelled(self) -> bool:
        """Whether there is nothing to call."""
        return self._function is None

    def cancel(self) -> None:
        """Do not call; what is called just now is not stopped."""
        self._function = None

    def call(self) -> None:
        """Call, unless cancelled; an exception is logged."""
        function, self._function = self._function, None
        if function is None:
            return
        try:
            function()
        except Exception:  # the other deadlines must be met all the same
            logger.exception("a deadline failed")


class Deadlines:
    """Deadlines of a process, met by a daemon thread that starts with the first one.

    The thread is woken for a deadline that is earlier than all others, and sleeps beyond cancelled ones.
    """

    def __init__(self) -> None:
        self._waiting: list[Deadline] = []
        self._changed = Condition()
        self._numbers = count()
        self._thread: Thread | None = None

    def call_later(self, seconds: float, function: Callable[[], None]) -> Deadline:
        """Call a function, which must be quick, after a time."""
        with self._changed:
            deadline = Deadline(monotonic() + seconds, next(self._numbers), function)
            heapq.heappush(self._waiting, deadline)
            if self._thread is None or not self._thread.is_alive():  # a forked process has no thread of its own
                self._thread = Thread(target=self._run, name="deadlines", daemon=True)
                self._thread.start()
            elif self._waiting[0] is deadline:
                self._changed.notify()
        return deadline

    def _run(self) -> None:
        while True:
            self._next().call()

    def _next(self) -> Deadline:
        """The next deadline, when it is due."""
        with self._changed:
            while True:
                while self._waiting and self._waiting[0].cancelled:
                    heapq.heappop(self._waiting)
                left = self._waiting[0].when - monotonic() if self._waiting else None
                if left is not None and left <= 0:
                    return heapq.heappop(self._waiting)
                self._changed.wait(left)


_OF_PROCESS = Deadlines()
"""That of the process, as libca's context is: devices are made one by one, and have nothing in common to hold it."""


def call_later(seconds: float, function: Callable[[], None]) -> Deadline:
    """Call a function, which must be quick, after a time, by the thread of this process for that."""
    return _OF_PROCESS.call_later(seconds, function)
