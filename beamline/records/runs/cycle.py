"""Many scan sets reduced again: in this process, or each on a worker of a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from beamline.records.provenance import versions
from beamline.records.runs.find import reduced_runs
from beamline.records.runs.job import Job
from beamline.records.runs.replay import Replayed, replay, settings_digest, stored_like
from beamline.records.runs.result_changes import ResultChange, result_changes
from beamline.records.runs.run import REPLAYED, Run, RunError
from beamline.records.runs.shot_store import SHOTS_NAME, ShotStore
from beamline.records.runs.store import RunStore, open_runs
from beamline.records.shot_files.dwells import reduce_dwell
from beamline.records.workers.cluster import FailedTask, WorkersError, run_tasks, workers_of
from reduction.documents.streams import has_result
from reduction.errors import ReductionError

Changed = tuple[ResultChange, ...] | str


@dataclass(frozen=True)
class RunSource:
    """Where a worker finds the runs; the key of a catalogue comes from its own environment.

    Attributes
    ----------
    source, root, catalogue
        As for `beamline.records.runs.store.open_runs`.
    threshold : int or None
        Height above which a shot is a hit, ADC units; None: counts of the counter.
    """

    source: str
    root: Path
    catalogue: str
    threshold: int | None = None


@dataclass(frozen=True)
class SetTask:
    """A scan set to be reduced again.

    Attributes
    ----------
    name : str
    source : RunSource
    job : Job
    runs : tuple of Run
        Its passes and their reduced runs.
    finished_before : bool
        Whether to skip it if all of its results are stored.
    """

    name: str
    source: RunSource
    job: Job
    runs: tuple[Run, ...]
    finished_before: bool = False


@dataclass(frozen=True)
class SetOutcome:
    """What became of a scan set.

    Attributes
    ----------
    name : str
    results : tuple of Replayed
        Empty if it was skipped or failed.
    changed : tuple of ResultChange, or str
        Change of the sum of all passes against the earlier result; a sentence if there is none.
    skipped : bool
    error : str
    left_out : tuple of str
        Blocks of shots that could not be used.
    """

    name: str
    results: tuple[Replayed, ...] = ()
    changed: Changed = ""
    skipped: bool = False
    error: str = ""
    left_out: tuple[str, ...] = ()


def set_task(name: str, source: RunSource, job: Job, runs: Sequence[Run], finished_before: bool) -> SetTask:
    """The task of a job, with those of all runs that it needs."""
    uids = {run.uid for run in job.passes}
    return SetTask(name, source, job, tuple(run for run in runs if uids & {run.uid, run.raw_uid}), finished_before)


def reduce_sets(
    tasks: Sequence[SetTask], store: RunStore, scheduler: str | None, finished: Callable[[SetOutcome], None]
) -> None:
    """Reduce scan sets again, and report each as it is finished: in any order on a cluster.

    Raises
    ------
    beamline.records.workers.cluster.WorkersError
        If there are no workers (any more). What was finished before is not lost.
    """
    if scheduler is None:
        for task in tasks:
            finished(_outcome(store, task))
        return

    def report(index: int, result: SetOutcome | FailedTask) -> None:
        if isinstance(result, FailedTask):
            result = SetOutcome(tasks[index].name, error=result.error)
        finished(result)

    with workers_of(scheduler) as client:
        run_tasks(client, reduce_set, tasks, [f"scan set {task.name[:8]}" for task in tasks], report)


def reduce_set(task: SetTask) -> SetOutcome:
    """Reduce a scan set again, in a worker."""
    there = task.source
    store = open_runs(there.source, there.root, there.catalogue)
    try:
        if there.threshold is None:
            return _outcome(store, task)
        return _outcome(ShotStore(store, there.threshold, lambda tasks: [reduce_dwell(each) for each in tasks]), task)
    finally:
        store.close()


def _outcome(store: RunStore, task: SetTask) -> SetOutcome:
    try:
        if task.finished_before and (stored := _all_stored(task)):
            return SetOutcome(task.name, changed=_changed(store, task, stored[-1], None), skipped=True)
        before = len(store.left_out) if isinstance(store, ShotStore) else 0
        results = replay(store, list(task.runs), task.job, with_shots=task.source.threshold is None)
        left_out = tuple(store.left_out[before:]) if isinstance(store, ShotStore) else ()
        changed = _changed(store, task, results[-1].stored, results[-1])
        return SetOutcome(task.name, tuple(results), changed, left_out=left_out)
    except WorkersError:
        raise
    except Exception as error:  # noqa: BLE001 one scan set must not stop the others, and is named
        known = isinstance(error, RunError | ReductionError)
        return SetOutcome(task.name, error=str(error) if known else f"{type(error).__name__}: {error}")


def _all_stored(task: SetTask) -> list[Run]:
    """Results of this job that this version stored, one for each pass; empty if one lacks."""
    found = []
    for number, run in enumerate(task.job.passes):
        if run.uid not in task.job.wanted:
            continue
        digest = settings_digest(task.job.settings or run.start["settings"])
        accumulates = [each.uid for each in task.job.passes[:number]]
        stored = stored_like(_made_so(task, run), accumulates, digest)
        if stored is None or not has_result(stored.stop):
            return []
        found.append(stored)
    return found


def _made_so(task: SetTask, run: Run) -> list[Run]:
    """Reduced runs of a pass by this version, from shots or not as wanted."""
    of_shots = task.source.threshold is not None
    known = [each for each in reduced_runs(list(task.runs), run.uid) if each.start.get("versions") == versions()]
    return [each for each in known if str(each.start.get(REPLAYED, "")).endswith(SHOTS_NAME) == of_shots]


def _changed(store: RunStore, task: SetTask, stored: Run | None, result: Replayed | None) -> Changed:
    """Change of the last pass, which has the sum of all, against the result of the measurement, or else the first."""
    last = task.job.passes[-1]
    known = [each for each in reduced_runs(list(task.runs), last.uid) if has_result(each.stop)]
    live = [each for each in known if REPLAYED not in each.start] or known
    if not live:
        return "no result before"
    if result is None and stored is not None:
        after = list(store.documents(stored.uid))
    else:
        after = result.documents if result is not None else []
    found = result_changes(store.documents(live[0].uid), after)
    return found if isinstance(found, str) else tuple(found)
