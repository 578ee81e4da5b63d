"""Compiles the shot kernels, or loads them from the cache, before the first block."""

from __future__ import annotations

import numpy as np

from reduction.shots.block import Block
from reduction.shots.stretch import reduce_block

SHOTS = 64


def warm_up(num_phases: int = 120) -> None:
    """Reduce a few shots of each kind: takes seconds without a cache, else a fraction of one."""
    heights = np.ones(SHOTS, np.int16)
    for block in (
        Block(0, 0, np.zeros(SHOTS, np.uint8)),
        Block(0, 0, heights),
        Block(0, 0, heights, monitor=heights),
    ):
        reduce_block(block, num_phases, 0)
