"""One block of consecutive shots, as read from an instrument."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEIGHT_TYPE, HIT_TYPE = np.dtype(np.int16), np.dtype(np.uint8)


class BlockError(ValueError):
    """A block is invalid or out of order; the message names it."""


def unwritable(array: NDArray[Any]) -> NDArray[Any]:
    """The same memory, not to be written: of one type for numba, which else compiles anew for a mapped file."""
    view = array.view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True)
class Block:
    """Consecutive shots.

    Attributes
    ----------
    number : int
        Number of the block in its capture.
    first_phase : int
        Phase of the first shot.
    shots : ndarray, shape (N,)
        Pulse heights (int16, ADC units), or hits (uint8: bit 0 hit, bit 7 dropped); only the valid ones.
    missing : int
        Shots lost between the previous block and this one.
    monitor : ndarray of int16, shape (N,), optional
        Pulse-resolved monitor of the same shots, ADC units.
    """

    number: int
    first_phase: int
    shots: NDArray[Any]
    missing: int = 0
    monitor: NDArray[np.int16] | None = None

    def __post_init__(self) -> None:
        """Leave shots and monitor as they are, but not to be written through this block."""
        object.__setattr__(self, "shots", unwritable(self.shots))
        if self.monitor is not None:
            object.__setattr__(self, "monitor", unwritable(self.monitor))

    @property
    def size(self) -> int:
        """Number of shots."""
        return self.shots.size

    def check(self, num_phases: int) -> None:
        """Raise if the kernels cannot handle this block.

        Raises
        ------
        BlockError
            If type, memory layout, length, first phase or the number of missing shots is invalid.
        """
        if self.shots.dtype not in (HEIGHT_TYPE, HIT_TYPE):
            raise self.error(f"shots are {self.shots.dtype}, not int16 heights or uint8 hits")
        self._check_array("shots", self.shots)
        check_place(self.number, self.first_phase, self.missing, num_phases)
        if self.monitor is None:
            return
        if self.shots.dtype != HEIGHT_TYPE or self.monitor.dtype != HEIGHT_TYPE:
            raise self.error(
                f"a monitor is int16 beside int16 heights, not {self.monitor.dtype} beside {self.shots.dtype}"
            )
        self._check_array("monitor", self.monitor)
        if self.monitor.size != self.shots.size:
            raise self.error(f"{self.monitor.size} shots of the monitor beside {self.shots.size} heights")

    def _check_array(self, name: str, array: NDArray[Any]) -> None:
        if array.ndim != 1 or array.size == 0:
            raise self.error(f"{name} has shape {array.shape}, not one axis of at least one shot")
        if not array.flags.c_contiguous or not array.flags.aligned:
            raise self.error(f"{name} is not contiguous in memory: copy it first")

    def error(self, reason: str) -> BlockError:
        """An error that names this block."""
        return BlockError(f"block {self.number}: {reason}")


@dataclass(frozen=True)
class BitBlock:
    """Consecutive shots, one bit each; every gate opened.

    Attributes
    ----------
    number, first_phase, missing : int
        As of `Block`.
    words : ndarray of uint64, shape (ceil(size / 64),)
        Bit ``i % 64`` of element ``i // 64`` is set where shot `i` is a hit; those from `size` on are not looked at.
    size : int
        Number of shots.
    """

    number: int
    first_phase: int
    words: NDArray[np.uint64]
    size: int
    missing: int = 0

    def check(self, num_phases: int) -> None:
        """Raise if this block cannot be counted.

        Raises
        ------
        BlockError
            If type, memory layout, length, first phase or the number of missing shots is invalid.
        """
        needed = -(-self.size // 64)
        fits = self.words.dtype == np.uint64 and self.words.shape == (needed,) and self.words.flags.c_contiguous
        if self.size < 1 or not fits:
            raise BlockError(
                f"block {self.number}: {self.size} shots are in {self.words.dtype} of shape {self.words.shape}, not in"
                f" {needed} contiguous uint64"
            )
        check_place(self.number, self.first_phase, self.missing, num_phases)


def check_place(number: int, first_phase: int, missing: int, num_phases: int) -> None:
    """Raise if a block cannot be where it is said to be.

    Raises
    ------
    BlockError
        If the first phase is outside of the pattern, or fewer than no shots are missing.
    """
    if not 0 <= first_phase < num_phases:
        raise BlockError(f"block {number}: first phase {first_phase} is outside the pattern of {num_phases} phases")
    if missing < 0:
        raise BlockError(f"block {number}: the number of missing shots is {missing}, below 0")
