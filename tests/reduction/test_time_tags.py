"""Hits from time tags and from packed bits: the same counters, to the bit, as from one byte a shot."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from reduction.shots.block import BitBlock, Block, BlockError
from reduction.shots.sums import ShotCounts, ShotSums
from reduction.shots.tags import TaggedBlock, mark_tags, mark_tags_plainly

BUNCHES, TICKS, PHASES = 24, 300, 120


def measured(seed: int = 3, rate: float = 0.6) -> tuple[TaggedBlock, np.ndarray]:
    """A block with several photons in many gates and a jittering clock, and its hits as one byte a shot."""
    rng = np.random.default_rng(seed)
    clock = (10**9 + np.cumsum(3_682_510 + rng.integers(-2000, 2000, TICKS + 1))).astype(np.uint64)
    outside = np.array([clock[0] - 7, clock[0] - 1, clock[-1], clock[-1] + 5], np.uint64)
    photons = rng.integers(clock[0], clock[-1], int(rate * BUNCHES * TICKS), dtype=np.uint64)
    edges = np.concatenate([clock, clock[1:] - np.uint64(1)])[::7]
    photons = np.sort(np.concatenate([photons, edges, outside]))
    shots = np.zeros(BUNCHES * TICKS, np.uint8)
    limits = [int(tick) for tick in clock]
    for tag in map(int, photons):
        if limits[0] <= tag < limits[-1]:
            tick = int(np.searchsorted(clock, np.uint64(tag), side="right")) - 1
            shots[tick * BUNCHES + (tag - limits[tick]) * BUNCHES // (limits[tick + 1] - limits[tick])] = 1
    return TaggedBlock(0, 17, photons, clock, BUNCHES), shots


def counted(block: Block | BitBlock) -> ShotCounts:
    sums = ShotSums(PHASES, 0)
    sums.add(block)
    return sums.result()


def assert_same(found: Any, expected: Any) -> None:
    for field in fields(found):
        one, other = getattr(found, field.name), getattr(expected, field.name)
        assert_same(one, other) if hasattr(one, "__dataclass_fields__") else np.testing.assert_array_equal(one, other)


def test_tags_give_the_counters_of_the_same_hits() -> None:
    block, shots = measured()
    found = counted(block.hits())
    assert_same(found, counted(Block(0, 17, shots)))
    assert found.hits.sum() == shots.sum() < block.photons.size and found.gates.sum() == shots.size
    words = np.zeros_like(block.hits().words)
    mark_tags_plainly(block.photons, block.clock, BUNCHES, words)
    np.testing.assert_array_equal(words, block.hits().words)


def test_blocks_of_tags_follow_each_other_as_others_do() -> None:
    block, shots = measured()
    middle = TICKS // 2
    first, second = (
        TaggedBlock(number, (17 + number * middle * BUNCHES) % PHASES, block.photons, clock, BUNCHES)
        for number, clock in enumerate((block.clock[: middle + 1], block.clock[middle:]))
    )
    sums = ShotSums(PHASES, 0)
    sums.add(first.hits())
    sums.add(second.hits())
    assert_same(sums.result(), counted(Block(0, 17, shots)))


@pytest.mark.parametrize("size", [1, 63, 64, 65, 7000])
def test_packed_hits_are_those_of_one_byte_a_shot(size: int) -> None:
    shots = (np.random.default_rng(size).random(size) < 0.3).astype(np.uint8)
    packed = np.packbits(np.concatenate([shots, np.ones(-size % 64, np.uint8)]), bitorder="little")
    assert_same(counted(BitBlock(0, 5, packed.view(np.uint64), size)), counted(Block(0, 5, shots)))


def test_tags_that_cannot_be_are_named() -> None:
    block, _ = measured()
    swapped = block.photons.copy()
    swapped[[100, 101]] = swapped[[101, 100]]
    late = block.photons.copy()
    late[-1] = 5
    swapped_ticks = block.clock.copy()
    swapped_ticks[[100, 101]] = swapped_ticks[[101, 100]]
    one_less = np.delete(block.clock, 40)
    for changed, message in (
        ({"photons": swapped}, "photon tag 101 is earlier than the one before it"),
        ({"photons": late}, f"photon tag {late.size - 1} is earlier"),
        ({"photons": block.photons.astype(np.int64)}, "tags of photons are int64"),
        ({"photons": block.photons[::2]}, "not contiguous uint64"),
        (
            {"clock": one_less},
            r"tick 40 of the bunch clock is 736\d+ units after the one before, others 36",
        ),
        ({"clock": block.clock[::-1].copy()}, "too many or too few"),
        ({"clock": swapped_ticks}, r"tick 100 of the bunch clock is -?\d+ units after .* not in order"),
        ({"clock": block.clock[:1]}, "1 ticks of 24 bunches are no gates"),
        ({"bunches": 10**7}, "too many or too few for 10000000 gates"),
    ):
        with pytest.raises(BlockError, match=f"block 0: .*{message}"):
            replace(block, **changed).hits()
    with pytest.raises(BlockError, match="first phase 120 is outside"):
        counted(replace(block, first_phase=120).hits())
    with pytest.raises(BlockError, match="65 shots are in uint64 of shape"):
        counted(BitBlock(0, 0, np.zeros(1, np.uint64), 65))
    assert counted(block.hits()).gates.sum() == BUNCHES * TICKS  # and the good block still counts


def test_no_photons_are_gates_without_hits() -> None:
    block, shots = measured()
    found = counted(replace(block, photons=np.zeros(0, np.uint64)).hits())
    assert not found.hits.any() and found.gates.sum() == shots.size
    assert mark_tags(block.photons[:0], block.clock, BUNCHES, np.zeros(1, np.uint64)) == -1
