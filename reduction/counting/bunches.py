"""Which bunches are out, and which dwells: on and off, and all energies, must be means over the same bunches.

A bunch that was saturated (or had no gates) in any dwell leaves all slots of all dwells. A single dwell must not put
most of the bunches out: where more than half of those that are good elsewhere are bad in it, the dwell is out instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.counting import kernels

Flags = NDArray[np.bool_]
Place = tuple[int, int]
"""Point and row of a dwell."""

COUNTS, SATURATED, NO_GATES = 0, 1, 2
"""State of a bunch."""
STATES = ("counts", "saturated", "without gates")


@dataclass(frozen=True)
class Bunches:
    """What follows from the flags of all dwells that count.

    Attributes
    ----------
    state : ndarray of int, shape (B,)
        `COUNTS`, or why the bunch is out.
    dwells : tuple of (point, row)
        Dwells that are out instead of their bunches.
    caused_by : tuple of (point, row)
        Dwells that put bunches out.
    """

    state: NDArray[np.int64]
    dwells: tuple[Place, ...] = ()
    caused_by: tuple[Place, ...] = ()

    @property
    def out(self) -> Flags:
        """Whether each bunch is out, shape (B,)."""
        return np.asarray(self.state != COUNTS)


def flags_by_bunch(flags: NDArray[np.uint8], bunch_of_phase: NDArray[np.int64], bunches: int) -> NDArray[np.int64]:
    """State of each bunch in one dwell, the worst of its phases, shape (B,)."""
    state = np.zeros(bunches, np.int64)
    for flag, bunch_state in ((kernels.SATURATED, SATURATED), (kernels.NO_GATES, NO_GATES)):
        state[bunch_of_phase[flags == flag]] = bunch_state
    return state


def choose(bad: Mapping[Place, NDArray[np.int64]], number: int, bunches: int) -> Bunches:
    """Which bunches and dwells are out.

    Parameters
    ----------
    bad : mapping
        State of each bunch by dwell, of those dwells that count and have a bunch that is not good.
    number : int
        Dwells that count.
    bunches : int
    """
    if not bad:
        return Bunches(np.zeros(bunches, np.int64))
    places = tuple(bad)
    states = np.stack([bad[place] for place in places])
    is_bad = states != COUNTS
    elsewhere_good = ~(is_bad.sum(axis=0) > 0.5 * number)
    odd = (is_bad & elsewhere_good).sum(axis=1) > 0.5 * elsewhere_good.sum()
    kept = [place for place, out in zip(places, odd, strict=True) if not out]
    state = states[~odd].max(axis=0, initial=COUNTS)
    return Bunches(state, tuple(place for place, out in zip(places, odd, strict=True) if out), tuple(kept))


def without(taken: NDArray[np.int8], dwells: Iterable[Place]) -> NDArray[np.int8]:
    """Laser states without some dwells, as a copy."""
    state = taken.copy()
    for place in dwells:
        state[place] = kernels.EMPTY
    return state
