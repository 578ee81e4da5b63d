"""Readers of the journal, each of which keeps some parts of the page up to date."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from beamline.config.models import Configuration
from beamline.outputs.live_figure.content import PageContent
from beamline.outputs.live_figure.pages import Page
from beamline.outputs.notify.notifier import session_state
from beamline.outputs.web.parts.counting import counting
from beamline.outputs.web.parts.drift import drift
from beamline.outputs.web.parts.finding import finding
from beamline.outputs.web.parts.logs import LogTail, Notes
from beamline.outputs.web.parts.progress import about, messages, progress
from beamline.outputs.web.parts.runs import RunRows
from beamline.outputs.web.parts.spectra import FitPart, spectra
from beamline.outputs.web.parts.status import last_dwell, status
from beamline.outputs.web.parts.transient_map import transient_map
from beamline.records.journal.files import run_files
from beamline.session.status_file import read_status
from plans.compilation.quality import Check
from reduction.documents.raw import PRIMARY

Parts = dict[str, Callable[[], Any]]


class Reader(Protocol):
    """Something that reads, and knows the parts that follow from it."""

    def look(self) -> bool:
        """Read; True if any part may have changed."""

    def parts(self) -> Parts:
        """Functions that make the parts, by name."""


class NewestDwell(PageContent):
    """The newest scan set, and the data of its last dwell."""

    def __init__(self) -> None:
        super().__init__()
        self.data: Mapping[str, Any] = {}
        self.time = 0.0
        self._primary: dict[str, str] = {}

    def take(self, name: str, doc: Mapping[str, Any]) -> None:
        """Process one document, raw or reduced."""
        super().take(name, doc)
        if name == "descriptor" and doc["name"] == PRIMARY:
            self._primary[doc["uid"]] = doc["run_start"]
        elif name == "event" and doc["descriptor"] in self._primary:
            self.data, self.time = doc["data"], float(doc["time"])


class ScanReader:
    """The newest scan: progress, spectra or traces, count rates, messages; and the state of the session."""

    def __init__(self, root: Path, config: Configuration) -> None:
        self._root = root
        self._checks = [Check(**entry.model_dump()) for entry in config.checks]
        self._page = Page("scan", root, findings=False)
        self._newest = NewestDwell()
        self._page.content = self._newest
        self._fit = FitPart()
        self._changed = True

    def look(self) -> bool:
        """Read; always True, as the state of session and progress depend on the time."""
        self._changed = self._page.look() or self._changed
        return True

    def parts(self) -> Parts:
        """Those of the scan only if something was read."""
        scan, newest = self._newest.scan, self._newest
        always: Parts = {
            "status": lambda: status(session_state(self._root), read_status(self._root), time.time()),
            "progress": lambda: progress(scan, time.time()),
        }
        if not self._changed:
            return always
        self._changed = False
        return {
            **always,
            "about": lambda: about(scan),
            "dwell": lambda: last_dwell(newest.data, self._checks, newest.time),
            "spectra": lambda: {**spectra(scan), "fit": self._fit.part(scan)},
            "counting": lambda: counting(scan),
            "messages": lambda: messages(scan),
        }


class PageReader:
    """Another page of the live figure as one part."""

    def __init__(self, root: Path, page: str, name: str, part: Callable[[Any], Any]) -> None:
        self._page, self._name, self._part = Page(page, root), name, part

    def look(self) -> bool:
        return self._page.look()

    def parts(self) -> Parts:
        return {self._name: lambda: self._part(self._page.content)}


class RunsReader:
    """The table of runs and the findings."""

    def __init__(self, root: Path) -> None:
        self._root, self._rows = root, RunRows(root)
        self._seen: object = None

    def look(self) -> bool:
        """Whether a file of the journal has begun, ended or grown."""
        files = run_files(self._root)
        seen = len(files), tuple(path.stat().st_size for path in files[-8:])
        changed, self._seen = seen != self._seen or self._rows.unfinished, seen
        return changed

    def parts(self) -> Parts:
        rows = self._rows.rows()
        return {"runs": lambda: rows, "findings": lambda: self._rows.findings(rows)}


class LogReader:
    """The logs of puts and suspensions, and the notes."""

    def __init__(self, root: Path) -> None:
        self._puts, self._waits, self._notes = LogTail(root, "puts"), LogTail(root, "suspensions"), Notes(root)

    def look(self) -> bool:
        return True

    def parts(self) -> Parts:
        return {"puts": self._puts.lines, "waits": self._waits.lines, "notes": self._notes.lines}


@dataclass(frozen=True)
class Pace:
    """How often a reader reads.

    Attributes
    ----------
    every : float
        Shortest interval, s.
    rest : float
        Least pause in units of the processor time that it has used just before.
    """

    every: float
    rest: float


QUICK, SLOW = Pace(0.1, 3.0), Pace(1.0, 15.0)


def readers(root: Path, config: Configuration) -> Iterator[tuple[str, Callable[[], Reader], Pace]]:
    """Name, maker and pace of each reader."""
    yield "scan", lambda: ScanReader(root, config), QUICK
    yield "logs", lambda: LogReader(root), SLOW
    yield "runs", lambda: RunsReader(root), SLOW
    yield "map", lambda: PageReader(root, "map", "map", transient_map), SLOW
    yield "finding", lambda: PageReader(root, "scan", "finding", finding), SLOW
    yield "drift", lambda: PageReader(root, "drift", "drift", drift), SLOW
