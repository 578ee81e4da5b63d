"""Adds the digitiser to any plan: one file per run, all dwells digitised, rows referenced in documents."""

from __future__ import annotations

from typing import Any

import bluesky.plan_stubs as bps
from bluesky.preprocessors import plan_mutator
from bluesky.utils import Msg, MsgGenerator

from devices.instruments.counter import PhotonCounter
from devices.instruments.digitiser import Digitiser

STREAM = "shots"


class _Recorder:
    """Message mutator of one plan."""

    def __init__(self, digitiser: Digitiser, counter: PhotonCounter) -> None:
        self._digitiser, self._counter = digitiser, counter
        self._records = self._declared = False
        # Commands to the digitiser since it was unstaged ("stage") or waited for ("trigger").
        self._requested: set[str] = set()

    def change(self, message: Msg) -> tuple[MsgGenerator[Any] | None, None]:
        """Replacement of a message; None to keep it."""
        if message.command == "wait":
            self._requested.discard("trigger")
        if message.obj is self._digitiser:
            return (None if self._is_wanted(message) else bps.null()), None
        if message.obj is self._counter and message.command == "stage":
            return self._opening(message), None
        if not self._records:
            return None, None
        if message.obj is self._counter and message.command == "unstage":
            return self._closing(message), None
        if message.obj is self._counter and message.command == "trigger":
            return self._arming(message), None
        return (self._saving(message) if message.command == "save" else None), None

    def _is_wanted(self, message: Msg) -> bool:
        """Whether this command to the digitiser, from here or from the plan, is not yet executed."""
        if message.command == "unstage":
            was_staged = "stage" in self._requested
            self._requested.clear()
            return was_staged
        if message.command == "read":
            return not self._records
        if message.command not in ("stage", "trigger"):
            return True
        is_new = message.command not in self._requested
        self._requested.add(message.command)
        return is_new

    def _opening(self, message: Msg) -> MsgGenerator[Any]:
        result = yield message
        self._records, self._declared = True, False
        yield from bps.stage(self._digitiser)
        return result

    def _closing(self, message: Msg) -> MsgGenerator[Any]:
        self._records = False
        yield from bps.unstage(self._digitiser)
        return (yield message)

    def _arming(self, message: Msg) -> MsgGenerator[Any]:
        if not self._declared:
            yield from bps.declare_stream(self._digitiser, name=STREAM, collect=True)
            self._declared = True
        yield from bps.trigger(self._digitiser, group=message.kwargs.get("group"))
        return (yield message)

    def _saving(self, message: Msg) -> MsgGenerator[Any]:
        yield from bps.read(self._digitiser.rows)
        result = yield message
        yield from bps.collect(self._digitiser, name=STREAM, return_payload=False)
        return result


def with_shots(plan: MsgGenerator[Any], digitiser: Digitiser, counter: PhotonCounter) -> MsgGenerator[Any]:
    """Add the digitiser to a plan; runs that do not stage the counter are unchanged.

    The digitiser is armed before each trigger of the counter, read into the counter's event, and its new rows are
    referenced right after the event. Commands of the plan itself to the digitiser are executed once and not read:
    bluesky allows one row of a file per event, and a dwell has many.
    """
    return (yield from plan_mutator(plan, _Recorder(digitiser, counter).change))
