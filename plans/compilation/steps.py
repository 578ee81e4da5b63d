"""The order of the passes over several grids, in a new measurement and in one that is resumed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

STEP = "temperature_step"
"""Entry of start documents: number of the step (temperature) to which a set of passes belongs."""
IMAGE_AXIS = "image"
"""Entry ``scan_axis`` of a run with an image of the area detector."""


def order_of_passes(members: Sequence[Mapping[str, Any]], passes: int) -> Iterator[tuple[int, int]]:
    """Number of the member and of the pass (from 0) of each run, in order.

    Each member is scanned once before any is scanned again. The members of a step come before those of the next one,
    each with all of its passes, since an energy does not come back exactly after a large move; and its image last.

    Parameters
    ----------
    members : sequence of mapping
        Start-document entries: ``temperature_step``, ``scan_axis``, ``passes`` where that is not the one of the others.
    passes : int

    Examples
    --------
    >>> list(order_of_passes([{}, {}], 2))
    [(0, 0), (1, 0), (0, 1), (1, 1)]
    >>> cold = {"temperature_step": 0}
    >>> list(order_of_passes([cold, cold, {**cold, "scan_axis": "image"}, {"temperature_step": 1}], 2))
    [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (3, 0), (3, 1)]
    """

    def when(run: tuple[int, int]) -> tuple[int, bool, int, int]:
        member = members[run[0]]
        return int(member.get(STEP, 0)), is_image(member), *(run if STEP in member else run[::-1])

    runs = [
        (number, scan_index)
        for number, member in enumerate(members)
        for scan_index in range(1 if is_image(member) else passes)
    ]
    yield from sorted(runs, key=when)


def is_image(start: Mapping[str, Any]) -> bool:
    """Whether a run has an image of the area detector."""
    return start.get("scan_axis") == IMAGE_AXIS
