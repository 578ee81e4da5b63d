"""Bluesky statuses without threads of their own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Lock

logger = logging.getLogger(__name__)


class ThreadlessStatus:
    """A Status without a thread, completed by `end()`; callbacks run in the calling thread.

    An ophyd status starts a thread and inspects the signature of each callback. For the counters of a dwell that takes
    longer than sending the puts.

    Parameters
    ----------
    operation : str
        Named in the message of a timeout.
    """

    def __init__(self, operation: str) -> None:
        self._operation, self._ended, self._lock = operation, Event(), Lock()
        self._error: BaseException | None = None
        self._callbacks: list[Callable[[ThreadlessStatus], object]] = []

    @property
    def done(self) -> bool:
        """Whether it has completed."""
        return self._ended.is_set()

    @property
    def success(self) -> bool:
        """Whether it has completed without an error."""
        return self.done and self._error is None

    def end(self, error: BaseException | None = None) -> None:
        """Complete the status, as failed if there is an error; only the first call counts."""
        with self._lock:
            if self.done:
                return
            self._error = error
            self._ended.set()
        for callback in self._callbacks:
            try:
                callback(self)
            except Exception:  # the other callbacks must run all the same
                logger.exception("a callback failed after the end of %s", self._operation)

    def add_callback(self, callback: Callable[[ThreadlessStatus], object]) -> None:
        """Call `callback` on completion; at once if the status is done."""
        with self._lock:
            if not self.done:
                self._callbacks.append(callback)
                return
        callback(self)

    def exception(self, timeout: float | None = 0.0) -> BaseException | None:
        """The error that the status has failed with; None after a success.

        Raises
        ------
        TimeoutError
            If it has not completed within `timeout` seconds; None waits without a limit.
        """
        if not self._ended.wait(timeout):
            raise TimeoutError(f"{self._operation} has not ended within {timeout:g} s")
        return self._error

    def wait(self, timeout: float | None = None) -> None:
        """Wait for completion, and raise the error of a failed status.

        Raises
        ------
        TimeoutError
            If it has not completed within `timeout` seconds.
        """
        error = self.exception(timeout)
        if error is not None:
            raise error


class FinishedStatus(ThreadlessStatus):
    """A status that is done, successfully, when it is made: for values kept in this process."""

    def __init__(self) -> None:
        super().__init__("nothing")
        self.end()
