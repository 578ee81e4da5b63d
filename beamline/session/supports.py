"""Whether a device supports a protocol of bluesky, found out in microseconds: each message of a plan asks."""

from __future__ import annotations

import sys
import typing
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

MEMBERS = "_get_protocol_attrs"
"""The function of `typing` that lists what a protocol asks for."""


@contextmanager
def protocols_remembered() -> Iterator[None]:
    """Meanwhile the members of each protocol are listed once, as Python does by itself from 3.12 on.

    Python 3.11 lists them twice at each ``isinstance``, which the RunEngine asks forty times a dwell: an eighth of what
    a step costs. A protocol does not change its members.
    """
    members = getattr(typing, MEMBERS, None)
    if members is None or sys.version_info >= (3, 12):
        yield
        return
    setattr(typing, MEMBERS, cache(members))
    try:
        yield
    finally:
        setattr(typing, MEMBERS, members)
