"""A session that starts in a thread of its own, so that nobody waits for its records."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Any

logger = logging.getLogger(__name__)

Make = Callable[[contextlib.ExitStack], Any]


class Starting:
    """Makes a session in the background, tells when it is there or why it is not, and can try again.

    Parameters
    ----------
    make : callable
        Makes the session; what it has to end later goes on the stack that it gets, and is ended at once if it fails.
    notify : callable
        Takes sentences for the user.

    Attributes
    ----------
    session : object or None
    failure : str
        Why there is no session; empty while it is being made, and when it is there.
    """

    def __init__(self, make: Make, notify: Callable[[str], None]) -> None:
        self._make, self._notify = make, notify
        self._stack = contextlib.ExitStack()
        self._thread: threading.Thread | None = None
        self._done = threading.Event()
        self.session: Any = None
        self.failure = ""

    def begin(self) -> None:
        """Start, or try again after a failure; nothing happens while it is under way or has succeeded."""
        if self.session is not None or (self._thread is not None and not self._done.is_set()):
            return
        self._done.clear()
        self.failure = ""
        self._thread = threading.Thread(target=self._work, name="session start", daemon=True)
        self._thread.start()

    @property
    def is_under_way(self) -> bool:
        """Whether the session is being made."""
        return self._thread is not None and not self._done.is_set()

    def wait(self, timeout: float | None = None) -> Any:
        """Wait for the session; None if there is none, or not within `timeout` (s). Ctrl-C ends the wait alone."""
        self._done.wait(timeout)
        return self.session

    def close(self) -> None:
        """End the session, once it is there."""
        self._done.wait()
        self._stack.close()
        self.session = None

    def _work(self) -> None:
        try:
            with contextlib.ExitStack() as stack:
                self.session = self._make(stack)
                self._stack = stack.pop_all()
        except Exception as error:  # whatever it is, the prompt stays, and says it
            logger.debug("the session did not start", exc_info=True)
            self.failure = " ".join(getattr(error, "brief", str(error)).split()) or type(error).__name__
            todo = "Mend it and type %connect; `trxas doctor` names each record; exit leaves."
            self._notify(f"NO SESSION: {self.failure} {todo}")
        finally:
            self._done.set()
