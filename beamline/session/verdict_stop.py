"""Stops a queue, or a night from a table, after a pass whose verdict is bad: optional, `[queue] stop_at`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import bluesky.preprocessors as bpp
from bluesky import RunEngine
from bluesky.utils import Msg, MsgGenerator

from beamline.config.models import Configuration
from beamline.records.runs.health import health_of
from beamline.records.runs.journal_runs import JournalRuns
from beamline.records.runs.search import runs_named

LEVELS = ("look", "bad")
"""Verdicts that may stop a queue, the milder first."""


class QueueSession(Protocol):
    """The part of a session that is used here."""

    RE: RunEngine
    config: Configuration


class VerdictError(RuntimeError):
    """A pass has a verdict at which the queue stops; the message has the run and the reasons."""


class VerdictStop:
    """Judges each run that has ended, before the next one begins or the plan ends.

    Parameters
    ----------
    root : Path
        Data root of the journal.
    level : str
        The mildest verdict that stops.

    Attributes
    ----------
    reason : str
        Why the queue has stopped; empty if it has not.
    """

    def __init__(self, root: Path, level: str) -> None:
        self._root, self._stopping = root, LEVELS[LEVELS.index(level) :]
        self._ended: list[str] = []
        self.reason = ""

    def __call__(self, name: str, doc: Mapping[str, Any]) -> None:
        """Take a stop document of the RunEngine."""
        if name == "stop":
            self._ended.append(str(doc["run_start"]))

    def watched(self, plan: MsgGenerator[Any]) -> MsgGenerator[Any]:
        """The plan, which raises `VerdictError` after a run that stops the queue; a preprocessor of the RunEngine."""
        self._ended.clear()
        result = yield from bpp.plan_mutator(plan, self._before)
        self.judge()
        return result

    def _before(self, message: Msg) -> tuple[MsgGenerator[Any] | None, None]:
        return (self._judged_before(message) if message.command == "open_run" else None), None

    def _judged_before(self, message: Msg) -> MsgGenerator[Any]:
        self.judge()  # here, so that the plan can clean up
        return (yield message)

    def judge(self) -> None:
        """Judge the runs that have ended since the last time.

        Raises
        ------
        VerdictError
        """
        while self._ended:
            self._judge(self._ended.pop())

    def _judge(self, uid: str) -> None:
        store = JournalRuns(self._root)
        runs = runs_named(store, [uid])
        run = next((each for each in runs if each.uid == uid), None)
        health = health_of(store, runs, run) if run is not None else None
        if health is not None and health.verdict in self._stopping:
            self.reason = f"run {uid[:8]} is {health}; [queue] stop_at stops the queue after it"
            raise VerdictError(self.reason)


def stop_at_verdicts(session: QueueSession) -> None:
    """Let the plans of a session fail after a pass whose verdict stops a queue, if the configuration asks for it."""
    if level := session.config.queue.stop_at:
        stop = VerdictStop(session.config.data.root, level)
        session.RE.subscribe(stop, "stop")
        session.RE.preprocessors.append(stop.watched)
