"""Each shot kernel against the plain loop beside it and an independent numpy twin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reduction.shots import counters as rows
from reduction.shots import photons
from reduction.shots.kernels import bitmaps, cross, floats, heights, hits
from reduction.shots.kernels.layout import (
    BITS,
    FLOATS,
    HEIGHTS,
    HITS,
    WORDS_PER_VECTOR,
    row_length,
)
from tests.reduction import shots_twin

PHASES = st.sampled_from([1, 2, 5, 7, 24, 120, 129, 1296])
# Lengths around nothing, one row and the strips of a whole stretch, for 120 phases and for few.
LENGTHS = st.one_of(st.integers(0, 70), st.integers(3800, 3900), st.integers(7600, 16000), st.integers(60000, 70000))
HARD = st.sampled_from([0.0, 0.001, 0.3, 1.0])
EXTREMES = st.sampled_from([(-32768, -32767), (32767, 32768), (-32768, 32768), (-300, 2000)])


def zeros(num_phases, number=1):
    return [np.zeros(num_phases, np.int64) for _ in range(number)]


def draw_hits(seed, length, dropped, wrong=0):
    rng = np.random.default_rng(seed)
    block = (rng.random(length) < 0.3).astype(np.uint8)
    block |= np.where(rng.random(length) < dropped, 0x80, 0).astype(np.uint8)
    if wrong and length:
        block[rng.integers(length)] |= wrong
    return block


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 99), length=LENGTHS, num_phases=PHASES, dropped=HARD)
@example(seed=1, length=500_000, num_phases=120, dropped=0.0)
@example(seed=1, length=500_000, num_phases=120, dropped=1e-5)
def test_hits_and_gates_are_those_of_the_twin(seed, length, num_phases, dropped):
    block = draw_hits(seed, length, dropped)
    gates, hit, plain_gates, plain_hits = zeros(num_phases, 4)
    seen = int(np.bitwise_or.reduce(block, initial=0))
    row = HITS.row(num_phases)
    assert hits.count_hits(block, num_phases, row, gates, hit) == seen
    assert hits.count_hits_plainly(block, num_phases, plain_gates, plain_hits) == seen
    phase = np.arange(length) % num_phases
    opened = block < 128
    np.testing.assert_array_equal(gates, np.bincount(phase[opened], minlength=num_phases))
    np.testing.assert_array_equal(hit, np.bincount(phase[opened & (block == 1)], minlength=num_phases))
    np.testing.assert_array_equal(gates, plain_gates)
    np.testing.assert_array_equal(hit, plain_hits)
    marked_gates, marked_hits = zeros(num_phases, 2)
    found, plain = np.full((2, -(-length // 64) + 3), 2**64 - 1, np.uint64)
    assert hits.mark_hits(block, num_phases, row, marked_gates, marked_hits, found) == seen
    np.testing.assert_array_equal(marked_gates, gates)
    np.testing.assert_array_equal(marked_hits, hit)
    hits.mark_hits_plainly(block, plain)
    np.testing.assert_array_equal(found, plain)
    unpacked = np.unpackbits(found.view(np.uint8), bitorder="little")
    np.testing.assert_array_equal(unpacked[:length], block == 1)
    assert not unpacked[length:].any()


@pytest.mark.parametrize("length", [10, 7_679, 7_680, 500_000])
@pytest.mark.parametrize("wrong", [0x02, 0x40, 0x10])
def test_another_bit_is_seen_wherever_it_is(length, wrong):
    for seed in range(4):
        block = draw_hits(seed, length, 0.0, wrong)
        gates, hit = zeros(120, 2)
        assert hits.count_hits(block, 120, HITS.row(120), gates, hit) & wrong
        assert hits.count_hits_plainly(block, 120, gates, hit) & wrong


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 99), length=LENGTHS, num_phases=PHASES, extremes=EXTREMES)
@example(seed=1, length=500_000, num_phases=120, extremes=(-32768, -32767))
@example(seed=1, length=500_000, num_phases=120, extremes=(32767, 32768))
@example(seed=1, length=3_000_000, num_phases=120, extremes=(-32768, 32768))
def test_sums_and_squares_are_those_of_the_twin(seed, length, num_phases, extremes):
    block = np.random.default_rng(seed).integers(*extremes, length).astype(np.int16)
    sums, squares, plain_sums, plain_squares = zeros(num_phases, 4)
    heights.sum_heights(block, num_phases, HEIGHTS.row(num_phases), sums, squares)
    heights.sum_heights_plainly(block, num_phases, plain_sums, plain_squares)
    whole = np.zeros(-(-length // num_phases) * num_phases, np.int64)
    whole[:length] = block
    np.testing.assert_array_equal(sums, whole.reshape(-1, num_phases).sum(axis=0))
    np.testing.assert_array_equal(squares, (whole**2).reshape(-1, num_phases).sum(axis=0))
    np.testing.assert_array_equal(sums, plain_sums)
    np.testing.assert_array_equal(squares, plain_squares)


def test_four_lowest_heights_of_one_phase_do_not_wrap():
    """They alone, among ordinary ones, in the places that the kernel adds up in 32 bits."""
    row = HEIGHTS.row(120)
    block = np.ones(HEIGHTS.strips * row * 3, np.int16)
    strip = 3 * row
    block[[77 + strip * each for each in range(4)]] = -32768
    sums, squares = zeros(120, 2)
    heights.sum_heights(block, 120, row, sums, squares)
    others = block.size // 120
    assert squares[77] == others - 4 + 4 * 2**30
    assert sums[77] == others - 4 - 4 * 32768
    assert set(np.delete(squares, 77)) == {others}


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 99), length=LENGTHS, num_phases=PHASES,
    threshold=st.sampled_from([-32768, -1, 0, 900, 32767]), extremes=EXTREMES,
)  # fmt: skip
def test_heights_above_the_threshold_are_hits(seed, length, num_phases, threshold, extremes):
    block = np.random.default_rng(seed).integers(*extremes, length).astype(np.int16)
    found = np.full(-(-length // 32) + 3, 0xFFFFFFFF, np.uint32)
    sums, squares, raised, only_sums, only_squares, plain_raised = zeros(num_phases, 6)
    row = HEIGHTS.row(num_phases)
    heights.find_hits(block, num_phases, row, threshold, sums, squares, found, raised)
    heights.sum_heights(block, num_phases, row, only_sums, only_squares)
    np.testing.assert_array_equal(sums, only_sums)
    np.testing.assert_array_equal(squares, only_squares)
    above = block > threshold
    unpacked = np.unpackbits(found.view(np.uint8), bitorder="little")
    np.testing.assert_array_equal(unpacked[:length], above)
    assert not unpacked[length:].any()
    phase = np.arange(length) % num_phases
    shots, hits_of = np.bincount(phase, minlength=num_phases), np.bincount(phase[above], minlength=num_phases)
    expected = np.bincount(phase, np.where(above, block, 0), num_phases)
    np.testing.assert_array_equal(heights.sums_over_hits(raised, threshold, shots, hits_of), expected)
    plain_found = np.empty_like(found)
    heights.find_hits_plainly(block, num_phases, threshold, plain_found, plain_raised)
    np.testing.assert_array_equal(raised, plain_raised)
    np.testing.assert_array_equal(found, plain_found)


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 99), length=LENGTHS, num_phases=st.sampled_from([1, 5, 24, 120, 129]),
    threshold=st.sampled_from([-32768, -1, 0, 900, 32767]), extremes=EXTREMES,
)  # fmt: skip
def test_photons_of_heights_are_those_of_the_plain_loop_and_of_numpy(seed, length, num_phases, threshold, extremes):
    block = np.random.default_rng(seed).integers(*extremes, length).astype(np.int16)
    row, row_of_bits = HEIGHTS.row(num_phases), BITS.row(num_phases)
    counters, plain = zeros(5 * num_phases, 2)
    counters, plain = counters.reshape(5, -1), plain.reshape(5, -1)
    both, plain_both = np.zeros((2, 5, num_phases), np.int64)
    bitmap = bitmaps.new_bitmap(length, row_of_bits)
    bitmap[:] = 0
    photons.count_photons(block, num_phases, row, row_of_bits, threshold, counters, bitmap, both)
    photons.count_photons_plainly(block, num_phases, threshold, plain, plain_both)
    np.testing.assert_array_equal(counters, plain)
    np.testing.assert_array_equal(both, plain_both)
    phase, above = np.arange(length) % num_phases, block > threshold
    np.testing.assert_array_equal(counters[rows.GATES], np.bincount(phase, minlength=num_phases))
    np.testing.assert_array_equal(counters[rows.HITS], np.bincount(phase[above], minlength=num_phases))
    np.testing.assert_array_equal(counters[rows.HIT_SUMS], np.bincount(phase, np.where(above, block, 0), num_phases))
    for lag in range(1, 6):
        late = np.nonzero(above[lag:] & above[: max(0, length - lag)])[0] + lag
        np.testing.assert_array_equal(both[lag - 1], np.bincount(late % num_phases, minlength=num_phases))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 99), length=LENGTHS, num_phases=PHASES, extremes=EXTREMES)
@example(seed=1, length=500_000, num_phases=120, extremes=(-32768, -32767))
@example(seed=1, length=700_000, num_phases=120, extremes=(-32767, 32768))
def test_products_of_two_channels_are_those_of_the_twin(seed, length, num_phases, extremes):
    rng = np.random.default_rng(seed)
    one, other = (rng.integers(*extremes, length).astype(np.int16) for _ in range(2))
    products, plain = zeros(num_phases, 2)
    cross.sum_products(one, other, num_phases, HEIGHTS.row(num_phases), products)
    cross.sum_products_plainly(one, other, num_phases, plain)
    whole = np.zeros(-(-length // num_phases) * num_phases, np.int64)
    whole[:length] = one.astype(np.int64) * other
    np.testing.assert_array_equal(products, whole.reshape(-1, num_phases).sum(axis=0))
    np.testing.assert_array_equal(products, plain)


def marked(shots, row):
    bitmap = bitmaps.new_bitmap(shots.size, row)
    packed = np.packbits(shots, bitorder="little")
    bitmap[:] = 0
    bitmap[WORDS_PER_VECTOR:].view(np.uint8)[: packed.size] = packed
    return bitmap


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 99), length=LENGTHS, num_phases=st.sampled_from([1, 5, 24, 120, 129]), lag=st.integers(0, 61)
)
@example(seed=2, length=8_500_000, num_phases=1, lag=1)
@example(seed=2, length=400_000, num_phases=5, lag=0)
def test_pairs_of_set_bits_are_those_of_the_twin(seed, length, num_phases, lag):
    rng = np.random.default_rng(seed)
    later, before = rng.random(length) < 0.4, rng.random(length) < 0.8
    row = BITS.row(num_phases)
    out, plain = np.zeros((2, 3, num_phases), np.int64)
    bitmaps.count_pairs(marked(later, row), marked(before, row), lag, num_phases, row, out)
    bitmaps.count_pairs_plainly(marked(later, row), marked(before, row), lag, num_phases, plain)
    for index, apart in enumerate(range(lag, lag + 3)):
        both = later.copy()
        both[apart:] &= before[: max(0, length - apart)]
        both[: min(apart, length)] = False
        np.testing.assert_array_equal(out[index], np.bincount(np.nonzero(both)[0] % num_phases, minlength=num_phases))
    np.testing.assert_array_equal(out, plain)


@given(seed=st.integers(0, 99), length=st.integers(0, 700), dropped=HARD)
@settings(max_examples=30, deadline=None)
def test_opened_gates_are_marked(seed, length, dropped):
    block = draw_hits(seed, length, dropped)
    row = BITS.row(120)
    found, plain = bitmaps.new_bitmap(length, row), np.zeros_like(bitmaps.new_bitmap(length, row))
    found[WORDS_PER_VECTOR:] = 2**64 - 1
    hits.mark_opened(block, found[WORDS_PER_VECTOR:])
    hits.mark_opened_plainly(block, 0, plain[WORDS_PER_VECTOR:])
    np.testing.assert_array_equal(found, marked(shots_twin.gates_and_hits(block, 0)[0], row))
    np.testing.assert_array_equal(plain, found)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 99), length=LENGTHS, num_phases=PHASES)
def test_deviations_of_floats_are_those_of_the_twin(seed, length, num_phases):
    block = np.random.default_rng(seed).normal(3, 1, length).astype(np.float32)
    origin = np.full(num_phases, 3.0)
    found, plain = np.zeros((2, num_phases)), np.zeros((2, num_phases))
    row = FLOATS.row(num_phases)
    floats.sum_deviations(block, num_phases, row, origin, *found)
    floats.sum_deviations_plainly(block, num_phases, origin, *plain)
    phase, deviations = np.arange(length) % num_phases, block.astype(float) - 3.0
    twin = [np.bincount(phase, each, num_phases) for each in (deviations, deviations**2)]
    for each in (found, plain):
        # Each of at most `length` additions rounds; deviations stay within 6.
        np.testing.assert_allclose(each, twin, rtol=1e-12, atol=36 * max(length, 1) * 2.3e-16)


def test_a_pattern_too_long_or_none_is_refused():
    with pytest.raises(ValueError, match="at least one phase"):
        row_length(0, 64, 1920)
    with pytest.raises(ValueError, match="too long"):
        row_length(100_003, 64, 1920)
