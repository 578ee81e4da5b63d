"""The runs of a shift, and its metadata."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from beamline.formatting import when
from beamline.records.runs.find import find
from beamline.records.runs.run import Run, RunError

ABOUT = ("beamline_name", "proposal", "users", "sample")
"""Start-document entries that identify a shift."""


@dataclass(frozen=True)
class Shift:
    """Raw runs selected by time range or by name.

    Attributes
    ----------
    title : str
        Description of the selection.
    raw : tuple of Run
        The earliest first.
    first, last : float
        Time range for the log, seconds since 1970.
    """

    title: str
    raw: tuple[Run, ...]
    first: float
    last: float

    @property
    def simulated(self) -> bool:
        """Whether any run is simulated, which marks the page."""
        return any(run.start.get("mode") == "sim" for run in self.raw)

    def about(self) -> dict[str, str]:
        """Beamline, proposal, users and sample from the start documents; differing values separated by commas."""
        found = {key: list(dict.fromkeys(_text(run.start.get(key)) for run in self.raw)) for key in ABOUT}
        return {key: ", ".join(filter(None, values)) for key, values in found.items() if any(values)}

    def passes(self) -> dict[str, list[Run]]:
        """Raw runs by scan set; a run without a scan set by itself."""
        found: dict[str, list[Run]] = {}
        for run in self.raw:
            found.setdefault(run.scan_set or run.uid, []).append(run)
        return found


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def day(date: datetime) -> tuple[datetime, datetime]:
    """Time range of a day, local time."""
    begin = date.replace(hour=0, minute=0, second=0, microsecond=0)
    return begin, begin + timedelta(days=1)


def shift_between(runs: Sequence[Run], since: datetime | None, until: datetime | None) -> Shift:
    """Select raw runs that began at `since` or later and before `until`; either may be None.

    Raises
    ------
    RunError
        If the range ends before it begins.
    """
    first = since.timestamp() if since else float("-inf")
    last = until.timestamp() if until else float("inf")
    if not first < last:
        raise RunError(f"--until {until} is not after --since {since}")
    raw = tuple(run for run in runs if run.raw_uid is None and first <= run.time < last)
    ends = [f"from {when(first)}" if since else "", f"to {when(last)}" if until else ""]
    return Shift(" ".join(filter(None, ends)) or "all runs", raw, first, last)


def shift_of(runs: list[Run], names: Sequence[str]) -> Shift:
    """Select raw runs by name, each once; a reduced run selects its raw run.

    Raises
    ------
    RunError
        If there is no such run.
    """
    here = {run.uid: run for run in runs}
    wanted: dict[str, Run] = {}
    for name in names:
        for run in find(runs, name).runs:
            raw = here.get(run.raw_uid) if run.raw_uid is not None else run
            if raw is None:
                raise RunError(f"the raw run of {run.uid[:8]} is not here; use the folder that has it (--data)")
            wanted[raw.uid] = raw
    raw_runs = tuple(run for run in runs if run.uid in wanted)
    ends = [float((run.stop or {}).get("time", run.time)) for run in raw_runs]
    return Shift(f"{len(raw_runs)} runs by name", raw_runs, min(run.time for run in raw_runs), max(ends))
