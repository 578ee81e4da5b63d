"""Resuming a measurement: the remaining points follow from the journal alone.

A point of a pass is complete when all dwells of its pattern have been taken in its last visit, with a good one for each
laser state. Any other point is measured again completely, on and off at one setting of the monochromator.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from beamline.records.journal import damage, read, run_file
from beamline.records.runs.find import LAST
from beamline.records.runs.journal_runs import JournalRuns
from beamline.records.runs.run import Run
from beamline.session.guard import Guard
from plans.compilation.compile import scan_pass
from plans.compilation.compiled_scan import CompiledScan, DwellSettings, ScanPass
from plans.compilation.monitors import checked_monitors
from plans.compilation.positions import Position, visit_order
from plans.compilation.quality import GOOD
from plans.compilation.steps import is_image, order_of_passes
from plans.compilation.sweep import FRAMES_KEY
from reduction.counting.visits import begins_anew, is_whole
from reduction.live.reducer import LiveReducer

GIVEN_ANEW = frozenset(
    {
        "uid", "time", "scan_id", "versions", "configuration_hash", "beamline_name", "mode", "clock_rate", "sample",
        "t0", "cycle", "proposal", "users", "pv_map", "roles", "corrected", "night", "place",
        "visit_order", "resumes", "estimated_time", "num_points", "num_events", "plan_type",
    }
)  # fmt: skip
"""Start-document entries that a resumed run sets anew; all others are copied."""
OF_SPECTRA = frozenset({"edge", "absorption_edge", "reference", "settings", "hints"})
"""Start-document entries that runs with an image do not have."""
NEEDED = ("scan_axis", "grid", "pattern", "dwell", "attempts", "passes", "scan_index", "visit_order", "settings")


class ResumeError(ValueError):
    """A measurement cannot be resumed; the message has the reason and a remedy."""


class CompleteError(ResumeError):
    """Nothing of a measurement is left."""


@dataclass
class _PassSoFar:
    """One pass: its runs, first start document, and complete points."""

    start: Mapping[str, Any]
    runs: list[str] = field(default_factory=list)
    done: set[int] = field(default_factory=set)


def remaining(root: Path, uid: str, sample: str, edge: str | None = None) -> CompiledScan:
    """The remaining points of a measurement as a compiled scan; touches nothing.

    Parameters
    ----------
    root : Path
        Data root of the journal.
    uid : str
        ``scan_set``, ``series``, or the uid of one of its runs; its beginning is enough.
    sample : str
        The present sample.
    edge : str, optional
        Refuse unless this edge was measured.

    Raises
    ------
    ResumeError
        If there is no such measurement, it has another sample or edge, one of its passes is still running, or it is
        complete.
    """
    members = runs_of(root, uid)
    _refuse_another(members, sample, edge)
    sets = _by_set(root, members)
    first = members[0].start
    series = str(first.get("series") or first["scan_set"])
    models = _models(first)
    names = list(models)
    passes = [
        compiled
        for number, scan_index in order_of_passes(list(models.values()), int(first["passes"]))
        if (compiled := _rest_of(models[names[number]], sets.get(names[number], {}), scan_index)) is not None
    ]
    if not passes:
        raise CompleteError(f"nothing is left to resume: all {first['passes']} passes of {series} are complete")
    return CompiledScan(series, tuple(passes), stops_early="target" in first)


def runs_of(root: Path, uid: str) -> list[Run]:
    """All raw runs of a measurement, the earliest first; ``last`` is that of the newest run.

    Raises
    ------
    ResumeError
        If no measurement, or more than one, matches.
    """
    uid = str(uid).strip()
    store = JournalRuns(root)
    runs = [run for run in store.listed() if run.raw_uid is None]
    keys = ("uid", "scan_set", "series")
    if uid == LAST and (measured := [run for run in runs if run.scan_set]):
        uid = measured[-1].uid
    named = [run for run in runs if uid and any(str(run.start.get(key, "")).startswith(uid) for key in keys)]
    groups = {run.series for run in named if run.scan_set}
    if not groups:
        raise ResumeError(f"scan_set {uid!r} is not in the journal; `trxas list` shows what is{_left_alone(store)}")
    if len(groups) > 1:
        raise ResumeError(f"scan_set {uid!r} is ambiguous: {', '.join(sorted(groups))}")
    (group,) = groups
    members = store.where(lambda run: run.raw_uid is None and group in (run.start.get("series"), run.scan_set))
    if lacking := [key for key in NEEDED if key not in members[0].start]:
        raise ResumeError(f"scan_set {uid!r} cannot be resumed: its start document lacks {', '.join(lacking)}")
    return members


def _left_alone(store: JournalRuns) -> str:
    """The files that may be what was asked for, and cannot be listed."""
    names = [f"{name} ({why})" for name, why in store.left_alone.items()]
    return f"; left alone: {', '.join(names)}" if names else ""


def unreadable(root: Path, uid: str) -> list[str]:
    """A sentence for each damaged run of a measurement: sums go on without what it lacks.

    Raises
    ------
    ResumeError
        If no measurement, or more than one, matches.
    """
    problems = {run.uid: damage(run_file(root, run.uid)) for run in runs_of(root, uid)}
    return [
        f"Sums continue without unreadable documents: run {name[:8]} is {problem}."
        for name, problem in problems.items()
        if problem
    ]


class ReducingSession(Protocol):
    """The part of a session that replays into its reducer."""

    guard: Guard
    reducer: LiveReducer
    replaying: bool


def replay_into(session: ReducingSession, root: Path, uid: str, notify: Callable[[str], None]) -> None:
    """Replay a measurement into the live reducer, so that new passes are summed with it."""
    session.replaying = session.reducer.summing = True
    try:
        for sentence in unreadable(root, uid):
            notify(sentence)
        for run in runs_of(root, uid):
            for name, doc in read(run_file(root, run.uid)):
                session.guard(name, doc)
    finally:
        session.replaying = session.reducer.summing = False


def _refuse_another(members: Iterable[Run], sample: str, edge: str | None) -> None:
    for run in members:
        if run.running:
            raise ResumeError(f"run {run.uid[:8]} is still being measured")
        was = run.start.get("sample", "")
        if was != sample:
            raise ResumeError(f"sample: {was!r} was measured, {sample!r} is in place; start a new scan for it")
    edges = {run.start.get("edge") for run in members}
    if edge is not None and edge not in edges:
        raise ResumeError(f"edge: {', '.join(map(str, edges))} was measured, not {edge}; start a new scan for it")


def _by_set(root: Path, members: list[Run]) -> dict[str, dict[int, _PassSoFar]]:
    """Existing passes by scan set and scan index."""
    sets: dict[str, dict[int, _PassSoFar]] = defaultdict(dict)
    for run in members:
        passes = sets[str(run.scan_set)]
        one = passes.setdefault(int(run.start["scan_index"]), _PassSoFar(run.start))
        one.runs.append(run.uid)
        one.done |= complete_points(root, run)
    return dict(sets)


def complete_points(root: Path, run: Run) -> set[int]:
    """Complete points of a run: the whole pattern was taken, with a good dwell of each laser state."""
    segments: dict[int, set[int]] = defaultdict(set)
    good: dict[int, dict[int, int]] = defaultdict(dict)
    last: dict[int, int] = {}
    primary: set[str] = set()
    for name, doc in read(run_file(root, run.uid)):
        if name == "descriptor" and doc["name"] == "primary":
            primary.add(doc["uid"])
        elif name == "event" and doc["descriptor"] in primary:
            data = doc["data"]
            point, segment = int(data["point_index"]), int(data["segment"])
            if begins_anew(last.get(point), segment):
                segments.pop(point, None)
                good.pop(point, None)
            last[point] = segment
            segments[point].add(segment)
            good[point].pop(segment, None)
            if data["quality"] == GOOD:
                good[point][segment] = int(data["laser_on"])
    length = len(run.start["pattern"])
    whole = {point for point, taken in segments.items() if is_whole(taken, length)}
    return {point for point in whole if set(good[point].values()) == set(run.start["pattern"])}


def _models(first: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Start document of each scan set, including those of a series that were never started."""
    if "members" not in first:
        return {str(first["scan_set"]): first}
    models: dict[str, Mapping[str, Any]] = {}
    for member in first["members"]:
        own = {key: value for key, value in member.items() if key != "windows"}
        shared = {key: value for key, value in first.items() if not (is_image(member) and key in OF_SPECTRA)}
        settings = {**shared.get("settings", {}), **member.get("windows", {})}
        models[str(member["scan_set"])] = {**shared, **own, "settings": settings}
    return models


