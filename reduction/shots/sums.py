"""Accumulators of shots: one dwell from its blocks, and all dwells of a measurement.

All sums are integers, so any split into blocks, processes and machines gives the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.counting.dwell import GOOD, Dwell
from reduction.counting.pairs import Pairs
from reduction.shots.block import BitBlock, Block, BlockError
from reduction.shots.counters import (
    COINCIDENCES,
    GATES,
    HIT_SUMS,
    HITS,
    LAGS,
    MONITOR_SQUARES,
    MONITOR_SUMS,
    PAIR_GATES,
    PAIR_HITS,
    PREVIOUS_HITS,
    PRODUCTS,
    SQUARES,
    SUMS,
)
from reduction.shots.moments import Moments
from reduction.shots.stretch import Stretch, reduce_block

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class ShotCounts:
    """Counts and moments from the shots of a dwell; P phases.

    Attributes
    ----------
    hits, gates, hit_sums : ndarray of int64, shape (P,)
        Hits, opened gates, and the heights of the hits summed (ADC units).
    pairs : Pairs
        Pair counters of lags 1 to 5.
    moments : Moments
        Sums of heights and monitor.
    shots, missing : int
        Shots received, and shots lost between blocks.
    """

    hits: IntArray
    gates: IntArray
    hit_sums: IntArray
    pairs: Pairs
    moments: Moments
    shots: int
    missing: int

    def dwell(
        self,
        pass_uid: str,
        label: tuple[int, int, int],
        laser_on: bool,
        flux: float,
        laser_phase: int,
        quality: str = GOOD,
    ) -> Dwell:
        """The dwell that a photon counter would have reported for these shots.

        Parameters
        ----------
        pass_uid : str
            Uid of the pass.
        label : tuple of int
            Point, segment, attempt.
        laser_on : bool
        flux : float
            I0 counts per X-ray pulse, dark subtracted.
        laser_phase : int
        quality : str
        """
        point, segment, attempt = label
        return Dwell(
            pass_uid, point, segment, attempt, laser_on, quality, flux, self.hits, self.gates, laser_phase, self.pairs
        )


class ShotSums:
    """Sums consecutive blocks of one dwell.

    Parameters
    ----------
    num_phases : int
    threshold : int
        A height above this is a hit, ADC units.
    """

    def __init__(self, num_phases: int, threshold: int) -> None:
        self.num_phases, self.threshold = num_phases, threshold
        self.missing = 0
        self._missing_before = 0
        self._gaps = 0  # shots between blocks in the stretch; more than `missing` where a block was left out
        self._left_out = False
        self._stretch: Stretch | None = None
        self._first = self._last = 0

    def add(self, block: Block | BitBlock) -> None:
        """Add the next block.

        Shots that are missing before the first block of a dwell lie outside the dwell.

        Raises
        ------
        BlockError
            If it does not follow the last block, or is invalid. The sums are unchanged then.
        """
        stretch = reduce_block(block, self.num_phases, self.threshold)
        one = ShotSums(self.num_phases, self.threshold)
        one._stretch, one._first, one._last, one._missing_before = stretch, block.number, block.number, block.missing
        self.merge(one)

    def leave_out(self, number: int) -> None:
        """Skip a block that cannot be used, as if none of its gates had opened.

        Raises
        ------
        BlockError
            If it does not follow the last block.
        """
        if self._stretch is not None and number != self._last + 1:
            raise BlockError(f"block {number}: comes after block {self._last}, not {self._last + 1}")
        self._last, self._left_out = number, self._stretch is not None

    def merge(self, later: ShotSums) -> None:
        """Add the sums of the blocks that follow.

        Raises
        ------
        ValueError
            If pattern or threshold differ.
        BlockError
            If a block is repeated or missing between the two, or the phases do not match.
        """
        if (later.num_phases, later.threshold) != (self.num_phases, self.threshold):
            raise ValueError("only shots of the same pattern and threshold can be summed")
        if later._stretch is None:
            return
        if self._stretch is None:
            self._stretch, self._first, self._last = later._stretch, later._first, later._last
            self._missing_before, self.missing, self._gaps = later._missing_before, later.missing, later._gaps
            self._left_out = later._left_out
            return
        gap = later._missing_before
        if self._left_out:  # its length is unknown; it is enough that no pair reaches across it
            behind = later._stretch.first_phase - self._stretch.next_phase
            gap = behind % self.num_phases + self.num_phases * -(-LAGS // self.num_phases)
        self._check_order(later, self._stretch.next_phase, later._stretch.first_phase, gap)
        self._stretch = self._stretch.followed_by(later._stretch, gap)
        self._last, self._left_out = later._last, later._left_out
        self.missing += later._missing_before + later.missing
        self._gaps += gap + later._gaps

    def _check_order(self, later: ShotSums, next_phase: int, first_phase: int, gap: int) -> None:
        if later._first != self._last + 1:
            raise BlockError(f"block {later._first}: comes after block {self._last}, not {self._last + 1}")
        expected = (next_phase + gap) % self.num_phases
        if first_phase != expected:
            raise BlockError(
                f"block {later._first}: begins with phase {first_phase}; after block {self._last} and"
                f" {later._missing_before} missing shots it would be {expected}"
            )

    def result(self) -> ShotCounts:
        """Everything counted so far; zeros before the first block."""
        if self._stretch is None:
            return _counts(Stretch.empty(self.num_phases), 0, 0)
        return _counts(self._stretch, self.missing, self._gaps)


class ShotAccumulator:
    """Shots of all dwells, by (pass, point, segment).

    Parameters
    ----------
    num_phases, threshold : int
        As for `ShotSums`.
    """

    def __init__(self, num_phases: int, threshold: int) -> None:
        self.num_phases, self.threshold = num_phases, threshold
        self._dwells: dict[tuple[str, int, int], ShotSums] = {}

    def begin(self, pass_uid: str, point: int, segment: int) -> ShotSums:
        """Empty sums of a dwell, replacing earlier ones: only the last attempt of a dwell counts."""
        sums = self._dwells[pass_uid, point, segment] = ShotSums(self.num_phases, self.threshold)
        return sums

    def add(self, pass_uid: str, point: int, segment: int, block: Block | BitBlock) -> None:
        """Add the next block of a dwell.

        Raises
        ------
        BlockError
            See `ShotSums.add`.
        """
        key = (pass_uid, point, segment)
        if key not in self._dwells:
            self.begin(*key)
        self._dwells[key].add(block)

    def merge(self, other: ShotAccumulator) -> None:
        """Add the dwells of another accumulator; where both have blocks of the same dwell, the other's come later.

        Raises
        ------
        ValueError, BlockError
            See `ShotSums.merge`.
        """
        for key, sums in other._dwells.items():
            if key not in self._dwells:
                self.begin(*key)
            self._dwells[key].merge(sums)

    def result(self) -> dict[tuple[str, int, int], ShotCounts]:
        """Counts of each dwell, by pass, point and segment."""
        return {key: sums.result() for key, sums in self._dwells.items()}


def _counts(stretch: Stretch, missing: int, gaps: int) -> ShotCounts:
    counters, pairs = stretch.counters.copy(), stretch.pairs.copy()
    return ShotCounts(
        hits=counters[HITS],
        gates=counters[GATES],
        hit_sums=counters[HIT_SUMS],
        pairs=Pairs(
            gates=pairs[PAIR_GATES],
            hits=pairs[PAIR_HITS],
            previous_hits=pairs[PREVIOUS_HITS],
            coincidences=pairs[COINCIDENCES],
        ),
        moments=Moments(
            number=counters[GATES],
            sums=counters[SUMS],
            squares=counters[SQUARES],
            monitor_sums=counters[MONITOR_SUMS],
            monitor_squares=counters[MONITOR_SQUARES],
            products=counters[PRODUCTS],
        ),
        shots=stretch.ends.length - gaps,
        missing=missing,
    )
