"""Finds runs by the name that a user gives: the beginning of a uid, or ``last``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from beamline.records.runs.journal_runs import JournalRuns
from beamline.records.runs.run import Run, RunError

LAST = "last"


@dataclass(frozen=True)
class Found:
    """Result of a look-up: one run, or all raw runs of a scan set in the order of acquisition."""

    runs: tuple[Run, ...]
    scan_set: str | None = None


def find(runs: list[Run], name: str) -> Found:
    """Look up a name.

    Parameters
    ----------
    runs : list of Run
        All runs, the earliest first.
    name : str
        The uid of a run or of a scan set, or an unambiguous beginning of it, or ``last``: the raw run that began last.

    Raises
    ------
    RunError
        If nothing, or more than one thing, has this name.
    """
    if not runs:
        raise RunError("no runs here yet; is this the right configuration and folder (--config, --data)?")
    if name == LAST:
        raw = [run for run in runs if run.raw_uid is None]
        if not raw:
            raise RunError("no raw run here; give the uid of a reduced run")
        return Found((raw[-1],))
    wanted = name.strip().lower()
    uids = {run.uid: run for run in runs if wanted and run.uid.lower().startswith(wanted)}
    sets = sorted({run.scan_set for run in runs if run.scan_set and wanted and run.scan_set.lower().startswith(wanted)})
    if len(uids) + len(sets) > 1:
        listed = ", ".join([*sorted(uids), *(f"{each} (scan set)" for each in sets)])
        raise RunError(f"{name!r} is ambiguous: give more of the uid; it could be {listed}")
    if sets:
        passes = tuple(run for run in runs if run.scan_set == sets[0] and run.raw_uid is None)
        return Found(passes, sets[0])
    if uids:
        return Found(tuple(uids.values()))
    raise RunError(f"no run or scan set has a uid that begins with {name!r}; `trxas list` shows them")


def whole_set(root: Path, name: str) -> str:
    """The whole uid of a scan set by its beginning; the name itself where no set has it: it is that of a new one.

    Raises
    ------
    RunError
        If several sets begin so.
    """
    sets = sorted({str(run.scan_set) for run in JournalRuns(root).listed() if str(run.scan_set or "").startswith(name)})
    if name in sets or not sets:
        return name
    if len(sets) > 1:
        raise RunError(f"scan_set {name!r} is ambiguous: give more of it; it could be {', '.join(sets)}")
    return sets[0]


def reduced_runs(runs: list[Run], raw_uid: str) -> list[Run]:
    """Reduced runs of a raw run, the earliest first."""
    return [run for run in runs if run.raw_uid == raw_uid]
