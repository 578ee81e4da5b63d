"""Visits of a point: all its dwells at one setting of the axes, from segment 0 on.

After an axis has left its window the point is measured again from segment 0, and only the last visit counts: on and off
must be measured at one setting. A visit is whole if it consists of one or several whole patterns of dwells.
"""

from __future__ import annotations

from collections.abc import Collection

RETAKEN = "the point was retaken from its beginning"
INCOMPLETE = "the pattern of dwells was incomplete"


def begins_anew(previous: int | None, segment: int) -> bool:
    """Whether a dwell begins a new visit of its point; `previous` is the segment of the preceding dwell there."""
    return previous is not None and segment < previous


def is_whole(segments: Collection[int], length: int) -> bool:
    """Whether the segments of a visit are one or several whole patterns of `length` dwells."""
    taken = set(segments)
    return bool(taken) and len(taken) % length == 0 and taken == set(range(len(taken)))
