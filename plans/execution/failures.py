"""Failures of instruments, reported with the name of the instrument and the cause that it gave."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

from bluesky.protocols import Status
from bluesky.utils import FailedStatus, MsgGenerator

from plans.execution.messages import wait

Result = TypeVar("Result")


class InstrumentError(RuntimeError):
    """An instrument failed; the message names it and the cause."""


def raise_cause(plan: MsgGenerator[Result]) -> MsgGenerator[Result]:
    """Run a plan; where a move or a count fails, raise the cause that the instrument gave.

    The RunEngine raises the failed status, which names the device but not the cause.

    Raises
    ------
    InstrumentError
    """
    try:
        return (yield from plan)
    except FailedStatus as failed:
        raise InstrumentError(str(failed.__cause__ or failed)) from failed


def wait_by_name(group: Hashable, statuses: Mapping[str, Status | None], timeout: float) -> MsgGenerator[None]:
    """Wait for a group; a timeout names the instruments that are not done.

    Parameters
    ----------
    group : hashable
    statuses : mapping
        Name of each instrument of the group, and its status.
    timeout : float
        Seconds of wall time.

    Raises
    ------
    InstrumentError
    """
    try:
        yield from wait(group, timeout)
    except TimeoutError as error:
        late = [name for name, status in statuses.items() if status is None or not status.done] or list(statuses)
        raise InstrumentError(f"{' and '.join(late)} did not answer within {timeout:g} s; is the IOC alive?") from error
