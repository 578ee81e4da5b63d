"""A stored run without its events, and the order of runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from beamline.records.logbook import Note

Document = dict[str, Any]


REPLAYED = "replayed_from"
"""Entry of a reduced start document that marks a replay: the source of the raw documents."""


RAW_DAMAGE = "raw_damage"
"""Entry of a reduced start document: by raw run, what of it could not be read when it was reduced."""


class RunError(Exception):
    """A run cannot be found or used; the message names it and a remedy."""


@dataclass(frozen=True)
class Run:
    """A run without its events.

    Attributes
    ----------
    start : dict
    stop : dict or None
        None while it runs, or if it was interrupted.
    running : bool
        Whether a running process is writing it.
    notes : tuple of Note
        Of the logbook, for a raw run.
    """

    start: Document
    stop: Document | None
    running: bool = False
    notes: tuple[Note, ...] = ()

    @property
    def uid(self) -> str:
        return str(self.start["uid"])

    @property
    def time(self) -> float:
        """Start time, seconds since 1970."""
        return float(self.start.get("time", 0.0))

    @property
    def raw_uid(self) -> str | None:
        """Uid of its raw run; None if it is a raw run itself."""
        return self.start.get("analysis_of")

    @property
    def scan_set(self) -> str | None:
        return self.start.get("scan_set")

    @property
    def series(self) -> str:
        """Uid of the measurement of several scan sets that it belongs to, or of its own scan set."""
        return str(self.start.get("series") or self.scan_set)

    @property
    def status(self) -> str:
        """Exit status, or ``running``, or ``cut off`` without a stop document."""
        if self.stop is not None:
            return str(self.stop.get("exit_status", "unknown"))
        return "running" if self.running else "cut off"


def known_slot_delays(start: Document) -> tuple[float, ...]:
    """Delays of slots (ps) that an imported result brought along; empty if the pattern gives them."""
    entry = start.get("imported")
    return tuple(map(float, entry.get("slot_delays") or ())) if isinstance(entry, dict) else ()


def in_order(runs: list[Run]) -> list[Run]:
    """Runs in the order of measurement, independent of the clock: raw runs by scan number, reduced ones with theirs.

    Each beamline, cycle and proposal has its own scan numbers. Runs without a number (of other programs) are ordered by
    time.
    """
    numbered = sorted(
        ((number, run.time, run) for run in runs if (number := _number(run)) is not None), key=itemgetter(0, 1)
    )
    latest: dict[tuple[Any, ...], float] = {}
    rank_of: dict[str, tuple[float, int]] = {}
    for rank, (_, _, run) in enumerate(numbered):  # a clock set back does not put a run before an earlier number
        series = tuple(map(str, map(run.start.get, ("beamline_name", "cycle", "proposal"))))
        latest[series] = max(latest.get(series, run.time), run.time)
        rank_of[run.uid] = latest[series], rank

    def order(run: Run) -> tuple[float, int, bool, float]:
        return (*rank_of.get(run.raw_uid or run.uid, (run.time, -1)), run.raw_uid is not None, run.time)

    return sorted(runs, key=order)


def _number(run: Run) -> int | None:
    number = run.start.get("scan_id")
    return number if isinstance(number, int) and run.raw_uid is None else None


def unfit_start(start: Document, uid: str) -> str:
    """Why a run cannot be listed: it is another's, or an entry is not of its kind; empty if it can."""
    if start.get("uid") != uid:
        return "its start document is that of another run"
    kinds = ((key, kind) for key, kind in ENTRIES.items() if start.get(key) is not None)
    wrong = [key for key, kind in kinds if not isinstance(start[key], kind)]
    return f"its start document has no usable {', '.join(wrong)}" if wrong else ""


ENTRIES: dict[str, type | tuple[type, ...]] = {
    "scan_set": str,
    "analysis_of": str,
    "accumulates": (list, tuple),
    "pattern": (list, tuple),
    "settings": dict,
    "versions": dict,
}
"""Entries of a start document by which runs are found and counted."""


def seconds_of_event(start: Mapping[str, Any]) -> float:
    """Beamline seconds that an event of a scan counts for: a dwell, or a whole sweep; 0 if unknown."""
    frame, frames, dwell = (start.get(key) for key in ("frame", "frames", "dwell"))
    if isinstance(frame, int | float) and isinstance(frames, int):
        return float(frame * frames)
    return float(dwell) if isinstance(dwell, int | float) else 0.0
