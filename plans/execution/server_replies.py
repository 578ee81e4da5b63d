"""Waits for servers that do not reply, and then repeats what has failed for it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import TypeVar

import bluesky.plan_stubs as bps
from bluesky.utils import FailedStatus, MsgGenerator, RunEngineControlException

from plans.execution.messages import checkpoint
from plans.watch import ServerWatcher

Result = TypeVar("Result")

POLL_INTERVAL = 0.1
"""Seconds of wall time."""


def with_replies(
    servers: ServerWatcher,
    plan: Callable[[], MsgGenerator[Result]],
    before_again: Callable[[], MsgGenerator[None]] | None = None,
) -> MsgGenerator[Result]:
    """Run a plan. If it fails while a server does not reply, wait until it replies, and run the plan again.

    Parameters
    ----------
    servers : ServerWatcher
    plan : callable
        Returns a plan that may be repeated, and that leaves no event open when it fails.
    before_again : callable, optional
        Returns a plan that is run before the other one is repeated.

    Raises
    ------
    Exception
        That of the plan, if all servers have replied.
    """
    while True:
        begun = monotonic()
        try:
            return (yield from plan())
        except RunEngineControlException:
            raise
        except Exception as error:  # noqa: BLE001 - raised below, unless it comes from a silent server
            failure = error
        failed = monotonic()
        while not servers.has_asked_since(failed):
            yield from _wait_a_moment()
        if not servers.silences(begun):
            raise failure
        while servers.silent():
            yield from _wait_a_moment()
        if before_again is not None:
            yield from before_again()


def _wait_a_moment() -> MsgGenerator[None]:
    with suppress(FailedStatus):  # of another instrument of the same server
        yield from bps.sleep(POLL_INTERVAL)
        yield from checkpoint()  # a pause must not repeat the whole wait
