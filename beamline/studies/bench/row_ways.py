"""Ways of a row of shots from the page cache to the updated point, side by side."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from beamline.studies.bench.rows import BenchRow
from beamline.studies.bench.shots import NUM_PHASES, THRESHOLD, read_words
from beamline.studies.bench.timing import Work, interleaved, ratio
from beamline.studies.bench.updates import Point
from reduction.shots.block import Block
from reduction.shots.sums import ShotSums

Heights = NDArray[np.int16]
TILE = 1 << 18
"""Shots of a tile: half a megabyte, a quarter of the second-level cache of current servers."""


def measure(heights: Heights, folder: Path, rounds: int) -> list[BenchRow]:
    """Time of each way over that of reading the words of the row in memory; all give the same counters."""
    path = folder / "row"
    path.write_bytes(heights.tobytes())
    with opened(path) as file:
        works = ways(file, heights)
        expected = works["a row in shared memory"]()
        for name, work in works.items():
            np.testing.assert_array_equal(work(), expected, err_msg=name)
        words = partial(read_words, heights[: heights.size // 4 * 4].view(np.uint64))
        seconds = interleaved({"words": words, **works}, rounds)
    return [
        BenchRow(f"{name} to updated point / reading its words", ratio(seconds, name, "words"), smaller_is_better=True)
        for name in works
    ]


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """The descriptor of a file, open for reading."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def ways(file: int, heights: Heights) -> dict[str, Work]:
    """A function for each way, which returns the hits by phase after an update of a point of its own."""
    buffer, tile = np.empty_like(heights), np.empty(TILE, np.int16)
    populate = getattr(mmap, "MAP_POPULATE", 0)

    def mapped(flags: int) -> Heights:
        piece = mmap.mmap(file, heights.nbytes, flags=mmap.MAP_SHARED | flags, prot=mmap.PROT_READ)
        return np.frombuffer(piece, np.int16)

    def copied() -> Heights:
        os.preadv(file, [buffer.data], 0)
        return buffer

    def whole(read: Callable[[], Heights]) -> NDArray[np.int64]:
        return updated([Block(0, 0, read())])

    def tiles() -> Iterator[Block]:
        for number, first in enumerate(range(0, heights.size, TILE)):
            part = tile[: min(TILE, heights.size - first)]
            os.preadv(file, [part.data], first * part.itemsize)
            yield Block(number, first % NUM_PHASES, part)

    points = Point()

    def updated(blocks: list[Block] | Iterator[Block]) -> NDArray[np.int64]:
        sums = ShotSums(NUM_PHASES, THRESHOLD)
        for block in blocks:
            sums.add(block)
        counts = sums.result()
        points.sums.add(counts.dwell("pass", (0, 0, 0), False, 1.0, 0))
        return counts.hits

    return {
        "a row mapped page by page": partial(whole, partial(mapped, 0)),
        "a row mapped at once": partial(whole, partial(mapped, populate)),
        "a row copied to a kept buffer": partial(whole, copied),
        "a row copied in tiles": lambda: updated(tiles()),
        "a row in shared memory": partial(whole, lambda: heights),
    }