def _rest_of(model: Mapping[str, Any], passes: Mapping[int, _PassSoFar], scan_index: int) -> ScanPass | None:
    """The remaining points of a pass; all if it was never started."""
    begun = passes.get(scan_index)
    order = list(begun.start["visit_order"]) if begun is not None else _order(model, scan_index)
    done = begun.done if begun is not None else set()
    visits = [int(point) for point in order if point not in done]
    if FRAMES_KEY in model:  # a sweep is of all points, and its event that of point 0
        visits = [] if 0 in done else [int(point) for point in order]
    if not visits:
        return None
    start = {key: value for key, value in model.items() if key not in GIVEN_ANEW}
    dwelling = _dwelling(model)
    start |= {
        "scan_index": scan_index,
        "visit_order": visits,
        "resumes": list(begun.runs) if begun is not None else [],
        "num_points": (number := 1 if FRAMES_KEY in model else len(visits)),
        "num_events": number * len(dwelling.pattern) * dwelling.cycles,
    }
    monitors = checked_monitors(model.get("monitor_energies"), model.get("monitor_share"))
    return scan_pass(tuple(_position(model, point) for point in visits), dwelling, start, monitors)


def _order(model: Mapping[str, Any], scan_index: int) -> list[int]:
    return visit_order(len(model["grid"]), str(model["order"]), scan_index, str(model["scan_set"]))


def _dwelling(start: Mapping[str, Any]) -> DwellSettings:
    pattern = tuple(int(state) for state in start["pattern"])
    dwell = float(start["dwell"])
    return DwellSettings(pattern, dwell, int(start["attempts"]), float(start.get("longest", len(pattern) * dwell)))


def _position(start: Mapping[str, Any], point: int) -> Position:
    """Positions of the axes at a point of the original grid."""
    axes: dict[str, Any] = {
        "energy": start.get("probe_energy"),
        "delay": start.get("pump_delay"),
        "fluence": start.get("pump_fluence"),
        "temperature": start.get("temperature") if "temperature_step" in start else None,
    }
    if is_image(start):
        return Position(point, **axes)
    axis = {"mono_energy": "energy", "laser_delay": "delay", "laser_fluence": "fluence"}[str(start["scan_axis"])]
    return Position(point, **{**axes, axis: float(start["grid"][point])})
