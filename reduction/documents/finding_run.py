"""A finding that is being made, or was, from the documents of its run: judged by what has been counted so far."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from reduction.documents.detectors import COUNTER, Detector
from reduction.documents.findings import Judges
from reduction.findings.finding import FindingResult

PLAN = "find_"
"""Beginning of the name of the plan of a finding."""
JUDGE = "judge"
"""Key of the start document: the arguments of `Judges`, chambers as lists of name, kind, device and edge."""
LABELS = "finding_labels"
"""Data key of the labels of a count, JSON."""
COUNTS, FINDING = "primary", "finding"
PHASE = "phase"
"""Key, in the readings for the judge, of the axis of a trace of the laser period, in documents its configuration."""


def is_finding(start: Mapping[str, Any]) -> bool:
    """Whether a run makes a finding that can be judged while it is made."""
    return JUDGE in start and str(start.get("plan_name", "")).startswith(PLAN)


def judges_of(entry: Mapping[str, Any]) -> Judges:
    """The judges of the entry `JUDGE` of a start document."""
    along, across = entry["steering"]
    return Judges(
        Detector("", COUNTER, entry["counter"]),
        entry["threshold"],
        entry["bunch_currents"],
        entry["i0_least"],
        tuple(Detector(name, kind, device, edge=edge) for name, kind, device, edge in entry["foil"]),
        (along, across),
        entry["boxcar"],
        entry["ring_current"],
        entry.get("diode", ""),
    )


class FindingRun:
    """One finding, updated by `take` with each document; a start document begins another.

    Attributes
    ----------
    start : mapping or None
        Start document; None before the first.
    counts : int
        Counts so far.
    last : float
        When the last one was saved, seconds since 1970; 0 before the first.
    made : mapping or None
        Data of the finding, once it is made.
    status : str
        ``exit_status`` of the run; empty while it runs.
    """

    def __init__(self) -> None:
        self._begin(None)

    def _begin(self, start: Mapping[str, Any] | None) -> None:
        self.start, self.made, self.status = start, None, ""
        self.counts, self.last = 0, 0.0
        self._rows: list[dict[str, Any]] = []
        self._streams: dict[str, str] = {}
        self._configuration: dict[str, Any] = {}

    def take(self, name: str, doc: Mapping[str, Any]) -> None:
        """Process one document."""
        if name == "start":
            self._begin(doc if is_finding(doc) else None)
        elif name == "descriptor":
            self._streams[doc["uid"]] = doc["name"]
            for of_device in doc.get("configuration", {}).values():
                self._configuration |= of_device["data"]
        elif name == "event" and self.start is not None:
            self._take_event(self._streams.get(doc["descriptor"], ""), doc)
        elif name == "stop":
            self.status = str(doc["exit_status"])

    def _take_event(self, stream: str, doc: Mapping[str, Any]) -> None:
        if stream == FINDING:
            self.made = doc["data"]
        elif stream == COUNTS:
            self._rows.append(self._row(doc["data"]))
            self.counts, self.last = len(self._rows), float(doc["time"])

    def _row(self, data: Mapping[str, Any]) -> dict[str, Any]:
        trace = (self.start or {})[JUDGE]["boxcar"] + "_pwa"
        phase = {PHASE: self._configuration[f"{trace}_phase"]} if f"{trace}_phase" in self._configuration else {}
        return {**data, **phase, **json.loads(data.get(LABELS, "{}"))}

    def judged(self) -> FindingResult | None:
        """The finding by the counts so far; None while they are too few to be judged."""
        start = self.start
        if start is None or not self._rows:
            return None
        judge = getattr(judges_of(start[JUDGE]), str(start["plan_name"]).removeprefix(PLAN), None)
        if judge is None:
            return None  # a finding of a later version
        try:
            found: FindingResult = judge(self._rows, start["conditions"])
        except (ArithmeticError, IndexError, KeyError, ValueError, np.linalg.LinAlgError):
            return None  # not enough of a scan for a fit
        return found
