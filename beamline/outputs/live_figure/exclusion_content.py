"""Which passes, points and dwells of a scan set are excluded, and why: from its events and the stream `ledger`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from beamline.outputs.live_figure.content import Document, PageContent
from beamline.records.runs.run import REPLAYED
from reduction.diagnostics.exclusions import reason_of
from reduction.documents.raw import PRIMARY

STATES = (
    "not measured",
    "counts",
    "counts, after dwells that were bad",
    "some dwells missing",
    "no good dwell",
    "left out by decision",
    "not reduced",
)
EMPTY, COUNTS, RETAKEN, PARTIAL, BAD, LEFT_OUT, UNREDUCED = range(len(STATES))


@dataclass
class PassExclusions:
    """One pass: dwells taken, good and reduced at each point (E,), faults, and exit status."""

    number: int
    taken: NDArray[np.int64]
    good: NDArray[np.int64]
    reduced: NDArray[np.int64]
    faults: list[tuple[int, str]] = field(default_factory=list)
    status: str = "running"
    reason: str = ""
    why_no_result: str = ""


@dataclass(frozen=True)
class Reason:
    """A reason for exclusions, and the points concerned.

    Attributes
    ----------
    what : str
        One of `reduction.diagnostics.exclusions.REASONS`, or the exit status of a pass.
    note : str
        Description.
    decided : bool
        Decided by hand or by a rule, so that it can be revoked; otherwise automatic.
    dwells : int
    points_by_pass : dict
        Points by pass number; -1 for the whole pass.
    """

    what: str
    note: str
    decided: bool
    dwells: int
    points_by_pass: dict[int, list[int]]


class ExclusionContent(PageContent):
    """Content of the ledger page: included and excluded passes, points and dwells of the newest scan set."""

    def __init__(self, at: float | None = None, over: str = "time") -> None:
        super().__init__(at, over)
        self._begin(None)

    def _begin(self, scan_set: object) -> None:
        self._scan_set = scan_set
        self.passes: dict[str, PassExclusions] = {}
        self.decisions: list[Document] = []
        self.decided_in = ""
        self._raw_of: dict[str, str] = {}
        self._streams: dict[str, tuple[str, str]] = {}

    def take(self, name: str, doc: Document) -> None:
        """Process one document, raw or reduced; of replays only the decisions are used."""
        replay = name == "start" and REPLAYED in doc
        if name == "start" and doc["scan_set"] != self._scan_set:
            self._begin(doc["scan_set"])
        if name == "start":
            self._take_start(doc, replay)
        elif name == "descriptor":
            self._streams[doc["uid"]] = (doc["run_start"], doc["name"])
        elif name == "event":
            self._take_event(doc)
        elif name == "stop":
            self._take_stop(doc)
        if not replay and not self._of_replay(name, doc):
            super().take(name, doc)

    def _take_start(self, start: Document, replay: bool) -> None:
        if "analysis_of" in start:
            self._raw_of[start["uid"]] = "" if replay else start["analysis_of"]
            return
        taken, good, reduced = np.zeros((3, len(start["grid"])), np.int64)
        self.passes[start["uid"]] = PassExclusions(int(start.get("scan_index", 0)) + 1, taken, good, reduced)

    def _of_replay(self, name: str, doc: Document) -> bool:
        run = self._streams.get(doc["descriptor"], ("", ""))[0] if name == "event" else str(doc.get("run_start", ""))
        return self._raw_of.get(run) == ""

    def _take_event(self, doc: Document) -> None:
        run, stream = self._streams.get(doc["descriptor"], ("", ""))
        data = doc["data"]
        if stream == "ledger":
            self.decisions, self.decided_in = json.loads(str(data["decisions"])), run
        one_pass = self.passes.get(self._raw_of.get(run, run))
        if one_pass is None:
            return
        if run in self._raw_of and stream == "points":
            point, fault = int(data["point_index"]), str(data["fault"])
            one_pass.reduced[point] += 1
            one_pass.good[point] += not fault
            if fault:
                one_pass.faults.append((point, fault))
        elif stream == PRIMARY and run not in self._raw_of:
            one_pass.taken[int(data["point_index"])] += 1

    def _take_stop(self, stop: Document) -> None:
        run = str(stop["run_start"])
        one_pass = self.passes.get(self._raw_of.get(run, run))
        if one_pass is None:
            return
        if run not in self._raw_of:
            one_pass.status, one_pass.reason = str(stop["exit_status"]), str(stop.get("reason", ""))
        elif stop["exit_status"] == "fail":
            one_pass.why_no_result = str(stop.get("reason", ""))

    def layout(self) -> Hashable:
        """The layout of the scan, and the number of passes."""
        scan = super().layout()
        return (scan, self.num_passes) if scan is not None else None

    @property
    def num_passes(self) -> int:
        """Number of passes begun or planned, whichever is larger."""
        return max(len(self.passes), self.scan.progress.passes)

    def states(self) -> NDArray[np.int64]:
        """Indices of `STATES`, shape (passes begun or planned, E)."""
        pattern = max(1, len((self.scan.start or {}).get("pattern", (1,))))
        rows = [_states_of(one_pass, pattern) for one_pass in self.passes.values()]
        found = np.full((self.num_passes, self.scan.energy.size), EMPTY)
        for number, row in enumerate(rows):
            found[number] = row
        uids = list(self.passes)
        for entry in self.decisions:
            if entry["scan"] in self.passes and not entry.get("detector"):  # without one detector a pass still counts
                number, point = uids.index(entry["scan"]), int(entry["point"])
                found[number, slice(None) if point < 0 else point] = LEFT_OUT
        return found

    def counts(self) -> tuple[int, int]:
        """Number of good dwells, and of all dwells."""
        out = self.states() == LEFT_OUT
        good = sum(int(one_pass.good[~out[row]].sum()) for row, one_pass in enumerate(self.passes.values()))
        return good, sum(int(one_pass.taken.sum()) for one_pass in self.passes.values())

    def reasons(self) -> list[Reason]:
        """Reasons for exclusions: decisions first, then the most frequent faults."""
        found = self._decided()
        seen = [
            (fault, one_pass.number, point) for one_pass in self.passes.values() for point, fault in one_pass.faults
        ]
        for fault, number in Counter(fault for fault, *_ in seen).most_common():
            points_by_pass = _points_by_pass((scan, point) for text, scan, point in seen if text == fault)
            found.append(Reason(reason_of(fault), fault, False, number, points_by_pass))
        for one_pass in self.passes.values():
            if one_pass.status not in ("running", "success"):
                found.append(
                    Reason(one_pass.status, one_pass.reason or "ended early", False, 0, {one_pass.number: [-1]})
                )
            if one_pass.why_no_result:
                found.append(Reason("no result", one_pass.why_no_result, False, 0, {one_pass.number: [-1]}))
        return found

    def _decided(self) -> list[Reason]:
        """Decisions, grouped by reason and note."""
        groups: dict[tuple[str, str], list[tuple[PassExclusions, int]]] = {}
        for entry in self.decisions:
            if (one_pass := self.passes.get(entry["scan"])) is not None:
                note = ", ".join(filter(None, (str(entry.get("detector", "")), str(entry["note"]))))
                groups.setdefault((str(entry["reason"]), note), []).append((one_pass, int(entry["point"])))
        found = []
        for (what, note), mine in groups.items():
            dwells = sum(int(one_pass.taken.sum() if point < 0 else one_pass.taken[point]) for one_pass, point in mine)
            found.append(
                Reason(what, note, True, dwells, _points_by_pass((one_pass.number, point) for one_pass, point in mine))
            )
        return found


def _states_of(one_pass: PassExclusions, pattern: int) -> NDArray[np.int64]:
    whole = one_pass.good >= pattern
    choices = [
        one_pass.taken == 0,
        one_pass.reduced < one_pass.taken,
        whole & (one_pass.reduced > one_pass.good),
        whole,
        one_pass.good > 0,
    ]
    return np.select(choices, [EMPTY, UNREDUCED, RETAKEN, COUNTS, PARTIAL], BAD)


def _points_by_pass(pairs: Iterable[tuple[int, int]]) -> dict[int, list[int]]:
    """Points by pass number."""
    found: dict[int, list[int]] = {}
    for number, point in sorted(set(pairs)):
        found.setdefault(number, []).append(point)
    return found
