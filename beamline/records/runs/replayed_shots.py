"""Reduction of shots of stored runs in step with their documents, as in the live reduction."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from beamline.records.shot_files.live import THRESHOLD, Beside, LiveShots
from reduction.shots.block import BlockError

logger = logging.getLogger(__name__)


class ReplayedShots:
    """Reduces recorded shots; blocks that cannot be read are reported and skipped.

    Parameters
    ----------
    beside : callable
        As for `beamline.records.shot_files.live.LiveShots`.

    Attributes
    ----------
    failures : list of str
        A message for each run whose shots could not be reduced completely.
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
            self._fail("rows of an event are not referenced")
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
        """Close the file."""
        self._live.close()
