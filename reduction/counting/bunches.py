"""Finds the bunches and dwells to exclude: on and off, and all energies, must be means over the same bunches.

A bunch that saturated (or had no gates) in any dwell is excluded from all slots of all dwells. A single dwell must not
exclude most bunches: if more than half of those that are good elsewhere are bad in it, the dwell is excluded instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.counting import kernels

Flags = NDArray[np.bool_]
DwellIndex = tuple[int, int]
"""Point and row of a dwell."""

COUNTS, SATURATED, NO_GATES = 0, 1, 2
"""State of a bunch."""
STATES = ("counts", "saturated", "without gates")


@dataclass(frozen=True)
class Bunches:
    """Bunches and dwells excluded by the flags of all good dwells.

    Attributes
    ----------
    state : ndarray of int, shape (B,)
        `COUNTS`, or the reason why the bunch is excluded.
    dwells : tuple of (point, row)
        Dwells excluded instead of their bunches.
    caused_by : tuple of (point, row)
        Dwells whose flags exclude bunches.
    """

    state: NDArray[np.int64]
    dwells: tuple[DwellIndex, ...] = ()
    caused_by: tuple[DwellIndex, ...] = ()

    @property
    def out(self) -> Flags:
        """Whether each bunch is excluded, shape (B,)."""
        return np.asarray(self.state != COUNTS)


def flags_by_bunch(flags: NDArray[np.uint8], bunch_of_phase: NDArray[np.int64], bunches: int) -> NDArray[np.int64]:
    """State of each bunch in one dwell, that of its worst phase, shape (B,)."""
    state = np.zeros(bunches, np.int64)
    for flag, bunch_state in ((kernels.SATURATED, SATURATED), (kernels.NO_GATES, NO_GATES)):
        state[bunch_of_phase[flags == flag]] = bunch_state
    return state


def choose(bad: Mapping[DwellIndex, NDArray[np.int64]], number: int, bunches: int) -> Bunches:
    """Choose the bunches and dwells to exclude.

    Parameters
    ----------
    bad : mapping
        Bunch states of each counted dwell that has a bad bunch.
    number : int
        Number of good dwells.
    bunches : int
    """
    if not bad:
        return Bunches(np.zeros(bunches, np.int64))
    indices = tuple(bad)
    states = np.stack([bad[index] for index in indices])
    is_bad = states != COUNTS
    elsewhere_good = ~(is_bad.sum(axis=0) > 0.5 * number)
    odd = (is_bad & elsewhere_good).sum(axis=1) > 0.5 * elsewhere_good.sum()
    causes = [index for index, out in zip(indices, odd, strict=True) if not out]
    state = states[~odd].max(axis=0, initial=COUNTS)
    return Bunches(state, tuple(index for index, out in zip(indices, odd, strict=True) if out), tuple(causes))


def without(taken: NDArray[np.int8], dwells: Iterable[DwellIndex]) -> NDArray[np.int8]:
    """Copy of the laser states with some dwells marked empty."""
    state = taken.copy()
    for index in dwells:
        state[index] = kernels.EMPTY
    return state
