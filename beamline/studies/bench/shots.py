"""Example shots: one second of the 24-bunch mode, and enough of them to exceed every cache."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.kernel_cache import kernel

NUM_PHASES = 120
BUNCH_RATE = 6.5173e6
SECOND = 6_517_304
"""Shots of a second, rounded to whole words."""
THRESHOLD = 900
DRAM_BYTES = 320_000_000
"""Larger than the caches of current servers, which one core may use alone."""


@dataclass(frozen=True)
class ExampleShots:
    """The same shots in three forms: hits (uint8), heights (int16) and heights (float32)."""

    hits: NDArray[np.uint8]
    heights: NDArray[np.int16]
    floats: NDArray[np.float32]

    def repeated(self) -> ExampleShots:
        """Repeated until larger than the caches, for each form."""
        return ExampleShots(_many(self.hits), _many(self.heights), _many(self.floats))


def _many(array: NDArray[Any]) -> NDArray[Any]:
    return np.tile(array, -(-DRAM_BYTES // array.nbytes))


def one_second(seed: int = 1) -> ExampleShots:
    """Heights of single photons, 22 % wide, in 26 % of the gates; noise in the others."""
    rng = np.random.default_rng(seed)
    heights = rng.normal(0, 150, SECOND)
    hit = rng.random(SECOND) < 0.26
    heights[hit] += rng.normal(3000, 280, int(hit.sum()))
    as_int = heights.astype(np.int16)
    return ExampleShots((as_int > THRESHOLD).astype(np.uint8), as_int, heights.astype(np.float32))


@kernel(nogil=True)
def read_words(words):  # type: ignore[no-untyped-def]
    """Sum of 64-bit words: the cheapest way to read every byte of an array, the reference of all ratios."""
    total = np.uint64(0)
    for index in range(words.size):
        total += words[index]
    return total


@kernel(nogil=True)
def shuffle_bits(steps):  # type: ignore[no-untyped-def]
    """A chain of dependent arithmetic without memory access, a measure of the processor alone."""
    state = np.uint64(88172645463325252)
    for _ in range(steps):
        state ^= state << np.uint64(13)
        state ^= state >> np.uint64(7)
        state ^= state << np.uint64(17)
    return state
