"""Messages of a dwell.

The stubs of `bluesky.plan_stubs` yield the same messages, but each formats the whole call stack for a warning about
plans that were never run: a sixth of the RunEngine's time for a dwell.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Any

from bluesky.protocols import Movable, Preparable, Readable, Status, Triggerable
from bluesky.utils import Msg, MsgGenerator


def put(device: Movable, value: Any, group: Hashable) -> MsgGenerator[Status]:
    """Set a device without waiting; its group is waited for later."""
    return (yield Msg("set", device, value, group=group))


def prepare(device: Preparable, value: Any, group: Hashable) -> MsgGenerator[Status]:
    """Announce the next setpoint of a device; the status is that of the announcement, not of the move."""
    return (yield Msg("prepare", device, value, group=group))


def trigger(device: Triggerable, group: Hashable) -> MsgGenerator[Status]:
    """Trigger a device without waiting; its group is waited for later."""
    return (yield Msg("trigger", device, group=group))


def wait(group: Hashable, timeout: float | None = None) -> MsgGenerator[Any]:
    """Wait for all statuses of a group, at most `timeout` seconds of wall time."""
    return (yield Msg("wait", None, group=group, timeout=timeout))


def move(device: Movable, value: Any, timeout: float) -> MsgGenerator[None]:
    """Set a device and wait until it is done, at most `timeout` seconds of wall time."""
    yield from put(device, value, group="move")
    yield from wait("move", timeout)


def wait_for(function: Callable[[], Awaitable[None]]) -> MsgGenerator[None]:
    """Let the RunEngine await a function. Its exception, which the RunEngine does not raise, is raised here."""
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


def drop() -> MsgGenerator[None]:
    """Close the open event without emitting it."""
    yield Msg("drop")


def checkpoint() -> MsgGenerator[None]:
    """Mark where the RunEngine continues after a pause."""
    yield Msg("checkpoint")
