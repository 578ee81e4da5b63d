"""Explicit gets over Channel Access that cost little: answers arrive without a call into Python.

The gets of pyepics copy each answer twice and poll in between, which for the thirty records of a dwell took 2 ms; and
each answer that calls back has to wait until the other threads let it. A synchronous group of libca writes the answers
where they belong, and wakes its reader once.
"""

from __future__ import annotations

import ctypes
import sys
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
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
BLANK = b"\xde\xc0\xad\xde"
"""What a place is filled with until its answer has come: no time stamp has that many nanoseconds, and no record is
likely to hold that number. All ones would not do: that is -1, by which many a record says that it has no value."""
BLANK_NANOSECONDS = int.from_bytes(BLANK, sys.byteorder)


GivenUp = deque[tuple[ctypes.c_ulong, Sequence[Any]]]
"""Groups that nobody reads any more, and the places that libca may still write to."""
_given_up: dict[Any, GivenUp] = {}
"""Of each context."""


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


def check(status: int, what: str) -> None:
    """Raise what the docs of this package promise: the exception of pyepics for this is no ChannelAccessException.

    Raises
    ------
    epics.ca.ChannelAccessException
        If libca has not taken something; `what` begins the message.
    """
    if status != dbr.ECA_NORMAL:
        raise ca.ChannelAccessException(f"{what}: {ca.message(status)}")


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
        self._group = ctypes.c_ulong()
        self._context = pvs[0].context if pvs else None
        if not pvs:
            return
        with attached(self._context):
            given_up = _given_up.setdefault(self._context, deque())
            _end_all(given_up)
            # The count of a PV may be that of its last monitor, and the server sends all there are.
            self._layouts = [(pv.ftype, ca.libca.ca_element_count(pv.chid)) for pv in pvs]
            self._places = [_blank(kind, count) for kind, count in self._layouts]
            targets = [(ctypes.c_char * len(place)).from_buffer(place) for place in self._places]
            check(ca.libca.ca_sg_create(ctypes.byref(self._group)), "gets")
            weakref.finalize(self, given_up.append, (self._group, targets)).atexit = False
            for pv, (kind, _), target in zip(pvs, self._layouts, targets, strict=True):
                check(ca.libca.ca_sg_array_get(self._group, kind, 0, pv.chid, target), f"get of {pv.pvname}")
            ca.flush_io()

    def wait(self, timeout: float) -> None:
        """Until all answers have come, at most `timeout` seconds; what has not come by then does not come any more.

        The whole time also where a server has gone: libca does not end a wait for it.

        Raises
        ------
        epics.ca.ChannelAccessException
            In a thread of libca itself, which must not wait: the answers could not come.
        """
        if self._context is None:
            return
        with attached(self._context):
            status = ca.libca.ca_sg_block(self._group, ctypes.c_double(timeout))
        if status != dbr.ECA_TIMEOUT:
            check(status, "wait for gets")

    def answer(self, number: int) -> tuple[Any, float] | None:
        """Value and time stamp (UNIX, seconds) of one record; None if it has not answered.

        Returns
        -------
        value : int, float, str or numpy.ndarray
            An array, of the elements that have come, where the record is one.
        """
        (kind, count), place = self._layouts[number], self._places[number]
        stamp = dbr.Map[kind].from_buffer_copy(place).stamp
        if stamp.nsec == BLANK_NANOSECONDS:
            return None
        return _value(kind, count, place), dbr.make_unixtime(stamp)


def _blank(kind: int, count: int) -> bytearray:
    """A place for the longest answer of a record that has `count` elements."""
    layout = dbr.Map[kind]
    size = max(ctypes.sizeof(layout), layout.value.offset + count * layout.value.size)
    return bytearray(BLANK * -(-size // len(BLANK)))


def _value(kind: int, count: int, place: bytearray) -> Any:
    """What an answer means; elements that nobody has sent are left out."""
    native, start = dbr.native_type(kind), dbr.Map[kind].value.offset
    if native == dbr.STRING:
        return bytes(place[start:][: dbr.MAX_STRING_SIZE]).partition(b"\0")[0].decode("latin-1")
    values = np.frombuffer(place, NUMPY_TYPES[native], count, start)
    sent = count
    while sent and _is_blank(place, start + (sent - 1) * values.itemsize, values.itemsize):
        sent -= 1
    return values[0].item() if sent == count == 1 else values[:sent].copy()


def _is_blank(place: bytearray, start: int, size: int) -> bool:
    """Whether nothing has been written to some bytes of a place, at most eight."""
    shift = start % len(BLANK)
    return place[start : start + size] == (3 * BLANK)[shift : shift + size]


def _end_all(given_up: GivenUp) -> None:
    """End the groups that nobody reads any more, and only then give their places back.

    Not where they become garbage. That can be in any thread, under any lock, and libca ends a group only when no
    callback is under way: one that wants the same lock would wait for ever.
    """
    with suppress(IndexError):  # there are no more
        while True:
            group, _places = given_up.popleft()
            ca.libca.ca_sg_delete(group)
