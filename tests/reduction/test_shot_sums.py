"""Blocks of shots summed in any order of splitting: the same bits as the whole; blocks that cannot be are refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reduction.counting.pairs import Pairs
from reduction.shots.block import Block, BlockError
from reduction.shots.moments import Moments
from reduction.shots.sums import ShotAccumulator, ShotSums
from tests.reduction import shots_twin

THRESHOLD = 900


def draw(seed, length, kind):
    """A row of shots; hits now and then dropped, heights now and then extreme."""
    rng = np.random.default_rng(seed)
    if kind == "hits":
        dropped = rng.random(length) < rng.choice([0.0, 0.1])
        return (rng.random(length) < 0.4).astype(np.uint8) | np.where(dropped, 0x80, 0).astype(np.uint8)
    heights = rng.normal(600, 500, length).astype(np.int16)
    heights[rng.random(length) < 0.02] = -32768
    return heights


def expect(counts, opened, hits, first_phase, num_phases):
    """Compare counts with the twin; missing shots are gates that did not open."""
    assert counts.gates.tolist() == shots_twin.by_phase(opened, first_phase, num_phases)
    assert counts.hits.tolist() == shots_twin.by_phase(hits, first_phase, num_phases)
    found = np.stack([counts.pairs.gates, counts.pairs.hits, counts.pairs.previous_hits, counts.pairs.coincidences])
    np.testing.assert_array_equal(found, shots_twin.pairs(opened, hits, first_phase, num_phases))


@settings(max_examples=60, deadline=None)
@given(data=st.data(), kind=st.sampled_from(["hits", "heights"]), num_phases=st.sampled_from([1, 3, 5, 12, 120]))
def test_any_split_with_any_gaps_is_the_whole(data, kind, num_phases):
    """Split anywhere, some of the pieces lost: as if the lost shots' gates had not opened. Merged in two ways."""
    length = data.draw(st.integers(1, 400))
    seed = data.draw(st.integers(0, 999))
    first_phase = data.draw(st.integers(0, num_phases - 1))
    shots = draw(seed, length, kind)
    cuts = sorted(data.draw(st.sets(st.integers(1, length), max_size=7)) | {length})
    opened, hits = shots_twin.gates_and_hits(shots, THRESHOLD)
    blocks, missing = [], 0
    for start, stop in zip([0, *cuts], cuts, strict=False):
        if blocks and data.draw(st.booleans(), label="lost"):
            missing += stop - start
            opened[start:stop] = hits[start:stop] = False
            continue
        blocks.append(Block(len(blocks), (first_phase + start) % num_phases, shots[start:stop].copy(), missing))
        missing = 0
    length -= missing  # what is lost after the last block is nobody's
    opened, hits = opened[:length], hits[:length]

    in_a_row = ShotSums(num_phases, THRESHOLD)
    halves = [ShotSums(num_phases, THRESHOLD) for _ in range(2)]
    middle = data.draw(st.integers(0, len(blocks)))
    for number, block in enumerate(blocks):
        in_a_row.add(block)
        halves[number >= middle].add(block)
    halves[0].merge(halves[1])
    for sums in (in_a_row, halves[0]):
        counts = sums.result()
        expect(counts, opened, hits, first_phase, num_phases)
        assert counts.missing == sum(block.missing for block in blocks[1:])
        assert counts.shots + counts.missing == length


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 99), num_phases=st.sampled_from([1, 5, 120]), cut=st.integers(1, 69_999))
def test_long_blocks_with_a_monitor_are_exact(seed, num_phases, cut):
    shots, monitor = draw(seed, 70_000, "heights"), draw(seed + 1, 70_000, "heights")
    sums = ShotSums(num_phases, THRESHOLD)
    for number, part in enumerate((slice(0, cut), slice(cut, None))):
        start = part.start % num_phases
        sums.add(Block(number, start, shots[part].copy(), monitor=monitor[part].copy()))
    counts, moments = sums.result(), sums.result().moments
    wide, other = shots.astype(np.int64), monitor.astype(np.int64)
    phase = np.arange(shots.size) % num_phases
    for found, values in (
        (moments.sums, wide), (moments.squares, wide**2), (moments.monitor_sums, other),
        (moments.monitor_squares, other**2), (moments.products, wide * other),
        (counts.hit_sums, np.where(wide > THRESHOLD, wide, 0)), (counts.hits, wide > THRESHOLD),
    ):  # fmt: skip
        expected = np.array([values[phase == p].sum() for p in range(num_phases)])
        np.testing.assert_array_equal(found, expected)
    for p in range(num_phases):
        np.testing.assert_allclose(moments.variance()[p], wide[phase == p].var(ddof=1), rtol=1e-12)
        np.testing.assert_allclose(moments.mean()[p], wide[phase == p].mean(), rtol=1e-14)


def test_heights_and_hits_of_the_same_shots_agree():
    heights = draw(5, 30_000, "heights")
    dwells = []
    for shots in (heights, (heights > THRESHOLD).astype(np.uint8)):
        sums = ShotSums(120, THRESHOLD)
        sums.add(Block(0, 17, shots))
        dwells.append(sums.result().dwell("pass", (3, 1, 0), True, 2.5, 4))
    assert [(d.pass_uid, d.point, d.segment, d.attempt, d.laser_on, d.flux) for d in dwells] == [
        ("pass", 3, 1, 0, True, 2.5)
    ] * 2
    np.testing.assert_array_equal(dwells[0].hits, dwells[1].hits)
    np.testing.assert_array_equal(dwells[0].gates, dwells[1].gates)
    for name in ("gates", "hits", "previous_hits", "coincidences"):
        ours, theirs = (getattr(dwell.pairs, name) for dwell in dwells)
        np.testing.assert_array_equal(ours, theirs)
    assert dwells[0].fault() is None and dwells[0].fault_of_pairs() is None


