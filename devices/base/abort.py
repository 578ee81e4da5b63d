"""Aborts a running count: for a pause, which must not end the scan, or at the end of a scan."""

from __future__ import annotations

from ophyd import Device
from ophyd.status import Status
from ophyd.utils.errors import DisconnectedError

from devices.base.settings import NOT_SENT, Setting
from devices.channel_access import NO_REPLY, ThreadlessStatus

BUSY, DONE = 1, 0
FAILED = (TimeoutError, DisconnectedError, RuntimeError, *NO_REPLY)
"""What a put or its wait raises where a record refuses, or its server has gone or does not reply."""


def abandon_count(device: Device, go: Setting) -> None:
    """Put Done to a busy record without waiting for it; a failure is logged."""
    try:
        if not go.connected:  # a get would wait for it
            raise DisconnectedError("not connected")
        if go.get() == BUSY:
            go.put(DONE, wait=False)
    except (*FAILED, *NOT_SENT) as error:
        device.log.error("%s may still be counting, its record %s does not reply: %s", device.name, go.pvname, error)


def abort_count(device: Device, go: Setting, under_way: Status | ThreadlessStatus | None, timeout: float) -> None:
    """Put Done to a busy record and wait until it is done; a failure is logged.

    Parameters
    ----------
    device : Device
        Named in the log.
    go : Setting
        The record: 1 while it is busy.
    under_way : status, optional
        Of the put that started the count. An EPICS server holds a second put with completion on the same channel, and
        everything behind it on the connection, until the first completes: so Done is put without completion.
    timeout : float
        Seconds of wall time.
    """
    try:
        if go.get() != BUSY:
            return
        if under_way is None or under_way.done:
            go.set(DONE).wait(timeout)
        else:
            go.put(DONE, wait=False)
            under_way.wait(timeout)
    except FAILED as error:
        device.log.error("%s may still be counting, its record %s does not answer: %s", device.name, go.pvname, error)
