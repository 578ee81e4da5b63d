"""Ground state of the same bunches in the slots before the pump, where the laser is slow.

With a laser period of two turns or more each bunch also comes right before the next pump, when the sample has relaxed.
The mean of these crossings of a bunch is its rate in the ground state, in the same dwell: currents, efficiencies and
jet are those of the pumped crossings, and cancel. No laser-off dwell is needed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reduction.counting.current_model import CurrentModel
from reduction.counting.dwell_store import DwellStore
from reduction.counting.kernels import EMPTY
from reduction.counting.phases import Pattern
from reduction.counting.row_parts import GroundState

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]
Flags = NDArray[np.bool_]


class GroundRates:
    """Collects the ground state of all dwells from the photons of their phases.

    Parameters
    ----------
    pattern : Pattern
    shape : (int, int)
        Points and rows.
    bunch_out : ndarray of bool, shape (B,)
        Bunches that are excluded.
    parameters : int
        Of the correction of after-effects.
    """

    def __init__(self, pattern: Pattern, shape: tuple[int, int], bunch_out: Flags, parameters: int = 0) -> None:
        self._pattern, self._out = pattern, bunch_out
        before_pump = np.isin(np.arange(pattern.divider), pattern.before_pump)
        self._before_pump = before_pump
        self._members, self._inside = _members(pattern, self._phases(pattern.laser_phase), bunch_out)
        self._mu = np.zeros((*shape, pattern.num_slots))
        self._variance = np.zeros((*shape, pattern.num_bunches))
        self._shift = np.zeros((*shape, pattern.num_slots, parameters))

    @property
    def possible(self) -> bool:
        """Whether every bunch has a phase before the pump."""
        return bool(self._by_bunch(self._phases(self._pattern.laser_phase)).all())

    def put(
        self, row: int, points: IntArray, laser_phase: IntArray, mu: Array, variance: Array, shift: Array | None = None
    ) -> None:
        """Store dwells of a row by their photons a pulse, at the reference currents.

        Parameters
        ----------
        row : int
        points, laser_phase : ndarray of int, shape (D,)
        mu, variance : ndarray, shape (D, P)
        shift : ndarray, shape (D, P, M), optional
        """
        for at in np.unique(laser_phase):
            mine = laser_phase == at
            ground = self._phases(int(at))
            number = self._by_bunch(ground)
            self._mu[points[mine], row] = self._of_slots(self._by_bunch(np.where(ground, mu[mine], 0.0)) / number)
            counting = self._by_bunch(np.where(ground, variance[mine], 0.0)) / number**2
            self._variance[points[mine], row] = np.where(self._out, 0.0, counting)
            if shift is not None:
                moved = self._by_bunch(np.where(ground, np.moveaxis(shift[mine], 2, 0), 0.0)) / number
                self._shift[points[mine], row] = np.moveaxis(self._of_slots(moved), 0, 2)

    def result(self) -> GroundState | None:
        """Ground state of all dwells; None where no pump slot, or not every bunch, lies before the pump."""
        if not self.possible:
            return None
        return GroundState(self._mu, self._variance, self._shift, self._members, self._inside)

    def _phases(self, laser_phase: int) -> Flags:
        pattern = self._pattern
        return np.asarray(self._before_pump[(np.arange(pattern.num_phases) - laser_phase) % pattern.divider])

    def _by_bunch(self, values: NDArray[np.generic]) -> Array:
        """Sum over the phases of each bunch, shape (..., B)."""
        bunches = self._pattern.num_bunches
        turns = self._pattern.num_phases // bunches
        return np.asarray(values.reshape(*values.shape[:-1], turns, bunches).sum(axis=-2, dtype=np.float64))

    def _of_slots(self, rate: Array) -> Array:
        """Means over the phases of each slot, shape (..., S), of the rates of their bunches."""
        return np.asarray(np.where(self._out, 0.0, rate) @ self._members.T)


def ground_state(
    store: DwellStore, state: NDArray[np.int8], bunch_out: Flags, model: CurrentModel | None
) -> GroundState | None:
    """Ground state of all dwells as counted; None where no pump slot, or not every bunch, lies before the pump.

    Parameters
    ----------
    store : DwellStore
    state : ndarray of int, shape (N, R)
        Laser state of the dwells that count.
    bunch_out : ndarray of bool, shape (B,)
        Bunches that are excluded.
    model : CurrentModel, optional
        Currents of the bunches, by which counts are divided.
    """
    rates = GroundRates(store.pattern, state.shape, bunch_out)
    if not rates.possible:
        return None
    for row in range(state.shape[1]):
        points = np.flatnonzero(state[:, row] != EMPTY)
        mu, variance = store.photons(row, points)
        if model is not None:
            scale = model.scale(len(state), row)[points][:, store.bunch_of_phase]
            mu, variance = mu * scale, variance * scale**2
        rates.put(row, points, store.sums.laser_phase[points, row], mu, variance)
    return rates.result()


def _members(pattern: Pattern, ground: Flags, bunch_out: Flags) -> tuple[Array, Array]:
    slot, bunch = pattern.slot_of_phase(), pattern.bunch_of_phase()
    counts = (slot >= 0) & ~bunch_out[bunch]
    found = []
    for chosen in (counts, counts & ground):
        number = np.zeros((pattern.num_slots, pattern.num_bunches))
        np.add.at(number, (slot[chosen], bunch[chosen]), 1.0)
        found.append(number)
    total = np.maximum(found[0].sum(axis=1, keepdims=True), 1.0)
    return found[0] / total, found[1] / total
