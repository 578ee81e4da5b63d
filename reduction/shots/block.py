"""One block of consecutive shots, as read from an instrument."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEIGHT_TYPE, HIT_TYPE = np.dtype(np.int16), np.dtype(np.uint8)


class BlockError(ValueError):
    """A block is invalid or out of order; the message names it."""


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
        if not 0 <= self.first_phase < num_phases:
            raise self.error(f"first phase {self.first_phase} is outside the pattern of {num_phases} phases")
        if self.missing < 0:
            raise self.error(f"the number of missing shots is {self.missing}, below 0")
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
