"""The status of something that ends later, without a thread of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Lock

logger = logging.getLogger(__name__)


class ThreadlessStatus:
    """A status that ends when somebody says so; its callbacks are called in the thread of who says it.

    An ophyd status starts a thread and looks up the signature of each callback: for the counters of a dwell that takes
    longer than sending the puts.

    Parameters
    ----------
    what : str
        What is waited for, in the message of a wait that takes too long.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._error: BaseException | None = None
        self._ended = Event()
        self._callbacks: list[Callable[[ThreadlessStatus], None]] = []
        self._lock = Lock()

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self._ended.is_set()

    @property
    def success(self) -> bool:
        """Whether it has ended well."""
        return self.done and self._error is None

    def end(self, error: BaseException | None = None) -> None:
        """It has ended, well or by an error; only the first end counts."""
        with self._lock:
            if self.done:
                return
            self._error = error
            self._ended.set()
        for callback in self._callbacks:
            try:
                callback(self)
            except Exception:  # the others have to be called all the same
                logger.exception("%s has ended, and a callback failed", self._what)

    def add_callback(self, callback: Callable[[ThreadlessStatus], None]) -> None:
        """Call back at the end; at once if that has been."""
        with self._lock:
            if not self.done:
                self._callbacks.append(callback)
                return
        callback(self)

    def exception(self, timeout: float | None = 0.0) -> BaseException | None:
        """What it has failed by; None if it has ended well.

        Raises
        ------
        TimeoutError
            If it has not ended within `timeout` seconds; None waits for ever.
        """
        if not self._ended.wait(timeout):
            raise TimeoutError(f"{self._what} has not ended within {timeout:g} s")
        return self._error

    def wait(self, timeout: float | None = None) -> None:
        """Wait for the end and raise what it has failed by.

        Raises
        ------
        TimeoutError
            If it has not ended within `timeout` seconds.
        """
        error = self.exception(timeout)
        if error is not None:
            raise error


class FinishedStatus:
    """A status that has succeeded when it is made.

    An ophyd status has a thread of its own, which a value kept in this process does not need.
    """

    done = True
    success = True

    def add_callback(self, callback: Callable[[FinishedStatus], None]) -> None:
        """Call back at once."""
        callback(self)

    def wait(self, timeout: float | None = None) -> None:
        """Return at once."""

    def exception(self, timeout: float | None = 0.0) -> BaseException | None:
        """None: nothing failed."""
        return None
