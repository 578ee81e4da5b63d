"""Progress bar, time estimate and live table in the terminal, from the reduced documents."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

ROWS = 8
PLAIN_EVERY = 25
"""Without a terminal every so many points print one line."""


class LiveTable:
    """Shows the points of a scan as they come; call it with reduced documents.

    Parameters
    ----------
    console : rich.console.Console
    passes : int
        Passes that the plan will take.
    dwells : int
        Dwells of one pass.
    """

    def __init__(self, console: Console, passes: int, dwells: int) -> None:
        self._console = console
        self._rows: deque[tuple[str, ...]] = deque(maxlen=ROWS)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=console,
        )
        self._passes = passes
        self._task = self._progress.add_task("dwells", total=passes * dwells)
        # The table is built when the screen is refreshed, not at each dwell.
        self._live = Live(console=console, refresh_per_second=4, get_renderable=self._screen)
        self._finished_points = 0

    def __enter__(self) -> LiveTable:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def __call__(self, name: str, doc: Mapping[str, Any]) -> None:
        """Take one reduced document."""
        if name == "start":
            title = f"pass {doc.get('scan_index', 0) + 1} of {self._passes}"
            self._progress.update(self._task, description=title)
        elif name == "event" and "point_index" in doc["data"]:
            self._progress.advance(self._task)
            self._point(doc["data"])

    def _point(self, data: Mapping[str, Any]) -> None:
        row = row_of(data)
        if self._rows and self._rows[-1][0] == row[0]:
            self._rows[-1] = row
        else:
            self._finished_points += 1
            if self._rows and not self._console.is_terminal and self._finished_points % PLAIN_EVERY == 0:
                self._console.print("  ".join(self._rows[-1]))
            self._rows.append(row)

    def _screen(self) -> Group:
        return Group(self._table(), self._progress)

    def _table(self) -> Table:
        table = Table(title="difference on - off, same slot, in % of the laser-off rate")
        for header in ("energy / keV", "photons/pulse", "slot 0 / %", "slot 1 / %", "dwells off+on", "remark"):
            table.add_column(header, justify="right")
        for row in list(self._rows):
            table.add_row(*row)
        return table


def row_of(data: Mapping[str, Any]) -> tuple[str, ...]:
    """One row of the table from the data of an event of the stream `points`."""
    off, difference, stddev = (np.asarray(data[key]) for key in ("off", "difference", "difference_stddev"))
    with np.errstate(divide="ignore", invalid="ignore"):
        percent, error = 100 * difference / off, 100 * stddev / np.abs(off)
    slots = [_with_error(percent[slot], error[slot]) if slot < off.size else "" for slot in (0, 1)]
    remark = data["fault"] or (f"{data['bad_phases']} phases saturated or shut" if data["bad_phases"] else "")
    dwells = f"{data['dwells_off']}+{data['dwells_on']}"
    return (f"{data['energy']:.5f}", f"{np.nanmean(data['photons']):.4f}", *slots, dwells, remark)


def _with_error(value: float, error: float) -> str:
    return f"{value:+.2f} +- {error:.2f}" if np.isfinite(value) and np.isfinite(error) else "-"
