"""Adds the digitiser to any plan: a file a run, every dwell of the counter digitised, its rows named in documents."""

from __future__ import annotations

from typing import Any

import bluesky.plan_stubs as bps
from bluesky.preprocessors import plan_mutator
from bluesky.utils import Msg, MsgGenerator

from devices.instruments.counter import PhotonCounter
from devices.instruments.digitiser import Digitiser

STREAM = "shots"


class _Recorder:
    """Changes the messages of one plan."""

    def __init__(self, digitiser: Digitiser, counter: PhotonCounter) -> None:
        self._digitiser, self._counter = digitiser, counter
        self._records = self._declared = False
        self._requested: set[str] = set()  # of the digitiser, since it was unstaged ("stage") or waited for ("trigger")

    def change(self, message: Msg) -> tuple[MsgGenerator[Any] | None, None]:
        """What is done in place of a message; None: the message itself."""
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
        """Whether what is asked of the digitiser, here or by the plan, has not been done."""
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
    """The plan with the digitiser in it; runs that do not stage the counter are left as they are.

    The digitiser is armed before each trigger of the counter, read into the counter's event, and its new rows are
    named right after the event. What the plan itself asks of the digitiser is done once and not read: bluesky lets an
    event name one row of a file, and a dwell has many.
    """
    return (yield from plan_mutator(plan, _Recorder(digitiser, counter).change))
