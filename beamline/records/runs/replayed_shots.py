"""Shots of stored runs reduced again in step with their documents, as they were live."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from beamline.records.shot_files.live import THRESHOLD, Beside, LiveShots
from reduction.shots.block import BlockError

logger = logging.getLogger(__name__)


class ReplayedShots:
    """Reduces the shots of runs that recorded them; what cannot be read is said and left out.

    Parameters
    ----------
    beside : callable
        As for `beamline.records.shot_files.live.LiveShots`.

    Attributes
    ----------
    failures : list of str
        A sentence for each run whose shots could not be reduced to the end.
    """

    def __init__(self, beside: Beside) -> None:
        self.failures: list[str] = []
        self._live = LiveShots(0, beside=beside)
        self._run = ""
        self._rows = False

    def __call__(self, name: str, doc: Mapping[str, Any]) -> None:
        """Process one raw document."""
        if name == "start":
            self._run, self._rows = (doc["uid"] if THRESHOLD in doc else ""), False
        if not self._run:
            return
        self._rows |= name == "stream_datum"
        if name == "stop" and not self._rows:
            self._fail("no rows are named where they belong")
            return
        try:
            self._live(name, doc)
        except (OSError, BlockError) as error:
            self._fail(str(error))

    def _fail(self, reason: str) -> None:
        self.failures.append(f"shots of run {self._run[:8]} are not reduced again: {reason}")
        logger.warning(self.failures[-1])
        self._run = ""
        self._live.close()

    def close(self) -> None:
        """End reading."""
        self._live.close()
