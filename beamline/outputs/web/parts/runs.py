"""The table of runs: each with its result and the verdict on its health."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from beamline.formatting import printable
from beamline.outputs.web.parts.results import result_of
from beamline.records.runs.find import reduced_runs
from beamline.records.runs.health import health_of
from beamline.records.runs.journal_runs import JournalRuns
from beamline.records.runs.run import Run
from beamline.records.runs.table import format_points, run_delay

MOST = 2000
"""Runs on the page, the newest."""
BUDGET = 0.5
"""Seconds for results and verdicts of earlier runs in one go; the others follow."""


class RunRows:
    """Rows of the raw runs of a journal; what has ended is read once.

    Parameters
    ----------
    root : Path
        The data root.
    """

    def __init__(self, root: Path) -> None:
        self._store = JournalRuns(root)
        self._known: dict[str, dict[str, Any]] = {}
        self.unfinished = False
        """Whether results or verdicts are missing that another call would read."""

    def rows(self, clock: Callable[[], float] = time.monotonic) -> list[dict[str, Any]]:
        """All rows, the newest first."""
        runs = self._store.runs()
        raw = [run for run in runs if run.raw_uid is None][-MOST:][::-1]
        until = clock() + BUDGET
        self.unfinished = False
        return [{**self._row(run), **self._measured(runs, run, clock() < until)} for run in raw]

    def findings(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The findings among rows."""
        return [row for row in rows if row.get("finding")]

    def _row(self, run: Run) -> dict[str, Any]:
        start, number = run.start, run.start.get("scan_index")
        entries = {
            "plan": start.get("plan_name", ""), "edge": start.get("edge", ""), "sample": start.get("sample", ""),
            "delay": run_delay(start), "scan": start.get("scan_id", ""), "status": run.status,
            "reason": (run.stop or {}).get("reason", ""),
            "pass": f"{number + 1}/{start.get('passes', '?')}" if isinstance(number, int) else "",
            "notes": "; ".join(note.text for note in run.notes),
        }  # fmt: skip
        words = {key: printable(text) for key, text in entries.items()}
        return {"uid": run.uid, "began": run.time, "sim": start.get("mode") == "sim", **words}

    def _measured(self, runs: list[Run], run: Run, in_time: bool) -> dict[str, Any]:
        """Points, result and verdict; those of a run that has ended and is reduced are kept."""
        reduced = [each.uid for each in reduced_runs(runs, run.uid) if each.stop is not None]
        key = f"{run.uid} {run.status} {reduced[-1:]}"
        if run.running:
            return {}
        if key in self._known:
            return self._known[key]
        if not in_time:
            self.unfinished = True
            return {}
        found: dict[str, Any] = {"points": format_points(self._store, run)}
        if run.stop is not None:
            verdict = health_of(self._store, runs, run)
            health = {"health": verdict.verdict, "why": printable(verdict)} if verdict is not None else {}
            found |= {**health, **result_of(self._store, run, reduced)}
            self._known[key] = found
        return found
