"""Task of a replay: which raw runs are reduced again, with which settings and exclusions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from beamline.records.runs.changes import checked_settings, refuse_unfit_changes
from beamline.records.runs.detectors import counter_names, detector_names
from beamline.records.runs.find import find, reduced_runs
from beamline.records.runs.run import REPLAYED, Run, RunError
from reduction.documents.raw import is_reducible


@dataclass(frozen=True)
class Job:
    """Task of a replay.

    Attributes
    ----------
    passes : tuple of Run
        Raw runs in the order of summation.
    wanted : frozenset of str
        Uids of the raw runs whose reduced runs are requested.
    settings : dict
        Settings that replace those of the start documents; empty: as recorded.
    against : Run or None
        The reduced run to compare with, if one was named.
    leave_out, take_back : tuple of (uid, point, detector)
        Changes to the exclusions of the stored runs; point -1 is the whole pass, an empty detector is all of them.
    """

    passes: tuple[Run, ...]
    wanted: frozenset[str]
    settings: dict[str, Any]
    against: Run | None = None
    leave_out: tuple[tuple[str, int, str], ...] = ()
    take_back: tuple[tuple[str, int, str], ...] = ()


def plan_job(runs: list[Run], name: str, changes: Mapping[str, Any]) -> Job:
    """Plan the replay of a run or scan set.

    A raw run is reduced with the passes that its live reduction had summed (if none, all earlier ones of its scan set),
    a scan set with all its passes, a reduced run as originally.

    Parameters
    ----------
    runs : list of Run
        All runs, the earliest first.
    name : str
        As for `beamline.records.runs.find.find`.
    changes : mapping
        Settings that replace the recorded ones.

    Raises
    ------
    RunError
        If there is nothing to reduce, or a setting is unknown or invalid.
    """
    found = find(runs, name)
    raw = {run.uid: run for run in runs if run.raw_uid is None}
    if found.scan_set is not None:
        passes = tuple(run for run in found.runs if not run.running)
        if not passes:
            raise RunError(f"no pass of scan set {found.scan_set[:8]} is complete yet; wait for the end of the first")
        job = Job(passes, frozenset(run.uid for run in passes), {})
    else:
        job = _job_of_run(found.runs[0], runs, raw)
    for run in job.passes:
        _refuse_unfit(run)
    if not changes:
        return job
    base = checked_settings(job.settings or job.passes[-1].start["settings"])
    refuse_unfit_changes(base, changes)
    return replace(job, settings=checked_settings({**base, **changes}), against=None)


def _job_of_run(chosen: Run, runs: list[Run], raw: dict[str, Run]) -> Job:
    against = chosen if chosen.raw_uid is not None else None
    uid = chosen.raw_uid or chosen.uid
    if uid not in raw:
        raise RunError(
            f"the raw run {uid[:8]} of the reduced run {chosen.uid[:8]} is missing here; try the other --from"
        )
    live = against or next((run for run in reduced_runs(runs, uid) if REPLAYED not in run.start), None)
    earlier = list(live.start["accumulates"]) if live is not None else _earlier_passes(raw, raw[uid])
    if missing := [each[:8] for each in earlier if each not in raw]:
        raise RunError(f"run {uid[:8]} was summed with the passes {', '.join(missing)}, which are missing here")
    settings = dict(against.start["settings"]) if against is not None else {}
    return Job(tuple(raw[each] for each in [*earlier, uid]), frozenset({uid}), settings, against)


def _earlier_passes(raw: Mapping[str, Run], run: Run) -> list[str]:
    if run.scan_set is None:
        return []
    uids = list(raw)
    before = set(uids[: uids.index(run.uid)])
    return [
        each.uid for each in raw.values()
        if each.scan_set == run.scan_set and each.uid in before and not each.running
    ]  # fmt: skip


def _refuse_unfit(run: Run) -> None:
    if not is_reducible(run.start):
        plan = run.start.get("plan_name", "unknown")
        raise RunError(f"run {run.uid[:8]} (plan {plan}) is not a photon-counting scan: there is nothing to reduce")
    if run.running:
        raise RunError(
            f"run {run.uid[:8]} is still being measured (or the catalogue does not have its end yet);"
            " wait for its end, or reduce an earlier pass"
        )


def parse_excluded(runs: list[Run], text: str) -> list[tuple[str, int, str]]:
    """Parse ``UID``, ``UID:POINT``, ``UID:DETECTOR`` or ``UID:POINT:DETECTOR``, where UID may be a beginning.

    The uid of a scan set stands for all its passes.

    Returns
    -------
    list of (uid, point, detector)
        Of each pass; point -1 is the whole pass, an empty detector is all of them.

    Raises
    ------
    RunError
        If no raw run, or more than one, matches, or a pass has no such detector.
    """
    uid, *rest = text.split(":")
    raw = [run for run in runs if run.raw_uid is None and uid]
    found = [run for run in raw if run.uid.startswith(uid)]
    sets = {run.scan_set for run in raw if str(run.scan_set or "").startswith(uid)}
    if len(found) != 1 and not (not found and len(sets) == 1):
        raise RunError(f"{len(found)} raw runs begin with {uid!r}; give more of the uid of one pass")
    passes = found or [run for run in raw if run.scan_set in sets]
    points = [part for part in rest if part.isdecimal()]
    detectors = [part for part in rest if not part.isdecimal()]
    if len(points) > 1 or len(detectors) > 1 or "" in rest:
        raise RunError(f"{text!r}: after the colon comes the index of a point, an integer from 0, or a detector")
    for run in passes if detectors else ():
        _require_detector(text, run, detectors[0])
    point, detector = int(points[0]) if points else -1, detectors[0] if detectors else ""
    return [(run.uid, point, detector) for run in passes]


def _require_detector(text: str, run: Run, name: str) -> None:
    if name not in detector_names(run.start):
        known = ", ".join(detector_names(run.start))
        raise RunError(f"{text!r}: run {run.uid[:8]} has no detector {name}; it has {known}")
    if counter_names(run.start) == [name]:
        raise RunError(f"{text!r}: {name} is the only counter of run {run.uid[:8]}; leave out the pass instead")
