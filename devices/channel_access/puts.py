"""Low-overhead Channel Access puts that report whether the record has processed the value.

The puts of pyepics sleep a tenth of a millisecond each, and their callback does not distinguish a record that has
processed the value from one that has refused it or disconnected.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from numbers import Real
from typing import Any

from epics import PV, ca, dbr

from devices.channel_access.libca import attached, check

INTEGERS = (dbr.INT, dbr.ENUM, dbr.CHAR, dbr.LONG)
FLOATS = (dbr.FLOAT, dbr.DOUBLE)

PutCallback = Callable[[str], None]
"""Takes the reason for which a put has failed; an empty text where the record has processed it."""


def is_plain_number(pv: PV, value: Any) -> bool:
    """Whether `put` can send a value: a number without conversion, to a connected record of one element."""
    if not pv.connected or pv.count != 1 or not isinstance(value, Real):
        return False
    kind = dbr.native_type(pv.ftype)
    return kind in FLOATS or (kind in INTEGERS and float(value).is_integer())


def takes_integers(pv: PV) -> bool:
    """Whether a connected record holds integers: it would round a fraction silently."""
    return bool(pv.connected and dbr.native_type(pv.ftype) in INTEGERS)


def has_connected(pv: PV) -> bool:
    """Whether a channel is connected, as libca knows it: pyepics may have missed the event."""
    return bool(ca.isConnected(pv.chid))


def access_rights(pv: PV) -> tuple[bool, bool]:
    """Whether the server allows gets and puts, as libca knows it."""
    return bool(ca.read_access(pv.chid)), bool(ca.write_access(pv.chid))


def takes_puts(pv: PV) -> bool:
    """Whether the server takes puts to a connected record: what pyepics has been told comes late after a reconnect."""
    return bool(pv.connected and access_rights(pv)[1])


def put(pv: PV, value: float, callback: PutCallback | None = None) -> None:
    """Put a plain number, with completion if there is a callback.

    Parameters
    ----------
    pv : epics.PV
    value : float
    callback : callable, optional
        Called in libca's own thread when the record has processed or refused the value; it has to return at once, must
        not raise, and must not wait for Channel Access.

    Raises
    ------
    ChannelAccessException
        If the put could not be sent.
    """
    kind = dbr.native_type(pv.ftype)
    data = (1 * dbr.Map[kind])(int(value) if kind in INTEGERS else float(value))
    if callback is None:
        sent = ca.libca.ca_array_put(kind, 1, pv.chid, data)
    else:
        _pending.add(callback)
        sent = ca.libca.ca_array_put_callback(kind, 1, pv.chid, data, _ON_COMPLETION, ctypes.py_object(callback))
    try:
        check(sent, f"put to {pv.pvname}")
    except Exception:
        _pending.discard(callback)
        raise
    with attached(pv.context):  # libca sends only the requests of the calling thread's context
        ca.flush_io()


_pending: set[PutCallback | None] = set()
"""Keeps each callback alive until it is called: libca holds only an address."""


def _on_completion(arguments: Any) -> None:
    """Called by libca, in its own thread."""
    callback = arguments.usr
    _pending.discard(callback)
    callback("" if arguments.status == dbr.ECA_NORMAL else ca.message(arguments.status))


_ON_COMPLETION = ctypes.CFUNCTYPE(None, dbr.event_handler_args)(_on_completion)
