"""Tables of a night: what it would do, and what became of it by sample."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from rich.table import Table

from beamline.formatting import duration
from beamline.records.runs.health import health_of
from beamline.records.runs.run import Run
from beamline.session.nights.forecast import RowForecast
from beamline.session.nights.night import RowOutcome
from beamline.session.nights.progress import NightProgress
from beamline.session.nights.rows import NightRow

SHORT = 8
"""Characters of a uid."""


def forecast_table(night: str, forecasts: Iterable[RowForecast], begin: datetime, clock_rate: float) -> Table:
    """A line for each row in their order, with the time at which it begins."""
    table = _table(
        f"{night}: what would be measured", ("row", "begins", "lasts", "runs"), ("sample", "place", "plan", "state")
    )
    now = begin
    for each in forecasts:
        seconds = each.seconds / clock_rate
        least = "<= " if each.stops_early else ""
        times = (f"{now:%a %H:%M}", f"{least}{duration(seconds)}", str(each.passes)) if each.passes else ("", "", "")
        told = (each.row.sample or "-", ", ".join(each.places) or "-", described(each.row), each.state)
        table.add_row(str(each.row.number), *times, *told)
        now += timedelta(seconds=seconds)
    table.caption = f"ends {now:%a %H:%M} at the latest, without waits for beam" if now > begin else "nothing is left"
    return table


def report_table(
    progress: NightProgress, rows: Sequence[NightRow], outcomes: Mapping[str, RowOutcome], sample: str
) -> Table:
    """A line for each row, by sample: runs, time, verdict of the last pass, and what became of it."""
    table = _table(f"{progress.night}: by sample", ("row", "runs", "lasted"), ("sample", "plan", "last run", "state"))
    verdict = _verdict_of(progress)
    for name in dict.fromkeys(row.sample for row in rows):
        for row in (each for each in rows if each.sample == name):
            runs = progress.runs_of(row)
            last = f"{runs[-1].uid[:SHORT]} {verdict(runs[-1])}".strip() if runs else "-"
            state = _state(progress, row, outcomes.get(row.key), row.sample or sample)
            lasted = duration(sum(_seconds(run) for run in runs))
            table.add_row(str(row.number), str(len(runs)), lasted, name or "-", described(row), last, state)
    return table


def described(row: NightRow) -> str:
    """Plan and arguments."""
    return " ".join([row.plan, *(f"{name}={_short(value)}" for name, value in row.arguments.items())])


def _short(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _verdict_of(progress: NightProgress) -> Callable[[Run], str]:
    runs = list(progress.runs)
    return lambda run: str(health_of(progress.store, runs, run) or "")


def _state(progress: NightProgress, row: NightRow, outcome: RowOutcome | None, sample: str) -> str:
    if progress.is_done(row, sample):
        return "done"
    if outcome is not None and outcome.reason:
        return f"failed: {outcome.reason}"
    return "begun" if progress.runs_of(row) else "to do"


def _seconds(run: Run) -> float:
    return float((run.stop or {}).get("time", run.time)) - run.time


def _table(title: str, numbers: Sequence[str], texts: Sequence[str]) -> Table:
    table = Table(box=None, title=title, title_justify="left", title_style="bold", header_style="bold", pad_edge=False)
    table.caption_justify = "left"
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    for name in texts:
        table.add_column(name, overflow="fold")
    return table
