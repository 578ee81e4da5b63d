"""`trxas reduce`: stored raw data reduced again, one run or scan set, or those of a whole cycle."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from beamline.app.commands.shots import (
    ALL,
    DEFAULT_WORKERS,
    Scheduler,
    Shots,
    Since,
    Until,
    Workers,
    names_of,
    shot_store,
)
from beamline.app.commands.stored import Config, Data, From, Stored, stored, uid_argument

if TYPE_CHECKING:
    from rich.console import Console

    from beamline.config.models import Configuration
    from beamline.records.runs.cycle import SetOutcome, SetTask
    from beamline.records.runs.job import Job
    from beamline.records.runs.replay import Replayed
    from beamline.records.runs.run import Run
    from beamline.records.runs.shot_store import ShotStore
    from beamline.records.runs.store import RunStore

EXCLUDED = "UID[:POINT][:DETECTOR]"
Excluded = tuple[tuple[str, int, str], ...]


def reduce_command(
    name: Annotated[str, uid_argument(metavar="UID|SCAN_SET|last|all", help="Raw run, reduced run or scan set.")],
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting; repeatable.")
    ] = None,
    leave_out: Annotated[
        list[str] | None, typer.Option(metavar=EXCLUDED, help="Exclude a pass, a point, or a detector of either.")
    ] = None,
    take_back: Annotated[list[str] | None, typer.Option(metavar=EXCLUDED, help="Revoke an exclusion.")] = None,
    source: From = "journal",
    write: Annotated[
        bool, typer.Option("--write", help="Store a result even if it differs from the stored one.")
    ] = False,
    shots: Shots = False,
    workers: Workers = DEFAULT_WORKERS,
    scheduler: Scheduler = None,
    since: Since = None,
    until: Until = None,
    config: Config = "simulated",
    data: Data = None,
) -> None:
    """Reduce stored raw data again, bit-identical to the live reduction or with other settings.

    With the name all, each scan set of a range of time: one after the other, or side by side on a Dask scheduler. Those
    whose results are stored already are skipped, so that it can be repeated after an interruption; a table has by how
    many error bars each result changed.
    """
    from beamline.records.runs.job import parse_excluded, plan_job
    from beamline.records.runs.search import runs_named

    changes = dict(parse_setting(each) for each in settings or ())
    with stored(config, data, source) as found:
        runs = found.store.runs() if name == ALL or leave_out or take_back else runs_named(found.store, [name])
        out, back = (
            tuple(one for each in texts or () for one in parse_excluded(runs, each)) for texts in (leave_out, take_back)
        )
        names = names_of(runs, name, since, until)
        jobs = {each: partial(plan_job, runs, each, changes) for each in names}
        if name == ALL:
            skip = bool(changes or write) and not (out or back)
            tasks = _tasks(found, source, shots, runs, jobs, (out, back), skip)
            good = _reduce_all(found, tasks, workers, scheduler, write)
        else:
            job = replace(jobs[name](), leave_out=out, take_back=back)
            of_shots = partial(shot_store, workers=workers, scheduler=scheduler) if shots else None
            good = _reduce_one(found, runs, job, write, of_shots)
    if not good:
        raise typer.Exit(1)


def _reduce_one(
    found: Stored, runs: list[Run], job: Job, write: bool, of_shots: Callable[..., ShotStore] | None
) -> bool:
    """Reduce one run or scan set; whether all results agree with the stored ones, or are stored."""
    from beamline.records.runs.replay import replay

    store = of_shots(found.store, found.config, found.console) if of_shots is not None else None
    results = replay(store or found.store, runs, job, with_shots=store is None)
    agree = _report(found, results, store.left_out if store is not None else (), write)
    if left_out := len(job.wanted) - len(results):
        found.console.print(f"{left_out} passes ended before their first dwell and are excluded.")
    return agree or write


def _report(found: Stored, results: Collection[Replayed], left_out: Iterable[str], write: bool) -> bool:
    for sentence in left_out:
        found.console.print(f"left out: {sentence}", markup=False)
    for sentence in dict.fromkeys(note for result in results for note in result.notes):
        found.console.print(sentence, markup=False)
    agree = [_report_replay(found.console, found.config, result, write) for result in results]
    return all(agree)


def _tasks(
    found: Stored,
    source: str,
    shots: bool,
    runs: list[Run],
    jobs: Mapping[str, Callable[[], Job]],
    exclusions: tuple[Excluded, Excluded],
    skip: bool,
) -> list[SetTask]:
    """Tasks of the scan sets that can be reduced; the others are reported.

    Raises
    ------
    beamline.records.runs.run.RunError
        If none can.
    """
    from beamline.records.runs.cycle import RunSource, set_task
    from beamline.records.runs.run import RunError

    config, tasks, refused = found.config, [], dict[str, RunError]()
    threshold = config.shots.threshold if shots else None
    there = RunSource(source, config.data.root.absolute(), str(config.data.catalogue_address), threshold)
    for name, plan in jobs.items():
        try:
            job = replace(plan(), leave_out=exclusions[0], take_back=exclusions[1])
            tasks.append(set_task(name, there, job, runs, skip))
        except RunError as error:
            refused[name] = error
    if not tasks:
        raise next(iter(refused.values()))
    for name, reason in refused.items():
        found.console.print(f"scan set {name[:8]} is left out: {reason}", markup=False)
    return tasks


def _reduce_all(found: Stored, tasks: list[SetTask], workers: int, scheduler: str | None, write: bool) -> bool:
    """Reduce scan sets, store each as it is finished, and print the table of what changed."""
    from beamline.app.commands.cycle_table import cycle_table
    from beamline.records.runs.cycle import reduce_sets

    outcomes: dict[str, SetOutcome] = {}
    agree = []

    def finished(outcome: SetOutcome) -> None:
        outcomes[outcome.name] = replace(outcome, results=())
        if outcome.error:
            found.console.print(f"scan set {outcome.name[:8]} failed: {outcome.error}", markup=False)
        agree.append(not outcome.error and (_report(found, outcome.results, outcome.left_out, write) or write))

    store: RunStore = found.store
    if tasks[0].source.threshold is not None and scheduler is None:
        store = shot_store(store, found.config, found.console, workers, None)
    try:
        reduce_sets(tasks, store, scheduler, finished)
    finally:
        found.console.print(cycle_table([(task, outcomes.get(task.name)) for task in tasks]))
    return all(agree)


def _report_replay(console: Console, config: Configuration, result: Replayed, write: bool) -> bool:
    """Report one replay, and store it if it is new; False if it differs from the stored run."""
    from beamline.records.runs.detectors import detector_results

    passes = len(result.start["accumulates"]) + 1
    label = f"{result.raw.uid[:8]} ({passes} passes summed, settings {result.start['settings_hash']})"
    if detectors := detector_results(result.documents, "").text:
        console.print(f"{label}: {detectors}", markup=False)
    stored = result.stored.uid[:8] if result.stored else ""
    if result.damage:
        console.print(f"{label}: {result.damage}", markup=False)
    if write or (result.new and not result.damage):
        why = f"; of {stored} {result.agreement}" if result.stored else ""
        _keep(config, result)
        console.print(f"{label}: new reduced run {result.start['uid'][:8]}{why}", markup=False)
        if without := next(
            (doc["reason"] for name, doc in result.documents if name == "stop" and doc.get("reason")), ""
        ):
            console.print(f"  {without}", markup=False)
        return result.new or (result.agreement is not None and result.agreement.exact)
    if result.damage:
        console.print("  Results of damaged raw data are stored only with --write.", markup=False)
        return False
    console.print(f"{label}: {result.agreement} with the stored reduced run {stored}", markup=False)
    if result.agreement is not None and result.agreement.exact:
        return True
    console.print(f"  {_suspect(result)} --write stores this one beside it.", markup=False)
    return False


def _suspect(result: Replayed) -> str:
    """Explain why numbers may differ."""
    ours, theirs = result.start["versions"], (result.stored.start if result.stored else {}).get("versions", {})
    changed = [f"{key} {theirs.get(key)} -> {ours.get(key)}" for key in sorted({*ours, *theirs}) if
               ours.get(key) != theirs.get(key)]  # fmt: skip
    if changed:
        return f"The stored one was made by another version ({', '.join(changed)})."
    return "Both were made by the same version: did the live reduction fail in an earlier pass?"


def _keep(config: Configuration, result: Replayed) -> None:
    """Write a reduced run to the journal, from which the catalogue writer copies it to the catalogue."""
    from beamline.records.journal import Journal

    journal = Journal(config.data.root, min_free_bytes=int(config.data.min_free_gb * 1e9))
    try:
        for name, doc in result.documents:
            journal(name, doc)
    finally:
        journal.close()


def parse_setting(text: str) -> tuple[str, Any]:
    """Parse ``key=value`` into a key and a number, boolean, None, text, or (``a,b``) list of these.

    Raises
    ------
    typer.BadParameter
        If there is no ``=``.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip() or not value.strip():
        raise typer.BadParameter(f"--set takes KEY=VALUE, for example --set i0_noise=2e-3, not {text!r}")
    return key.strip(), _value(value.strip())


def _value(text: str) -> Any:
    if text == "None":
        return None
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        parts = text.strip("()[]").split(",")
        return [_value(part.strip()) for part in parts if part.strip()] if len(parts) > 1 else text


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("reduce")(reduce_command)
