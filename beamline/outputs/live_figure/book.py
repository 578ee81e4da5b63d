"""What of a scan set counts and what does not, with the reasons: from its dwells, points and the stream `ledger`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from beamline.outputs.live_figure.content import Content, Document
from beamline.records.runs.store import REPLAYED
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
class PassBook:
    """One pass: dwells that were taken and that count at each point (E,), faults, and how it ended."""

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
    """Something that is out, and where.

    Attributes
    ----------
    what : str
        Of `reduction.diagnostics.exclusions.REASONS`, or how a pass ended.
    note : str
        In words.
    decided : bool
        By hand or by a rule, so that it can be taken back; otherwise the chain left it out.
    dwells : int
    places : dict
        Points by number of the pass; -1 for the whole pass.
    """

    what: str
    note: str
    decided: bool
    dwells: int
    places: dict[int, list[int]]


class Book(Content):
    """The newest scan set as a ledger: passes, points and dwells that are in and out."""

    def __init__(self, at: float | None = None, over: str = "time") -> None:
        super().__init__(at, over)
        self._begin(None)

    def _begin(self, scan_set: object) -> None:
        self._scan_set = scan_set
        self.passes: dict[str, PassBook] = {}
        self.decisions: list[Document] = []
        self.decided_in = ""
        self._raw_of: dict[str, str] = {}
        self._streams: dict[str, tuple[str, str]] = {}

    def take(self, name: str, doc: Document) -> None:
        """Take one document, raw or reduced; of replays only the decisions count."""
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
        self.passes[start["uid"]] = PassBook(int(start.get("scan_index", 0)) + 1, taken, good, reduced)

    def _of_replay(self, name: str, doc: Document) -> bool:
        run = self._streams.get(doc["descriptor"], ("", ""))[0] if name == "event" else str(doc.get("run_start", ""))
        return self._raw_of.get(run) == ""

    def _take_event(self, doc: Document) -> None:
        run, stream = self._streams.get(doc["descriptor"], ("", ""))
        data = doc["data"]
        if stream == "ledger":
            self.decisions, self.decided_in = json.loads(str(data["decisions"])), run
        book = self.passes.get(self._raw_of.get(run, run))
        if book is None:
            return
        if run in self._raw_of and stream == "points":
            point, fault = int(data["point_index"]), str(data["fault"])
            book.reduced[point] += 1
            book.good[point] += not fault
            if fault:
                book.faults.append((point, fault))
        elif stream == PRIMARY and run not in self._raw_of:
            book.taken[int(data["point_index"])] += 1

    def _take_stop(self, stop: Document) -> None:
        run = str(stop["run_start"])
        book = self.passes.get(self._raw_of.get(run, run))
        if book is None:
            return
        if run not in self._raw_of:
            book.status, book.reason = str(stop["exit_status"]), str(stop.get("reason", ""))
        elif stop["exit_status"] == "fail":
            book.why_no_result = str(stop.get("reason", ""))

    def layout(self) -> Hashable:
        """The number of passes counts too."""
        scan = super().layout()
        return (scan, self.num_passes) if scan is not None else None

    @property
    def num_passes(self) -> int:
        """Passes that were begun, or planned if those are more."""
        return max(len(self.passes), self.scan.progress.passes)

    def states(self) -> NDArray[np.int64]:
        """Indices of `STATES`, shape (passes begun or planned, E)."""
        pattern = max(1, len((self.scan.start or {}).get("pattern", (1,))))
        rows = [_states_of(book, pattern) for book in self.passes.values()]
        found = np.full((self.num_passes, self.scan.energy.size), EMPTY)
        for number, row in enumerate(rows):
            found[number] = row
        uids = list(self.passes)
        for entry in self.decisions:
            if entry["scan"] in self.passes:
                place, point = uids.index(entry["scan"]), int(entry["point"])
                found[place, slice(None) if point < 0 else point] = LEFT_OUT
        return found

    def counts(self) -> tuple[int, int]:
        """Dwells that count, and dwells that were taken."""
        out = self.states() == LEFT_OUT
        good = sum(int(book.good[~out[row]].sum()) for row, book in enumerate(self.passes.values()))
        return good, sum(int(book.taken.sum()) for book in self.passes.values())

    def reasons(self) -> list[Reason]:
        """Why things are out, the decisions first, then what happened most."""
        found = self._decided()
        seen = [(fault, book.number, point) for book in self.passes.values() for point, fault in book.faults]
        for fault, number in Counter(fault for fault, *_ in seen).most_common():
            places = _places((scan, point) for said, scan, point in seen if said == fault)
            found.append(Reason(reason_of(fault), fault, False, number, places))
        for book in self.passes.values():
            if book.status not in ("running", "success"):
                found.append(Reason(book.status, book.reason or "ended early", False, 0, {book.number: [-1]}))
            if book.why_no_result:
                found.append(Reason("no result", book.why_no_result, False, 0, {book.number: [-1]}))
        return found

    def _decided(self) -> list[Reason]:
        """Decisions, those with the same reason and words together."""
        groups: dict[tuple[str, str], list[tuple[PassBook, int]]] = {}
        for entry in self.decisions:
            if (book := self.passes.get(entry["scan"])) is not None:
                groups.setdefault((str(entry["reason"]), str(entry["note"])), []).append((book, int(entry["point"])))
        found = []
        for (what, note), mine in groups.items():
            dwells = sum(int(book.taken.sum() if point < 0 else book.taken[point]) for book, point in mine)
            found.append(Reason(what, note, True, dwells, _places((book.number, point) for book, point in mine)))
        return found


def _states_of(book: PassBook, pattern: int) -> NDArray[np.int64]:
    whole = book.good >= pattern
    choices = [book.taken == 0, book.reduced < book.taken, whole & (book.reduced > book.good), whole, book.good > 0]
    return np.select(choices, [EMPTY, UNREDUCED, RETAKEN, COUNTS, PARTIAL], BAD)


def _places(pairs: Iterable[tuple[int, int]]) -> dict[int, list[int]]:
    """Points by number of the pass."""
    found: dict[int, list[int]] = {}
    for number, point in sorted(set(pairs)):
        found.setdefault(number, []).append(point)
    return found
