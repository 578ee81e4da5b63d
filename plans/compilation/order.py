"""The order in which the points of a grid are visited."""

from __future__ import annotations

from zlib import crc32

import numpy as np

ORDERS = ("ascending", "alternating", "random")


def visit_order(points: int, order: str, scan_index: int, scan_set: str) -> list[int]:
    """Indices of the points in the order of one pass.

    Parameters
    ----------
    points : int
    order : str
        ``ascending``; ``alternating``: every second pass downwards, so that a steady drift cancels in pairs of passes;
        ``random``: another permutation in each pass, so that a drift becomes noise.
    scan_index : int
        Number of the pass, from 0.
    scan_set : str
        Uid of the set; permutations follow from it and the pass, so that they can be had again.

    Raises
    ------
    ValueError
        If the order is not known.
    """
    if order not in ORDERS:
        raise ValueError(f"order must be one of {', '.join(ORDERS)}, not {order!r}")
    if order == "random":
        return [int(i) for i in np.random.default_rng([crc32(scan_set.encode()), scan_index]).permutation(points)]
    upwards = order == "ascending" or scan_index % 2 == 0
    return list(range(points)) if upwards else list(range(points))[::-1]
