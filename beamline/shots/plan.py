"""Adds the digitiser to any plan: a file a run, every dwell of the counter digitised, its rows named in documents."""

from __future__ import annotations

from typing import Any

import bluesky.plan_stubs as bps
from bluesky.preprocessors import plan_mutator
from bluesky.utils import Msg, MsgGenerator

from devices.counter import PhotonCounter
from devices.digitiser import Digitiser

STREAM = "shots"


def with_shots(plan: MsgGenerator[Any], digitiser: Digitiser, counter: PhotonCounter) -> MsgGenerator[Any]:
    """The plan with the digitiser in it; runs that do not stage the counter are left as they are.

    The digitiser is armed before each trigger of the counter, read into the counter's event, and its new rows are
    named right after the event.
    """
    staged = False
    declared = False

    def opening(message: Msg) -> MsgGenerator[Any]:
        nonlocal staged, declared
        result = yield message
        staged, declared = True, False
        yield from bps.stage(digitiser)
        return result

    def closing(message: Msg) -> MsgGenerator[Any]:
        nonlocal staged
        staged = False
        yield from bps.unstage(digitiser)
        return (yield message)

    def arming(message: Msg) -> MsgGenerator[Any]:
        nonlocal declared
        if not declared:
            yield from bps.declare_stream(digitiser, name=STREAM, collect=True)
            declared = True
        yield from bps.trigger(digitiser, group=message.kwargs.get("group"))
        return (yield message)

    def saving(message: Msg) -> MsgGenerator[Any]:
        yield from bps.read(digitiser.rows)
        result = yield message
        yield from bps.collect(digitiser, name=STREAM, return_payload=False)
        return result

    def change(message: Msg) -> tuple[MsgGenerator[Any] | None, None]:
        if message.command == "stage" and message.obj is counter:
            return opening(message), None
        if message.command == "unstage" and message.obj is counter and staged:
            return closing(message), None
        if not staged:
            return None, None
        if message.command == "trigger" and message.obj is counter:
            return arming(message), None
        if message.command == "save":
            return saving(message), None
        return None, None

    return (yield from plan_mutator(plan, change))
