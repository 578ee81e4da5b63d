"""Messages of a dwell.

They are those of `bluesky.plan_stubs`, which make a text of the whole call stack each time, for a warning about plans
that nobody ran: a sixth of the time that the RunEngine spends on a dwell.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Any

from bluesky.protocols import Movable, Preparable, Readable, Status, Triggerable
from bluesky.utils import Msg, MsgGenerator


def put(device: Movable, value: Any, group: Hashable) -> MsgGenerator[Status]:
    """Set a device without waiting; waited for with its group."""
    return (yield Msg("set", device, value, group=group))


def prepare(device: Preparable, value: Any, group: Hashable) -> MsgGenerator[Status]:
    """Tell a device already what it will be set to next; the status is that of telling it."""
    return (yield Msg("prepare", device, value, group=group))


def trigger(device: Triggerable, group: Hashable) -> MsgGenerator[Status]:
    """Trigger a device; waited for with its group."""
    return (yield Msg("trigger", device, group=group))


def wait(group: Hashable, timeout: float | None = None) -> MsgGenerator[Any]:
    """Wait for all of a group, at most `timeout` seconds of wall time."""
    return (yield Msg("wait", None, group=group, timeout=timeout))


def move(device: Movable, value: Any, timeout: float) -> MsgGenerator[None]:
    """Set a device and wait until it is there, at most `timeout` seconds of wall time."""
    yield from put(device, value, group="move")
    yield from wait("move", timeout)


def wait_for(function: Callable[[], Awaitable[None]]) -> MsgGenerator[None]:
    """Have the RunEngine await a function; what it raises, which the RunEngine keeps to itself, is raised here."""
    for task in (yield Msg("wait_for", None, [function])) or ():
        task.result()


def create(stream: str) -> MsgGenerator[None]:
    """Open an event."""
    yield Msg("create", None, name=stream)


def read(device: Readable) -> MsgGenerator[Mapping[str, Any]]:
    """Read a device into the open event."""
    return (yield Msg("read", device))


def save() -> MsgGenerator[None]:
    """Emit the open event."""
    yield Msg("save")


def checkpoint() -> MsgGenerator[None]:
    """Mark where to go on after a pause."""
    yield Msg("checkpoint")
