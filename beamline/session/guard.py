"""Isolates a subscriber: its failure is reported without stopping the scan."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

logger = logging.getLogger(__name__)

Subscriber = Callable[[str, Mapping[str, Any]], None]


class Guard:
    """Calls a subscriber; if it raises, reports it once and skips the subscriber until the next run.

    Parameters
    ----------
    subscriber : callable
        Takes (name, document).
    title : str
        Name in messages.
    notify : callable
        Called with messages for the user.
    """

    def __init__(self, subscriber: Subscriber, title: str, notify: Callable[[str], None]) -> None:
        self._subscriber, self._title, self._notify = subscriber, title, notify
        self.failure: str | None = None
        """Why the subscriber is skipped in this run; None while it works."""

    def __call__(self, name: str, doc: Mapping[str, Any]) -> None:
        """Dispatch a document, unless the subscriber has failed in this run."""
        if name == "start":
            self.failure = None
        if self.failure is not None:
            return
        try:
            self._subscriber(name, doc)
        except Exception as error:  # on any error the acquisition must continue
            self.failure = f"{type(error).__name__}: {error}"
            logger.exception("%s failed at a %s document", self._title, name)
            self._notify(
                f"DEGRADED: {self._title} failed ({self.failure}). The scan continues and raw data are kept;"
                " reduce the run again afterwards."
            )
