"""Stopping rule of a session: counts a point until its predicted counting error reaches a target."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

SLOT = 0


class PredictedErrorRule:
    """Predicts the remaining counting time of a point from its counting error so far.

    An error falls with the square root of the time. The target holds for the sum of all passes, so a pass aims at
    ``target * sqrt(passes / (scan_index + 1))``: the time is distributed evenly over passes.

    Parameters
    ----------
    is_working : callable
        Called first; reduces pending dwells, and returns whether the live reduction works in this run.
    notify : callable
        Called with messages for the user.
    """

    def __init__(self, is_working: Callable[[], bool], notify: Callable[[str], None]) -> None:
        self._is_working = is_working
        self._notify = notify
        self._start: Mapping[str, Any] = {}
        self._notified = False
        self._error: dict[int, float] = {}
        self._dwells: dict[int, int] = {}
        self._of_one_counter: set[str] = set()

    def begin(self, name: str, doc: Mapping[str, Any]) -> None:
        """Process the start document of a raw run."""
        self._start, self._notified = doc, False
        self._error, self._dwells = {}, {}

    def take(self, name: str, doc: Mapping[str, Any]) -> None:
        """Process a document of the live reduction; of several counters their combination counts."""
        if name == "descriptor" and str(doc["name"]).startswith("points_"):
            self._of_one_counter.add(doc["uid"])
        if name != "event" or "difference_stddev" not in doc["data"] or doc.get("descriptor") in self._of_one_counter:
            return
        data = doc["data"]
        off, stddev = (float(np.asarray(data[key])[SLOT]) for key in ("off", "difference_stddev"))
        point = int(data["point_index"])
        self._error[point] = stddev / abs(off) if off else math.inf
        self._dwells[point] = int(data["dwells_off"]) + int(data["dwells_on"])

    def __call__(self, point_index: int) -> float | None:
        """Remaining beamline seconds of a point in this pass; None if the live reduction does not work."""
        if not self._is_working() or point_index not in self._error:
            if not self._notified:
                self._notify("No live reduction: each point of this pass is counted for its longest time.")
            self._notified = True
            return None
        error, seconds = self._error[point_index], self._dwells[point_index] * float(self._start["dwell"])
        if not math.isfinite(error):
            return math.inf
        fraction = (int(self._start["scan_index"]) + 1) / int(self._start["passes"])
        wanted = seconds * (error / float(self._start["target"])) ** 2 * fraction
        return wanted - seconds
