"""The table at the end of `trxas reduce all`: what changed in each scan set, by how many error bars."""

from __future__ import annotations

from rich.table import Table

from beamline.formatting import when
from beamline.records.runs.cycle import SetOutcome, SetTask
from beamline.records.runs.result_changes import QUANTITIES, ResultChange
from beamline.records.runs.table import plain_text

LONGEST = 20
"""Characters of a sample."""
Row = tuple[SetTask, SetOutcome | None]


def cycle_table(rows: list[Row]) -> Table:
    """One line a scan set, in the order of measurement.

    Largest and root-mean-square change of each quantity are in error bars of the result of the measurement; neighbours
    in a spectrum are correlated.
    """
    title = "change against the measurement's result: largest (rms), in its error bars"
    table = Table(box=None, title=title, title_justify="left", title_style="bold", header_style="bold", pad_edge=False)
    static = "static" if any(_change(outcome, "static") for _, outcome in rows) else "off"
    for name in ("began", "scan set", "sample", "edge", "passes"):
        table.add_column(name, overflow="ellipsis", no_wrap=True, max_width=LONGEST)
    for name in (static, "transient", "errors"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("result", overflow="fold")
    for task, outcome in rows:
        first = task.job.passes[0]
        about = [when(first.time), task.name[:8], *(first.start.get(key) or "" for key in ("sample", "edge"))]
        changes = [_size(_change(outcome, name)) for name in (static, "transient")]
        cells = [*about, len(task.job.passes), *changes, _errors(outcome), _state(outcome)]
        table.add_row(*(plain_text(cell) for cell in cells))
    return table


def _change(outcome: SetOutcome | None, quantity: str) -> ResultChange | None:
    changed = outcome.changed if outcome is not None else ()
    return next((each for each in changed if isinstance(each, ResultChange) and each.quantity == quantity), None)


def _size(change: ResultChange | None) -> str:
    return f"{change.largest:.2f} ({change.rms:.2f})" if change is not None else ""


def _errors(outcome: SetOutcome | None) -> str:
    """Ratio of new to earlier error bars, of the last quantity: the transient where there is one."""
    found = [change for name in QUANTITIES if (change := _change(outcome, name)) is not None]
    return f"x{found[-1].error_ratio:.3g}" if found else ""


def _state(outcome: SetOutcome | None) -> str:
    if outcome is None:
        return "not reached"
    if outcome.error:
        return "failed"
    done = "was stored already" if outcome.skipped else "reduced"
    return f"{done}; {outcome.changed}" if isinstance(outcome.changed, str) else done
