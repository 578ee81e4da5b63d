"""Compiles what `trxas bench` alone uses, at the installation: the reference loops, and kernels that no session has."""

from __future__ import annotations

import numpy as np

from beamline.studies.bench.kernels import check
from beamline.studies.bench.shots import NUM_PHASES, ExampleShots, read_words, shuffle_bits


def warm_up() -> None:
    """Reduce a few shots in every way that is measured; takes seconds without a cache, else a fraction of one."""
    heights = np.tile(np.array([0, 3000], np.int16), 540 * NUM_PHASES)
    check(ExampleShots((heights > 0).astype(np.uint8), heights, heights.astype(np.float32)))
    shuffle_bits(1)
    words = heights.view(np.uint64)
    read_words(words)
    words.flags.writeable = False  # those of a mapped file
    read_words(words)
