"""Starts a session in a background thread, so that the prompt does not wait for records."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Any

logger = logging.getLogger(__name__)

Make = Callable[[contextlib.ExitStack], Any]


class Starting:
    """Starts a session in the background, reports when it is ready or why it failed, and can retry.

    Parameters
    ----------
    make : callable
        Starts the session; takes an exit stack for its clean-up, which is closed at once if it raises.
    notify : callable
        Called with messages for the user.

    Attributes
    ----------
    session : object or None
    failure : str
        Why there is no session; empty while it starts and while it runs.
    """

    def __init__(self, make: Make, notify: Callable[[str], None]) -> None:
        self._make, self._notify = make, notify
        self._stack = contextlib.ExitStack()
        self._thread: threading.Thread | None = None
        self._done = threading.Event()
        self.session: Any = None
        self.failure = ""

    def begin(self) -> None:
        """Start, or retry after a failure; does nothing while a start is under way or has succeeded."""
        if self.session is not None or (self._thread is not None and not self._done.is_set()):
            return
        self._done.clear()
        self.failure = ""
        self._thread = threading.Thread(target=self._work, name="session start", daemon=True)
        self._thread.start()

    @property
    def is_under_way(self) -> bool:
        """Whether the session is starting."""
        return self._thread is not None and not self._done.is_set()

    def wait(self, timeout: float | None = None) -> Any:
        """Wait for the session; None if it failed or on timeout (s). Ctrl-C interrupts the wait only."""
        self._done.wait(timeout)
        return self.session

    def close(self) -> None:
        """Close the session, once it has started."""
        self._done.wait()
        self._stack.close()
        self.session = None

    def _work(self) -> None:
        try:
            with contextlib.ExitStack() as stack:
                self.session = self._make(stack)
                self._stack = stack.pop_all()
        except Exception as error:  # on any error the prompt stays and reports it
            logger.debug("the session did not start", exc_info=True)
            self.failure = " ".join(getattr(error, "brief", str(error)).split()) or type(error).__name__
            todo = "Fix this and type %connect; `trxas doctor` names each record; exit leaves."
            self._notify(f"NO SESSION: {self.failure} {todo}")
        finally:
            self._done.set()
