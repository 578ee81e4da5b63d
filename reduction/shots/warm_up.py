"""Compiles the shot kernels, or loads them from the cache, before the first block."""

from __future__ import annotations

import numpy as np

from reduction.shots.block import Block
from reduction.shots.kernels.hits import DROPPED
from reduction.shots.stretch import reduce_block
from reduction.shots.tags import TaggedBlock

SHOTS = 64


def warm_up(num_phases: int = 120) -> None:
    """Reduce a few shots of each kind: takes seconds without a cache, else a fraction of one."""
    heights, opened, clock = np.ones(SHOTS, np.int16), np.zeros(SHOTS, np.uint8), np.arange(0, 48, 16, dtype=np.uint64)
    dropped = opened.copy()
    dropped[0] = DROPPED
    for block in (
        Block(0, 0, opened),
        Block(0, 0, dropped),
        Block(0, 0, heights, monitor=heights),
        TaggedBlock(0, 0, clock, clock, 4).hits(),
    ):
        reduce_block(block, num_phases, 0)
