"""Readings of every dwell of a scan set, and the results of each pass, for drifts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beamline.outputs.live_figure.content import Document, PageContent
from reduction.documents.raw import PRIMARY

Array = NDArray[np.float64]
READINGS = (
    "point_index", "laser_on", "i0", "i0_time", "i0_gain", "i0_dark", "ring_current", "laser_lock_error",
    "laser_locked",
)  # fmt: skip
"""Readings of a raw event that are stored; NaN without such a device."""
COUNTED = ("photons", "photons_stddev")
"""Means over the slots, from the live reduction."""


@dataclass
class PassLog:
    """One pass: a list of values for each dwell, the reduced points in their order, and its results.

    Attributes
    ----------
    raw : list of dict
        `READINGS`, and ``time`` (seconds since 1970), ``good``.
    points : list of document
        Data of the stream `points`.
    results : dict
        Data of the streams at the end of a pass, by stream.
    planned, pattern : int
        Dwells of the pass, and of each point.
    """

    raw: list[dict[str, float]]
    points: list[Document]
    results: dict[str, Document]
    planned: int
    pattern: int


class DwellLog(PageContent):
    """The newest scan set, with every dwell of its passes."""

    def __init__(self, at: float | None = None, over: str = "time") -> None:
        super().__init__(at, over)
        self.passes: dict[str, PassLog] = {}
        self._scan_set: object = None
        self._raw_of: dict[str, str] = {}
        self._streams: dict[str, tuple[str, str]] = {}

    def take(self, name: str, doc: Document) -> None:
        """Process one document, raw or reduced."""
        super().take(name, doc)
        if name == "start":
            self._take_start(doc)
        elif name == "descriptor":
            self._streams[doc["uid"]] = (doc["run_start"], doc["name"])
        elif name == "event":
            self._take_event(doc)

    def _take_start(self, start: Document) -> None:
        if start["scan_set"] != self._scan_set:
            self._scan_set, self.passes, self._raw_of = start["scan_set"], {}, {}
        if "analysis_of" in start:
            self._raw_of[start["uid"]] = start["analysis_of"]
        else:
            pattern = max(1, len(start.get("pattern", (1,))))
            self.passes[start["uid"]] = PassLog([], [], {}, int(start.get("num_events", 0)), pattern)

    def _take_event(self, doc: Document) -> None:
        run, stream = self._streams.get(doc["descriptor"], ("", ""))
        mine = self.passes.get(self._raw_of.get(run, run))
        if mine is None:
            return
        if run in self._raw_of:
            mine.points.append(doc["data"]) if stream == "points" else mine.results.update({stream: doc["data"]})
        elif stream == PRIMARY:
            values = {key: float(doc["data"].get(key, np.nan)) for key in READINGS}
            mine.raw.append({**values, "time": float(doc["time"]), "good": float(doc["data"]["quality"] == "good")})

    def table(self) -> dict[str, Array]:
        """Columns of all dwells in their order: `READINGS`, `COUNTED`, ``time``, ``good`` and ``run``, shape (D,)."""
        rows = [row for number, each in enumerate(self.passes.values()) for row in _rows(each, number)]
        keys = (*READINGS, *COUNTED, "time", "good", "run")
        return {key: np.array([row[key] for row in rows], dtype=np.float64) for key in keys}


def _rows(log: PassLog, number: int) -> list[dict[str, Any]]:
    """Dwells of a pass with their counts. The reduction processes them in order, but may have missed some."""
    rows: list[dict[str, Any]] = [{**raw, "run": number, **dict.fromkeys(COUNTED, np.nan)} for raw in log.raw]
    at = 0
    for point in log.points:
        while at < len(rows) and rows[at]["point_index"] != point["point_index"]:
            at += 1
        if at == len(rows):
            break
        photons, stddev = np.asarray(point["photons"]), np.asarray(point.get("photons_stddev", np.nan))
        rows[at]["photons"] = float(photons.mean())
        rows[at]["photons_stddev"] = float(np.sqrt(np.mean(stddev**2) / photons.size))
        at += 1
    return rows
