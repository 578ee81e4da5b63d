"""Support for `trxas reduce --shots`: a store that reads shots, a progress bar, date ranges."""

from __future__ import annotations

import os
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress

if TYPE_CHECKING:
    from beamline.config.models import Configuration
    from beamline.records.runs.run import Run
    from beamline.records.runs.shot_store import ShotStore
    from beamline.records.runs.store import RunStore
    from beamline.records.shot_files.dwells import DwellShots, DwellTask

ALL = "all"
Shots = Annotated[
    bool, typer.Option("--shots", help="Count photons from the digitiser's files instead of the counter.")
]
Workers = Annotated[
    int, typer.Option(min=1, show_default="all processors", help="With --shots: number of local worker processes.")
]
Scheduler = Annotated[
    str | None, typer.Option(help="Address of a running Dask scheduler: for shots, and for all scan sets side by side.")
]
Since = Annotated[datetime | None, typer.Option(help="With the name all: scan sets that began at this time or later.")]
Until = Annotated[datetime | None, typer.Option(help="With the name all: scan sets that began before this time.")]
DEFAULT_WORKERS = max(1, os.cpu_count() or 1)


def shot_store(
    store: RunStore, config: Configuration, console: Console, workers: int, scheduler: str | None
) -> ShotStore:
    """The store whose events hold counts from shots."""
    from beamline.records.runs.shot_store import ShotStore
    from beamline.records.shot_files.workers import reduce_dwells

    def reduce(tasks: list[DwellTask]) -> list[DwellShots]:
        with Progress(console=console, transient=True) as bar:
            task = bar.add_task("dwells", total=len(tasks))
            return reduce_dwells(tasks, workers, scheduler, lambda done, _: bar.update(task, completed=done))

    return ShotStore(store, config.shots.threshold, reduce)


def names_of(runs: list[Run], name: str, since: datetime | None, until: datetime | None) -> list[str]:
    """Resolve a name: itself, or for ``all`` the scan sets that began within a range of time.

    Raises
    ------
    typer.BadParameter
        If a range is given with another name.
    beamline.records.runs.run.RunError
        If nothing began within it.
    """
    from beamline.records.runs.run import RunError

    if name != ALL:
        if since is not None or until is not None:
            raise typer.BadParameter(f"--since and --until go with the name {ALL}, not with {name}")
        return [name]
    began: dict[str, float] = {}
    for run in runs:
        if run.raw_uid is None and run.scan_set is not None:
            began[run.scan_set] = min(run.time, began.get(run.scan_set, run.time))
    first = since.timestamp() if since else float("-inf")
    last = until.timestamp() if until else float("inf")
    names = [scan_set for scan_set, time in began.items() if first <= time < last]
    if not names:
        raise RunError("no scan set began within that time; `trxas list` shows them")
    return names
