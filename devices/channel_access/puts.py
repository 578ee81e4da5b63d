"""Puts over Channel Access that cost little, and that tell whether they have been taken.

Those of pyepics wait a tenth of a millisecond after each, and call back in the same way whether the record has taken
the value, has refused it, or has gone.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from numbers import Real
from typing import Any

from epics import PV, ca, dbr

from devices.channel_access.gets import check, flush

WHOLE = (dbr.INT, dbr.ENUM, dbr.CHAR, dbr.LONG)
BROKEN = (dbr.FLOAT, dbr.DOUBLE)

Told = Callable[[str], None]
"""Takes why the put has failed; an empty text where the record has processed it."""


def is_simple(pv: PV, value: Any) -> bool:
    """Whether `put` can send it: a number that the record holds as it is, to a connected record of one element."""
    if not pv.connected or pv.count != 1 or not isinstance(value, Real):
        return False
    kind = dbr.native_type(pv.ftype)
    return kind in BROKEN or (kind in WHOLE and float(value).is_integer())


def put(pv: PV, value: float, told: Told | None = None) -> None:
    """Send a value that is simple.

    Parameters
    ----------
    pv : epics.PV
    value : float
    told : callable, optional
        Called in libca's own thread when the record has processed the value, or has not taken it; it has to return
        at once, must not raise, and must not wait for Channel Access.

    Raises
    ------
    epics.ca.ChannelAccessException
        If it could not be sent.
    """
    kind = dbr.native_type(pv.ftype)
    data = (1 * dbr.Map[kind])(int(value) if kind in WHOLE else float(value))
    if told is None:
        sent = ca.libca.ca_array_put(kind, 1, pv.chid, data)
    else:
        _under_way.add(told)
        sent = ca.libca.ca_array_put_callback(kind, 1, pv.chid, data, _CALLBACK, ctypes.py_object(told))
    try:
        check(sent, f"put to {pv.pvname}")
    except Exception:
        _under_way.discard(told)
        raise
    flush([pv])


_under_way: set[Told | None] = set()
"""Keeps each callable until it has been told: libca holds only an address."""


def _on_processed(arguments: Any) -> None:
    """Called by libca, in a thread of its own."""
    told = arguments.usr
    _under_way.discard(told)
    told("" if arguments.status == dbr.ECA_NORMAL else ca.message(arguments.status))


_CALLBACK = ctypes.CFUNCTYPE(None, dbr.event_handler_args)(_on_processed)
