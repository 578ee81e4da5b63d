"""Hits and opened gates by phase, from one byte a shot: bit 0 is a hit, bit 7 a dropped shot.

A dropped shot opens no gate, whatever its bit 0. With any other bit set the block is invalid, and the output must not
be used. As signed numbers, dropped shots are below 0 and hits in opened gates above 0.
"""

from __future__ import annotations

import numpy as np

from reduction.kernel_cache import kernel
from reduction.shots.kernels.layout import BITS_PER_WORD, HITS, HITS_PER_VECTOR, add_bytes
from reduction.shots.kernels.vector_bits import store_above
from reduction.shots.kernels.vectors import filled, load

HIT, DROPPED = 0x01, 0x80
DEFINED = HIT | DROPPED
"""The bits that have a meaning."""
ONES = np.uint64(0x0101010101010101)
"""Bit 0 of each byte of a word."""


@kernel(error_model="numpy", nogil=True)
def count_hits_plainly(block, num_phases, gates, hits):  # type: ignore[no-untyped-def]
    """Shot-by-shot definition of `count_hits`."""
    seen = np.uint8(0)
    phase = 0
    for shot in range(block.size):
        byte = block[shot]
        seen |= byte
        if not byte & DROPPED:
            gates[phase] += 1
            hits[phase] += byte & HIT
        phase += 1
        if phase == num_phases:
            phase = 0
    return seen


@kernel(error_model="numpy", nogil=True)
def mark_hits_plainly(block, hit_bits):  # type: ignore[no-untyped-def]
    """Shot-by-shot definition of the bitmap of `mark_hits`."""
    hit_bits[:] = np.uint64(0)
    for shot in range(block.size):
        if block[shot] & DEFINED == HIT:
            hit_bits[shot // BITS_PER_WORD] |= np.uint64(1) << np.uint64(shot % BITS_PER_WORD)


@kernel(error_model="numpy", nogil=True)
def _add_rows(a, b, c, d, sums):  # type: ignore[no-untyped-def]
    """Add one row of each of four strips to the bytes `sums`, all as words of eight shots; return their bits, ored.

    A byte of hits alone stays below 256; with other bits set the sums are not used.
    """
    seen = np.uint64(0)
    for at in range(sums.size):
        seen |= (a[at] | b[at]) | (c[at] | d[at])
        sums[at] += (a[at] + b[at]) + (c[at] + d[at])
    return seen


@kernel(error_model="numpy", nogil=True)
def _mark_row(block, start, strip, row, hit_bits):  # type: ignore[no-untyped-def]
    """Mark the hits in one row of each strip, which `_add_rows` has just loaded into the cache."""
    nothing = filled(block, 0)
    for each in range(HITS.strips):
        first = start + each * strip
        for at in range(first, first + row, HITS_PER_VECTOR):
            store_above(hit_bits, at // BITS_PER_WORD, load(block, at), nothing)


@kernel(error_model="numpy", nogil=True)
def _add_opened(words, first, last, row, opened, hits):  # type: ignore[no-untyped-def]
    """Add the rows from `first` to `last`, words of eight shots, to bytes: opened gates and the hits in them."""
    for start in range(first, last, row):
        for at in range(row):
            word = words[start + at]
            of_gates = ~(word >> np.uint64(7)) & ONES
            opened[at] += of_gates
            hits[at] += word & of_gates


@kernel(error_model="numpy", nogil=True)
def _any_byte(word):  # type: ignore[no-untyped-def]
    """The bits of all bytes of a word, ored."""
    for shift in (32, 16, 8):
        word |= word >> np.uint64(shift)
    return np.uint8(word & np.uint64(0xFF))


@kernel(error_model="numpy", nogil=True)
def mark_hits(block, num_phases, row, gates, hits, hit_bits):  # type: ignore[no-untyped-def]
    """Add the opened gates and the hits of a block to `gates` and `hits`, by phase; and mark the hits.

    The phase is counted from the first shot. Bytes are added as they are. Strips with bits other than hits are then
    counted again, with a test of each shot.

    Parameters
    ----------
    block : uint8[N], contiguous
    num_phases : int
    row : int
        From `layout.HITS`.
    gates, hits : int64[P]
    hit_bits : uint64[M], at least N / 64 elements, or none
        All written: bit ``i % 64`` of element ``i // 64`` is set where shot `i` is a hit in an opened gate.

    Returns
    -------
    uint8
        All bits that are set anywhere. If it has others than `DEFINED`, the block is invalid.
    """
    seen, mark, width = np.uint8(0), hit_bits.size > 0, row // 8
    words = block[: block.size // 8 * 8].view(np.uint64)
    sums, opened = np.zeros(width, np.uint64), np.zeros(width, np.uint64)
    whole = words.size // (HITS.strips * width)
    for done in range(0, whole, HITS.most):
        first, strip = done * HITS.strips * width, min(whole - done, HITS.most) * width
        last = first + HITS.strips * strip
        of_stretch = np.uint64(0)
        for a in range(first, first + strip, width):
            b, c, d = a + strip, a + 2 * strip, a + 3 * strip
            of_stretch |= _add_rows(
                words[a : a + width], words[b : b + width], words[c : c + width], words[d : d + width], sums
            )
            if mark:
                _mark_row(block, 8 * a, 8 * strip, row, hit_bits)
        found = _any_byte(of_stretch)
        if found & ~np.uint8(HIT):
            sums[:] = np.uint64(0)
            _add_opened(words, first, last, width, opened, sums)
            add_bytes(opened.view(np.uint8), num_phases, gates)
        else:
            for phase in range(num_phases):
                gates[phase] += 8 * (last - first) // num_phases
        add_bytes(sums.view(np.uint8), num_phases, hits)
        seen |= found
    rest = whole * HITS.strips * row
    if mark:
        mark_hits_plainly(block[rest:], hit_bits[rest // BITS_PER_WORD :])
    return seen | count_hits_plainly(block[rest:], num_phases, gates, hits)


def count_hits(block, num_phases, row, gates, hits):  # type: ignore[no-untyped-def]
    """`mark_hits` without a bitmap."""
    return mark_hits(block, num_phases, row, gates, hits, np.empty(0, np.uint64))


@kernel(error_model="numpy", nogil=True)
def mark_opened_plainly(block, first, opened_bits):  # type: ignore[no-untyped-def]
    """Shot-by-shot definition of `mark_opened`, from shot `first` on."""
    for shot in range(first, block.size):
        if not block[shot] & DROPPED:
            opened_bits[shot // BITS_PER_WORD] |= np.uint64(1) << np.uint64(shot % BITS_PER_WORD)


@kernel(error_model="numpy", nogil=True)
def mark_opened(block, opened_bits):  # type: ignore[no-untyped-def]
    """Mark the opened gates: as signed numbers, dropped shots are below 0.

    Parameters
    ----------
    block : uint8[N], contiguous
        Bit 7 is a dropped shot.
    opened_bits : uint64[M], at least N / 64 elements
        All written: bit ``i % 64`` of element ``i // 64`` is set where gate `i` opened.
    """
    below = filled(block, 0xFF)
    whole = block.size // HITS_PER_VECTOR
    opened_bits[whole:] = np.uint64(0)
    for word in range(whole):
        store_above(opened_bits, word, load(block, word * HITS_PER_VECTOR), below)
    mark_opened_plainly(block, whole * HITS_PER_VECTOR, opened_bits)
