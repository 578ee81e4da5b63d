"""Low-overhead Channel Access gets: libca writes replies into our buffers, without a Python callback.

The gets of pyepics copy each reply twice and poll in between: 2 ms for the thirty records of a dwell. A reply with a
Python callback also waits for the other threads. A synchronous group of libca writes the replies into buffers and wakes
the reader once.
"""

from __future__ import annotations

import ctypes
import sys
import weakref
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from epics import PV, ca, dbr

from devices.channel_access.libca import attached, check

NUMPY_TYPES = {
    dbr.INT: np.int16,
    dbr.FLOAT: np.float32,
    dbr.ENUM: np.uint16,
    dbr.CHAR: np.uint8,
    dbr.LONG: np.int32,
    dbr.DOUBLE: np.float64,
}
BLANK = b"\xde\xc0\xad\xde"
"""Fills a buffer until the reply arrives. No time stamp has that many nanoseconds, and no record is likely to hold that
number. All ones would not do: that is -1, with which many records mark a value as unknown."""
OTHER_BLANK = b"\x21\x3f\x52\xe1"
"""Differs from `BLANK` in each byte, and is no number of nanoseconds either. A record that may hold just what its
buffer was filled with is read once more with this one."""
READ_AGAIN = 1.0
"""Seconds for that."""


AbandonedGroups = deque[tuple[ctypes.c_ulong, Sequence[Any]]]
"""Abandoned groups, with the buffers that libca may still write to."""
_abandoned: dict[Any, AbandonedGroups] = {}
"""By libca context."""


class GroupGet:
    """Gets of several records at once, sent on construction.

    Parameters
    ----------
    pvs : sequence of epics.PV
        Connected, with time stamps, all of one context.
    blank : bytes
        Fills the buffers until the replies arrive.

    Raises
    ------
    ChannelAccessException
        If the gets could not be sent.
    """

    def __init__(self, pvs: Sequence[PV], blank: bytes = BLANK) -> None:
        self._pvs, self._blank = pvs, blank
        self._group = ctypes.c_ulong()
        self._context = pvs[0].context if pvs else None
        if not pvs:
            return
        with attached(self._context):
            abandoned = _abandoned.setdefault(self._context, deque())
            _delete_all(abandoned)
            # The count of a PV may be that of its last monitor, and the server sends all elements.
            self._layouts = [(pv.ftype, ca.libca.ca_element_count(pv.chid)) for pv in pvs]
            self._buffers = [_blank(kind, count, blank) for kind, count in self._layouts]
            targets = [(ctypes.c_char * len(buffer)).from_buffer(buffer) for buffer in self._buffers]
            check(ca.libca.ca_sg_create(ctypes.byref(self._group)), "gets")
            weakref.finalize(self, abandoned.append, (self._group, targets)).atexit = False
            for pv, (kind, _), target in zip(pvs, self._layouts, targets, strict=True):
                check(ca.libca.ca_sg_array_get(self._group, kind, 0, pv.chid, target), f"get of {pv.pvname}")
            ca.flush_io()

    def wait(self, timeout: float) -> None:
        """Wait until all replies have arrived, at most `timeout` seconds; later replies are dropped.

        Where a server has gone, this waits the whole time: libca does not end the wait early.

        Raises
        ------
        ChannelAccessException
            In a libca callback thread, which must not wait: it is the thread that would receive the replies.
        """
        if self._context is None:
            return
        with attached(self._context):
            status = ca.libca.ca_sg_block(self._group, ctypes.c_double(timeout))
        if status != dbr.ECA_TIMEOUT:
            check(status, "wait for gets")

    def reply(self, number: int) -> tuple[Any, float] | None:
        """Value and time stamp (UNIX, seconds) of one record; None if it has not replied.

        Returns
        -------
        value : int, float, str or numpy.ndarray
            For an array record, the elements that the server has sent.
        """
        (kind, count), buffer = self._layouts[number], self._buffers[number]
        stamp = dbr.Map[kind].from_buffer_copy(buffer).stamp
        if stamp.nsec == int.from_bytes(self._blank, sys.byteorder):
            return None
        value = _value(kind, count, buffer, self._blank)
        if self._blank == BLANK and _is_ambiguous(kind, count, value):
            again = GroupGet(self._pvs[number : number + 1], OTHER_BLANK)
            again.wait(READ_AGAIN)
            return again.reply(0)
        return value, dbr.make_unixtime(stamp)


def _blank(kind: int, count: int, blank: bytes) -> bytearray:
    """Buffer for the longest reply of a record with `count` elements."""
    layout = dbr.Map[kind]
    size = max(ctypes.sizeof(layout), layout.value.offset + count * layout.value.size)
    return bytearray(blank * -(-size // len(blank)))


def _value(kind: int, count: int, buffer: bytearray, blank: bytes) -> Any:
    """Decode a reply, without the elements that the server has not sent."""
    native, start = dbr.native_type(kind), dbr.Map[kind].value.offset
    if native == dbr.STRING:
        return bytes(buffer[start:][: dbr.MAX_STRING_SIZE]).partition(b"\0")[0].decode("latin-1")
    values = np.frombuffer(buffer, NUMPY_TYPES[native], count, start)
    sent = count
    while sent and _is_blank(buffer, start + (sent - 1) * values.itemsize, values.itemsize, blank):
        sent -= 1
    return values[0].item() if sent == count == 1 else values[:sent].copy()


def _is_ambiguous(kind: int, count: int, value: Any) -> bool:
    """Whether elements that seem not to have been sent are so few bytes that they may hold just that number."""
    native = dbr.native_type(kind)
    missing = (count - np.size(value)) * ctypes.sizeof(dbr.Map[native])
    return native != dbr.STRING and 0 < missing < len(BLANK)


def _is_blank(buffer: bytearray, start: int, size: int, blank: bytes) -> bool:
    """Whether a piece of a buffer, at most eight bytes, has not been written to."""
    shift = start % len(blank)
    return buffer[start : start + size] == (3 * blank)[shift : shift + size]


def _delete_all(abandoned: AbandonedGroups) -> None:
    """Delete abandoned groups, and only then release their buffers.

    A finalizer must not do this. It can run in any thread, under any lock, and libca deletes a group only while no
    callback is running: a callback that wants the same lock would deadlock.
    """
    with suppress(IndexError):  # none left
        while True:
            group, _buffers = abandoned.popleft()
            ca.libca.ca_sg_delete(group)
