"""Hits from the time tags of single photons and of a divided bunch clock, as time taggers record them.

A time tagger gives the times of photons and of every n-th bunch in units of its own clock. The time between two ticks
of the bunch clock is divided into n gates, and a photon belongs to the gate that its tag falls into. A gate counts at
most once, as in a photon counter, so that the counters are the same to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.kernel_cache import kernel
from reduction.shots.block import BitBlock, BlockError, unwritable
from reduction.shots.kernels.layout import BITS_PER_WORD

Tags = NDArray[np.uint64]

IN_ORDER = -1
"""Result of `mark_tags` if no tag is smaller than the one before."""
LONGEST = 1 << 40
"""Units between two ticks, times gates: the products that the kernel compares stay far within 64 bits."""


@dataclass(frozen=True)
class TaggedBlock:
    """Photon tags and clock tags of a piece of a capture.

    Attributes
    ----------
    number : int
        Number of the block in its capture.
    first_phase : int
        Phase of the gate that begins with the first tick.
    photons : ndarray of uint64, shape (M,)
        In order; those before the first and from the last tick on belong to the blocks beside this one.
    clock : ndarray of uint64, shape (K + 1,)
        Ticks of the divided bunch clock: the first one begins the first gate, the last one ends the last.
    bunches : int
        Gates from one tick to the next.
    missing : int
        Shots lost between the previous block and this one.
    """

    number: int
    first_phase: int
    photons: Tags
    clock: Tags
    bunches: int
    missing: int = 0

    def hits(self) -> BitBlock:
        """One bit a gate.

        Raises
        ------
        BlockError
            If tags are no contiguous uint64 or not in order, or a tick of the clock is missing or too much.
        """
        self._check()
        words = np.zeros(-(-(self.clock.size - 1) * self.bunches // BITS_PER_WORD), np.uint64)
        if (wrong := mark_tags(unwritable(self.photons), unwritable(self.clock), self.bunches, words)) != IN_ORDER:
            raise self._error(f"photon tag {wrong} is earlier than the one before it")
        return BitBlock(self.number, self.first_phase, words, (self.clock.size - 1) * self.bunches, self.missing)

    def _check(self) -> None:
        for name, tags in (("photons", self.photons), ("clock", self.clock)):
            if tags.dtype != np.uint64 or tags.ndim != 1 or not tags.flags.c_contiguous:
                raise self._error(f"tags of {name} are {tags.dtype} of shape {tags.shape}, not contiguous uint64")
        if self.clock.size < 2 or self.bunches < 1:
            raise self._error(f"{self.clock.size} ticks of {self.bunches} bunches are no gates")
        span = int(self.clock[-1]) - int(self.clock[0])
        usual = span // (self.clock.size - 1)
        if not 2 * self.bunches <= usual <= LONGEST // self.bunches:
            raise self._error(f"{usual} units from tick to tick are too many or too few for {self.bunches} gates")
        if (tick := first_odd_tick(unwritable(self.clock), usual, usual // (2 * self.bunches))) != IN_ORDER:
            step = int(self.clock[tick]) - int(self.clock[tick - 1])
            raise self._error(
                f"tick {tick} of the bunch clock is {step} units after the one before, others {usual}: a tick is"
                " missing, too much, or not in order"
            )

    def _error(self, reason: str) -> BlockError:
        return BlockError(f"block {self.number}: {reason}")


@kernel(error_model="numpy", nogil=True)
def first_odd_tick(clock, usual, most):  # type: ignore[no-untyped-def]
    """Index of the first tick that is more than `most` off its `usual` distance; `IN_ORDER` if there is none."""
    for tick in range(1, clock.size):
        step = np.int64(clock[tick] - clock[tick - 1])
        if step < usual - most or step > usual + most:
            return tick
    return IN_ORDER


@kernel(error_model="numpy", nogil=True)
def mark_tags_plainly(photons, clock, bunches, hit_bits):  # type: ignore[no-untyped-def]
    """Photon-by-photon definition of `mark_tags`, for photons in order."""
    for index in range(photons.size):
        for tick in range(clock.size - 1):
            if clock[tick] <= photons[index] < clock[tick + 1]:
                since, width = photons[index] - clock[tick], clock[tick + 1] - clock[tick]
                gate = tick * bunches + np.int64(since * np.uint64(bunches) // width)
                hit_bits[gate // BITS_PER_WORD] |= np.uint64(1) << np.uint64(gate % BITS_PER_WORD)


@kernel(error_model="numpy", nogil=True)
def mark_tags(photons, clock, bunches, hit_bits):  # type: ignore[no-untyped-def]
    """Set the bit of each gate with a photon.

    The gate is an exact quotient of integers; it is estimated by a multiplication, because a division would take longer
    than all the rest, and put right by a comparison.

    Parameters
    ----------
    photons : uint64[M], contiguous
    clock : uint64[K + 1], contiguous
        Ascending.
    bunches : int
        Gates from tick to tick.
    hit_bits : uint64[W], at least K * bunches / 64 elements
        Zeros; bit ``i % 64`` of element ``i // 64`` is set where gate `i` has a photon.

    Returns
    -------
    int
        Index of the first tag that is earlier than the one before it; `IN_ORDER` if there is none.
    """
    gates, tick = np.uint64(bunches), 0
    begin, end = clock[0], clock[1]
    width = end - begin
    per_unit = bunches / np.float64(width)
    before, word, bits = np.uint64(0), np.int64(0), np.uint64(0)  # bits of a word are gathered before they are written
    for index in range(photons.size):
        tag = photons[index]
        if tag < before:
            return index
        before = tag
        if tag < begin:
            continue
        while tag >= end:
            tick += 1
            if tick == clock.size - 1:
                hit_bits[word] |= bits
                return _first_out_of_order(photons, index)
            begin, end = end, clock[tick + 1]
            width = end - begin
            per_unit = bunches / np.float64(width)
        since = (tag - begin) * gates
        gate = np.uint64(np.int64(np.float64(np.int64(tag - begin)) * per_unit))
        if gate * width > since:
            gate -= np.uint64(1)
        elif (gate + np.uint64(1)) * width <= since:
            gate += np.uint64(1)
        at = np.uint64(tick) * gates + gate
        if np.int64(at >> np.uint64(6)) != word:
            hit_bits[word] |= bits
            word, bits = np.int64(at >> np.uint64(6)), np.uint64(0)
        bits |= np.uint64(1) << (at & np.uint64(63))
    hit_bits[word] |= bits
    return IN_ORDER


@kernel(error_model="numpy", nogil=True)
def _first_out_of_order(photons, first):  # type: ignore[no-untyped-def]
    """As the result of `mark_tags`, from the photon `first` on."""
    for index in range(first + 1, photons.size):
        if photons[index] < photons[index - 1]:
            return index
    return IN_ORDER