GOOD = np.ones(100, np.int16)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (Block(4, 0, GOOD.astype(np.int32)), "int32"),
        (Block(4, 0, GOOD.astype(np.float32)), "float32"),
        (Block(4, 0, GOOD[::2]), "not contiguous"),
        (Block(4, 0, GOOD[:0]), "at least one shot"),
        (Block(4, 0, GOOD.reshape(10, 10)), "shape"),
        (Block(4, 120, GOOD), "first phase 120 is outside"),
        (Block(4, -1, GOOD), "first phase -1 is outside"),
        (Block(4, 0, GOOD, missing=-1), "missing"),
        (Block(4, 0, GOOD, monitor=GOOD[:50]), "50 shots of the monitor"),
        (Block(4, 0, GOOD, monitor=GOOD.astype(np.uint16)), "monitor is int16"),
        (Block(4, 0, GOOD.astype(np.uint8), monitor=GOOD), "monitor is int16"),
        (Block(4, 0, np.full(100, 2, np.uint8)), "another bit"),
        (Block(4, 0, np.frombuffer(bytes(201), np.int16, 100, 1)), "not contiguous"),
        (Block(3, 0, GOOD), "block 3: comes after block 3"),
        (Block(6, 0, GOOD), "block 6: comes after block 3"),
        (Block(4, 9, GOOD), "begins with phase 9"),
        (Block(4, 100, GOOD, missing=1), "would be 101"),
    ],
)  # fmt: skip
def test_a_block_that_cannot_be_is_named_and_changes_nothing(block, message):
    sums = ShotSums(120, THRESHOLD)
    sums.add(Block(3, 0, GOOD))
    before = sums.result()
    with pytest.raises(BlockError, match=message) as failure:
        sums.add(block)
    assert str(failure.value).startswith(f"block {block.number}: ")
    np.testing.assert_array_equal(sums.result().gates, before.gates)
    sums.add(Block(4, 100, GOOD))
    assert sums.result().shots == 200


@pytest.mark.parametrize("num_phases", [1, 3, 120])
def test_a_block_left_out_is_a_stretch_of_gates_that_did_not_open(num_phases):
    shots = draw(3, 900, "heights")
    blocks = [Block(n, 300 * n % num_phases, shots[300 * n : 300 * (n + 1)].copy()) for n in range(3)]
    sums = ShotSums(num_phases, THRESHOLD)
    sums.add(blocks[0])
    with pytest.raises(BlockError, match="block 2: comes after block 0"):
        sums.leave_out(2)
    sums.leave_out(1)
    sums.add(blocks[2])
    opened, hits = shots_twin.gates_and_hits(shots, THRESHOLD)
    opened[300:600] = hits[300:600] = False
    expect(sums.result(), opened, hits, 0, num_phases)
    assert (sums.result().shots, sums.result().missing) == (600, 0)
    with pytest.raises(BlockError, match="comes after block 2"):
        sums.add(blocks[1])


def test_sums_of_other_patterns_or_thresholds_do_not_mix():
    for other in (ShotSums(5, THRESHOLD), ShotSums(120, THRESHOLD + 1)):
        with pytest.raises(ValueError, match="same pattern and threshold"):
            ShotSums(120, THRESHOLD).merge(other)


def test_nothing_added_is_nothing():
    counts = ShotSums(5, 0).result()
    assert counts.shots == 0 and not counts.gates.any()
    assert isinstance(counts.pairs, Pairs) and counts.pairs.gates.shape == (5, 5)
    assert np.isnan(counts.moments.mean()).all() and np.isnan(counts.moments.variance()).all()


@pytest.mark.parametrize("shots", [10, 10**5, 10**9])
def test_variances_are_exact_far_from_zero_for_few_shots_and_for_many(shots):
    """Half of the heights are 32000 and half 32001: squares of 30 digits, and a variance of a quarter."""
    number = np.array([shots, 1, 0])
    sums = np.array([32000 * shots + shots // 2, 32000, 0])
    squares = np.array([32000**2 * (shots // 2) + 32001**2 * (shots // 2), 32000**2, 0])
    moments = Moments(number, sums, squares, sums, squares, squares)
    found = moments.variance()
    assert found[0] == pytest.approx(0.25 * shots / (shots - 1), rel=1e-15)
    assert np.isnan(found[1:]).all()


def test_accumulator_keeps_dwells_apart_and_joins_parts():
    shots = draw(1, 3_000, "heights")
    one, other = ShotAccumulator(120, THRESHOLD), ShotAccumulator(120, THRESHOLD)
    one.add("a", 0, 0, Block(0, 0, shots[:1000].copy()))
    other.add("a", 0, 0, Block(1, 1000 % 120, shots[1000:].copy()))
    other.add("a", 0, 1, Block(2, 0, shots))
    one.merge(other)
    counts = one.result()
    assert set(counts) == {("a", 0, 0), ("a", 0, 1)}
    np.testing.assert_array_equal(counts["a", 0, 0].pairs.coincidences, counts["a", 0, 1].pairs.coincidences)
    one.begin("a", 0, 1)
    assert one.result()["a", 0, 1].shots == 0
