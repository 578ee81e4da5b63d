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

from beamline.records.runs.table import run_delay
from beamline.session.guard import Subscriber
from beamline.session.pass_progress import PassProgress
from reduction.documents.raw import AXES

ROWS = 8
PLAIN_EVERY = 25
"""Without a terminal, print one line per so many points."""
FIXED = {"probe_energy": "keV", "pump_fluence": "mJ/cm2"}
"""Entries of start documents with the unit of an axis that stays."""
COLUMNS = ("point", "photons/pulse", "slot 0 / %", "slot 1 / %", "dwells off+on", "remark")


class _TimeLeftColumn(ProgressColumn):
    """Time left for a pass, and with those after it."""

    def __init__(self, progress: PassProgress) -> None:
        super().__init__()
        self._pass_progress = progress

    def render(self, task: Task) -> Text:
        return Text("" if task.finished else self._pass_progress.time_left(time.time()))


class LiveTable:
    """Shows the points of each pass as they arrive. A subscriber to reduced documents.

    Parameters
    ----------
    console : rich.console.Console
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._pass = PassProgress()
        self._rows: deque[tuple[str, ...]] = deque(maxlen=ROWS)
        self._points = 0
        self._live: Live | None = None
        self._paused: float | None = None
        self._progress = self._bar()

    def _bar(self) -> Progress:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        return Progress(*columns, _TimeLeftColumn(self._pass), console=self._console)

    def expect(self, name: str, doc: Mapping[str, Any]) -> None:
        """Process a raw start document, which has the length of its pass."""
        if name == "start":
            self._pass.begin(doc)

    def __call__(self, name: str, doc: Mapping[str, Any]) -> None:
        """Process one reduced document."""
        if name == "start":
            self._begin(doc)
        elif name == "event" and "point_index" in doc["data"]:
            self._pass.advance(doc["seq_num"], int(doc["data"]["point_index"]), doc["time"])
            self._progress.update(self._progress.task_ids[0], completed=round(self._pass.done))
            self._point(row_of(doc["data"]))
        elif name == "stop":
            self.close()

    def _begin(self, start: Mapping[str, Any]) -> None:
        self.close()
        self._rows.clear()
        self._points = 0
        title = ", ".join(
            [*conditions_of(start), f"pass {start.get('scan_index', 0) + 1} of {start.get('passes', '?')}"]
        )
        self._progress = self._bar()
        self._progress.add_task(title, total=start.get("num_events"))
        if self._console.is_terminal:
            self._open()
        else:
            left = self._pass.time_left(time.time())
            self._console.print(f"{title}{f', {left}' if left else ''}: {', '.join(COLUMNS)} (slots: on - off)")

    def _open(self) -> None:
        # the table is built at each refresh, not at each dwell
        self._live = Live(console=self._console, refresh_per_second=4, get_renderable=self._screen)
        self._live.start()

    def close(self) -> None:
        """Stop updating; the table remains on the screen."""
        self._paused = None
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    def follow(self, state: str, _: str) -> None:
        """State hook of the RunEngine: while a plan is paused, the screen belongs to the prompt."""
        with contextlib.suppress(LiveError, OSError):  # a failing terminal must not stop a scan
            if state == "paused" and self._live is not None:
                self.close()
                self._paused = time.monotonic()
            elif state == "running" and self._paused is not None:
                for task in self._progress.tasks:
                    task.start_time = (task.start_time or 0.0) + time.monotonic() - self._paused
                self._paused = None
                self._open()
            elif state == "idle":  # also after a scan whose reduction has failed and published no stop document
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
    """The part of a session that the table uses."""

    RE: RunEngine

    def listen_reduced(self, listener: Subscriber, title: str) -> None: ...


def show_progress(session: _Watched, console: Console) -> None:
    """Show the progress of each pass of a session."""
    table = LiveTable(console)
    session.RE.subscribe(table.expect, "start")
    session.RE.state_hook = table.follow  # type: ignore[assignment]  # bluesky annotates it as None
    session.listen_reduced(table, "the live table")


def conditions_of(start: Mapping[str, Any]) -> list[str]:
    """Edge, and where the axes are that are not scanned: ``["Br_K", "10.1 ns"]``."""
    others = (f"{start[key]:g} {unit}" for key, unit in FIXED.items() if isinstance(start.get(key), int | float))
    return [each for each in (str(start.get("edge", "")), run_delay(start), *others) if each]


def row_of(data: Mapping[str, Any]) -> tuple[str, ...]:
    """One row of the table from the data of an event of the stream `points`."""
    off, difference, stddev = (np.asarray(data[key]) for key in ("off", "difference", "difference_stddev"))
    with np.errstate(divide="ignore", invalid="ignore"):
        percent, error = 100 * difference / off, 100 * stddev / np.abs(off)
    slots = [_with_error(percent[slot], error[slot]) if slot < off.size else "" for slot in (0, 1)]
    remark = data["fault"] or (f"{data['bad_phases']} phases saturated or shut" if data["bad_phases"] else "")
    dwells = f"{data['dwells_off']}+{data['dwells_on']}"
    return (_position(data), f"{np.nanmean(data['photons']):.4f}", *slots, dwells, remark)


def _with_error(value: float, error: float) -> str:
    return f"{value:+.2f} +- {error:.2f}" if np.isfinite(value) and np.isfinite(error) else "-"


def _position(data: Mapping[str, Any]) -> str:
    """Position of a point on the scanned axis, with its unit."""
    for key, unit in AXES.values():
        if key in data:
            return f"{data[key]:.5f} {unit}" if key == "energy" else f"{data[key]:g} {unit}"
    return str(data["point_index"])
