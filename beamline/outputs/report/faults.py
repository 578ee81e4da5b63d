"""Faults of a shift: bad dwells, interrupted runs, suspensions from the log."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from beamline.config.own_files import read_own
from beamline.formatting import when
from beamline.records.runs.run import Run
from beamline.records.runs.store import RunStore
from plans.compilation.quality import GOOD
from reduction.documents.raw import PRIMARY

LOG = Path("log") / "suspensions.log"
"""Below the data root; rotated files have a number appended."""
LINE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d{3} (.*)")


@dataclass(frozen=True)
class Fault:
    """One fault: local time, source (short uid of a run, or the log), description."""

    when: str
    where: str
    what: str


@dataclass(frozen=True)
class DwellSummary:
    """Dwells of a run: number of all and of good ones, and the bad ones."""

    taken: int
    good: int
    bad: tuple[Fault, ...]


def dwells_of(store: RunStore, run: Run) -> DwellSummary:
    """Count the dwells of a run; one retaken after a pause counts once."""
    streams: dict[str, str] = {}
    found: dict[int, Fault | None] = {}
    for name, doc in store.documents(run.uid):
        if name == "descriptor":
            streams[doc["uid"]] = doc["name"]
        elif name == "event" and streams.get(doc["descriptor"]) == PRIMARY:
            data = doc["data"]
            quality = str(data.get("quality", GOOD))
            dwell = f"point {data.get('point_index')}, segment {data.get('segment')}, attempt {data.get('attempt', 0)}"
            fault = Fault(when(doc["time"]), run.uid[:8], f"{quality} ({dwell})")
            found[doc["seq_num"]] = fault if quality != GOOD else None
    bad = tuple(fault for fault in found.values() if fault is not None)
    return DwellSummary(len(found), len(found) - len(bad), bad)


def interruption(run: Run) -> Fault | None:
    """Fault of a run that did not end successfully."""
    if run.status == "success":
        return None
    reason = (run.stop or {}).get("reason", "")
    ended = float((run.stop or {}).get("time", run.time))
    return Fault(when(ended), run.uid[:8], f"{run.status}: {reason}" if reason else run.status)


def damage(store: RunStore, run: Run) -> Fault | None:
    """What of a run cannot be read, if anything."""
    text = store.damage(run)
    return Fault(when(run.time), run.uid[:8], text) if text else None


def suspensions(root: Path, first: float, last: float) -> Iterator[Fault]:
    """Lines of the suspension log within a time range (seconds since 1970), the earliest first."""
    for path in sorted(root.glob(f"{LOG}*"), reverse=True):  # the highest number is the oldest
        try:
            text = read_own(path).decode("utf-8", errors="replace")
        except OSError:  # a link, a folder, or another user's file
            continue
        for line in text.splitlines():
            found = LINE.fullmatch(line)
            if found and first <= datetime.fromisoformat(found[1]).timestamp() <= last:
                yield Fault(found[1], "log", found[2])
