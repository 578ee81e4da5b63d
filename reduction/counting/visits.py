"""Visits of a point: all its dwells at one setting of the axes, from segment 0 on.

Where an axis was lost the point is taken again from segment 0, and only what was taken last counts: on and off have to
be measured at one setting. A visit is whole when it has its pattern of dwells once or several times.
"""

from __future__ import annotations

from collections.abc import Collection

TAKEN_AGAIN = "the point was taken again from the beginning"
CUT_OFF = "the pattern of dwells was cut off"


def begins_anew(previous: int | None, segment: int) -> bool:
    """Whether a dwell begins another visit of its point; `previous` is the segment of the dwell before it there."""
    return previous is not None and segment < previous


def is_whole(segments: Collection[int], length: int) -> bool:
    """Whether these segments of a visit are one or several whole patterns of a length."""
    taken = set(segments)
    return bool(taken) and len(taken) % length == 0 and taken == set(range(len(taken)))
