"""Runs a plan on soft instruments that are done at once: the commands that findings use, without a RunEngine.

A count takes a fifth of the time that it takes in a RunEngine, whose documents nobody reads here. For many repeats of
plans that end well, or that are aborted; what an engine adds (validation, pauses, failures of statuses) is tested with
one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bluesky import Msg
from bluesky.utils import MsgGenerator, RequestAbort

Event = Mapping[str, Any]
NOTHING_TO_DO = frozenset({"checkpoint", "clear_checkpoint", "null", "wait", "wait_for", "open_run", "close_run"})


class AtOnce:
    """Carries out the messages of a plan.

    Parameters
    ----------
    saved : callable
        Called with the readings of each event.
    abort_at : int, optional
        Number of the message at which the plan is aborted, as by a user: it is not carried out, the clean-up is.

    Attributes
    ----------
    messages : int
        How many there were.
    """

    def __init__(self, saved: Callable[[Event], None], abort_at: int | None = None) -> None:
        self._saved, self._event = saved, dict[str, Any]()
        self._abort_at, self.messages = abort_at, 0

    def __call__(self, plan: MsgGenerator[Any]) -> Any:
        """What the plan returns; None if it was aborted."""
        answer: Any = None
        failure: Exception | None = None
        while True:
            try:
                msg = plan.send(answer) if failure is None else plan.throw(failure)
            except StopIteration as end:
                return end.value
            except RequestAbort:
                return None
            answer, failure = None, None
            self.messages += 1
            try:
                answer = self._answer(msg)
            except Exception as error:  # noqa: BLE001 - the plan decides, as with an engine
                failure = error

    def _answer(self, msg: Msg) -> Any:
        if self.messages - 1 == self._abort_at:
            raise RequestAbort
        if msg.command in NOTHING_TO_DO:
            return None
        if msg.command in ("create", "drop"):
            self._event = {}
            return None
        if msg.command == "save":
            return self._saved(self._event)
        if msg.command == "read":
            readings = msg.obj.read()
            self._event.update({key: reading["value"] for key, reading in readings.items()})
            return readings
        if msg.command in ("stage", "unstage") and not hasattr(msg.obj, msg.command):
            return None
        kwargs = {key: value for key, value in msg.kwargs.items() if key != "group"}
        return getattr(msg.obj, msg.command)(*msg.args, **kwargs)
