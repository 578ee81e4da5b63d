"""Explicit gets over Channel Access that cost little: answers arrive without a call into Python.

The gets of pyepics copy each answer twice and poll in between, which for the thirty records of a dwell took 2 ms; and
each answer that calls back has to wait until the other threads let it. A synchronous group of libca writes the answers
where they belong, and wakes its reader once.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from epics import PV, ca, dbr

NUMPY_TYPES = {
    dbr.INT: np.int16,
    dbr.FLOAT: np.float32,
    dbr.ENUM: np.uint16,
    dbr.CHAR: np.uint8,
    dbr.LONG: np.int32,
    dbr.DOUBLE: np.float64,
}
BLANK = b"\xff"
"""What an answer is filled with until it has come: no time stamp has that many nanoseconds."""


@contextmanager
def attached(context: Any) -> Iterator[None]:
    """The calling thread with a context of libca, whatever its own is."""
    own = ca.current_context()
    if own == context:
        yield
        return
    if own is not None:
        ca.detach_context()
    ca.attach_context(context)
    try:
        yield
    finally:
        ca.detach_context()
        if own is not None:
            ca.attach_context(own)


def flush(pvs: Iterable[PV]) -> None:
    """Send the requests that have been made, from whatever thread: libca sends those of its thread's context."""
    for context in {pv.context for pv in pvs}:
        with attached(context):
            ca.flush_io()


class Gets:
    """Gets of several records at once, under way as soon as it is made.

    Parameters
    ----------
    pvs : sequence of epics.PV
        Connected, with time stamps, all of one context.

    Raises
    ------
    epics.ca.ChannelAccessException
        If they could not be sent.
    """

    def __init__(self, pvs: Sequence[PV]) -> None:
        self._pvs = pvs
        self._places = [bytearray(BLANK * _size(pv)) for pv in pvs]
        self._group = ctypes.c_ulong()
        self._context = pvs[0].context if pvs else None
        if not pvs:
            return
        with attached(self._context):
            ca.PySEVCHK("get", ca.libca.ca_sg_create(ctypes.byref(self._group)))
            targets = [(ctypes.c_char * len(place)).from_buffer(place) for place in self._places]
            weakref.finalize(self, _give_up, self._group, self._context, targets).atexit = False
            for pv, target in zip(pvs, targets, strict=True):
                ca.PySEVCHK("get", ca.libca.ca_sg_array_get(self._group, pv.ftype, 0, pv.chid, target))
            ca.flush_io()

    def wait(self, timeout: float) -> None:
        """Until all answers have come, at most `timeout` seconds; what has not come by then does not come any more.

        The whole time also where a server has gone: libca does not end a wait for it.
        """
        if self._pvs:
            with attached(self._context):
                ca.libca.ca_sg_block(self._group, ctypes.c_double(timeout))

    def answer(self, number: int) -> tuple[Any, float] | None:
        """Value and time stamp (UNIX, seconds) of one record; None if it has not answered.

        Returns
        -------
        value : int, float, str or numpy.ndarray
            An array, of the elements that have come, where the record is one.
        """
        pv, place = self._pvs[number], self._places[number]
        layout = dbr.Map[pv.ftype]
        stamp = layout.from_buffer_copy(place).stamp
        if stamp.nsec == 0xFFFFFFFF:
            return None
        value = _value(dbr.native_type(pv.ftype), pv.count, bytes(place[layout.value.offset :]))
        return value, dbr.make_unixtime(stamp)


def _size(pv: PV) -> int:
    """Bytes of the longest answer of a record."""
    layout = dbr.Map[pv.ftype]
    element = layout.value
    return max(ctypes.sizeof(layout), int(element.offset + pv.count * element.size))


def _value(native: int, count: int, data: bytes) -> Any:
    """What the bytes of an answer mean; elements that nobody has sent are left out."""
    if native == dbr.STRING:
        return data[: dbr.MAX_STRING_SIZE].partition(b"\0")[0].decode("latin-1")
    values = np.frombuffer(data, NUMPY_TYPES[native], count)
    if count == 1:
        return values[0].item()
    blank = values.itemsize * BLANK
    while count and data[(count - 1) * values.itemsize : count * values.itemsize] == blank:
        count -= 1
    return values[:count].copy()


def _give_up(group: ctypes.c_ulong, context: Any, targets: Sequence[Any]) -> None:
    """End a group before the places that libca writes to are given back."""
    with attached(context):
        ca.libca.ca_sg_delete(group)
