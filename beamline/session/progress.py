"""Progress bar, time left and live table in the terminal, from the reduced documents."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from bluesky import RunEngine
from rich.console import Console, Group
from rich.errors import LiveError
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from beamline.config.models import Configuration
from beamline.formatting import duration
from beamline.session.guard import Subscriber
from reduction.documents.raw import AXES


class TimeLeft:
    """Follows the points of one pass after another.

    Parameters
    ----------
    clock_rate : float
        Beamline seconds a wall second.
    """

    def __init__(self, clock_rate: float = 1.0) -> None:
        self._clock_rate = clock_rate
        self.estimate: float | None = None
        """Wall seconds of the pass, as the plan told before; None if it told nothing."""
        self.total = 0
        self.done = 0.0
        """Dwells: of the pass if nothing is taken again, and of those done."""
        self._per_point = 1.0
        self._later = 0
        self._points: list[int] = []
        self._here = 0

    def begin(self, start: Mapping[str, Any]) -> None:
        """Take the start document of a raw run."""
        estimate = start.get("estimated_time")
        self.estimate = None if estimate is None else float(estimate) / self._clock_rate
        self.total, self.done = int(start.get("num_events") or 0), 0.0
        self._per_point = self.total / max(1, int(start.get("num_points") or 1))
        self._later = int(start.get("passes", 1)) - int(start.get("scan_index", 0)) - 1
        self._points, self._here = [], 0

    def dwell(self, point: int) -> None:
        """A dwell at a point has ended. One that was taken again is no progress; one that was not needed is."""
        if not self._points or self._points[-1] != point:
            self._points.append(point)
            self._here = 0
        self._here += 1
        self.done = min(self.total, (len(self._points) - 1) * self._per_point + min(self._here, self._per_point))

    def left(self, elapsed: float) -> float | None:
        """Wall seconds that the pass still takes, `elapsed` (s) after its start; None if nobody can tell."""
        share = self.done / self.total if self.total else 0.0
        if self.estimate is None:
            return elapsed * (1 - share) / share if share else None
        if not share:
            return max(0.0, self.estimate - elapsed)
        return (1 - share) * ((1 - share) * self.estimate + elapsed)

    def in_words(self, elapsed: float) -> str:
        """The same for people, and what the later passes take on top."""
        left = self.left(elapsed)
        if left is None:
            return ""
        words = f"{duration(left)} left"
        if self._later > 0 and self.estimate is not None:
            words += f", {duration(left + self._later * self.estimate)} with {self._later} more"
            words += " pass" if self._later == 1 else " passes"
        return words


ROWS = 8
PLAIN_EVERY = 25
"""Without a terminal every so many points print one line."""
COLUMNS = ("point", "photons/pulse", "slot 0 / %", "slot 1 / %", "dwells off+on", "remark")


class _LeftColumn(ProgressColumn):
    """What is left of a pass, and of those after it."""

    def __init__(self, left: TimeLeft) -> None:
        super().__init__()
        self._left = left

    def render(self, task: Task) -> Text:
        return Text("" if task.finished else self._left.in_words(task.elapsed or 0.0))


class LiveTable:
    """Shows the points of each pass as they come; call it with reduced documents.

    Parameters
    ----------
    console : rich.console.Console
    clock_rate : float
        Beamline seconds a wall second.
    """

    def __init__(self, console: Console, clock_rate: float = 1.0) -> None:
        self._console = console
        self._left = TimeLeft(clock_rate)
        self._rows: deque[tuple[str, ...]] = deque(maxlen=ROWS)
        self._points = 0
        self._live: Live | None = None
        self._paused: float | None = None
        self._progress = self._bar()

    def _bar(self) -> Progress:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        return Progress(*columns, _LeftColumn(self._left), console=self._console)

    def expect(self, name: str, doc: Mapping[str, Any]) -> None:
        """Take a raw document: what a start document says of the length of its pass."""
        if name == "start":
            self._left.begin(doc)

    def __call__(self, name: str, doc: Mapping[str, Any]) -> None:
        """Take one reduced document."""
        if name == "start":
            self._begin(doc)
        elif name == "event" and "point_index" in doc["data"]:
            self._left.dwell(int(doc["data"]["point_index"]))
            self._progress.update(self._progress.task_ids[0], completed=round(self._left.done))
            self._point(row_of(doc["data"]))
        elif name == "stop":
            self.close()

    def _begin(self, start: Mapping[str, Any]) -> None:
        self.close()
        self._rows.clear()
        self._points = 0
        title = f"pass {start.get('scan_index', 0) + 1} of {start.get('passes', '?')}"
        self._progress = self._bar()
        self._progress.add_task(title, total=start.get("num_events"))
        if self._console.is_terminal:
            self._open()
        else:
            left = self._left.in_words(0.0)
            self._console.print(f"{title}{f', {left}' if left else ''}: {', '.join(COLUMNS)} (slots: on - off)")

    def _open(self) -> None:
        # The table is built when the screen is refreshed, not at each dwell.
        self._live = Live(console=self._console, refresh_per_second=4, get_renderable=self._screen)
        self._live.start()

    def close(self) -> None:
        """Leave the table on the screen as it stands."""
        self._paused = None
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    def follow(self, state: str, _: str) -> None:
        """Take a state of the RunEngine and the one before: while a plan is paused the screen is that of the prompt."""
        with contextlib.suppress(LiveError, OSError):  # a screen that fails stops no scan
            if state == "paused" and self._live is not None:
                self.close()
                self._paused = time.monotonic()
            elif state == "running" and self._paused is not None:
                for task in self._progress.tasks:
                    task.start_time = (task.start_time or 0.0) + time.monotonic() - self._paused
                self._paused = None
                self._open()
            elif state == "idle":  # also after a scan whose reduction has failed, which tells no end
                self.close()

    def _point(self, row: tuple[str, ...]) -> None:
        if self._rows and self._rows[-1][0] == row[0]:
            self._rows[-1] = row
            return
        self._points += 1
        if self._live is None and self._rows and self._points % PLAIN_EVERY == 0:
            self._console.print("  ".join(self._rows[-1]).rstrip())
        self._rows.append(row)

    def _screen(self) -> Group:
        table = Table(
            title="difference on - off, same slot, in % of the laser-off rate\n(errors: counting and I0 alone)"
        )
        for header in COLUMNS:
            table.add_column(header, justify="right")
        for row in list(self._rows):
            table.add_row(*row)
        return Group(table, self._progress)


class _Watched(Protocol):
    """What of a session the table needs."""

    RE: RunEngine
    config: Configuration

    def listen_reduced(self, listener: Subscriber, title: str) -> None: ...


def show_progress(session: _Watched, console: Console) -> None:
    """Show each pass of a session as it goes on."""
    table = LiveTable(console, session.config.clock_rate)
    session.RE.subscribe(table.expect, "start")
    session.RE.state_hook = table.follow  # type: ignore[assignment]  # bluesky tells its type as None
    session.listen_reduced(table, "the live table")


def row_of(data: Mapping[str, Any]) -> tuple[str, ...]:
    """One row of the table from the data of an event of the stream `points`."""
    off, difference, stddev = (np.asarray(data[key]) for key in ("off", "difference", "difference_stddev"))
    with np.errstate(divide="ignore", invalid="ignore"):
        percent, error = 100 * difference / off, 100 * stddev / np.abs(off)
    slots = [_with_error(percent[slot], error[slot]) if slot < off.size else "" for slot in (0, 1)]
    remark = data["fault"] or (f"{data['bad_phases']} phases saturated or shut" if data["bad_phases"] else "")
    dwells = f"{data['dwells_off']}+{data['dwells_on']}"
    return (_place(data), f"{np.nanmean(data['photons']):.4f}", *slots, dwells, remark)


def _with_error(value: float, error: float) -> str:
    return f"{value:+.2f} +- {error:.2f}" if np.isfinite(value) and np.isfinite(error) else "-"


def _place(data: Mapping[str, Any]) -> str:
    """Where a point lies on the axis that is scanned, with its unit."""
    for key, unit in AXES.values():
        if key in data:
            return f"{data[key]:.5f} {unit}" if key == "energy" else f"{data[key]:g} {unit}"
    return str(data["point_index"])
