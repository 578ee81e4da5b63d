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
from reduction.counting.row_parts import GroundState

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


def ground_state(
    store: DwellStore, state: NDArray[np.int8], bunch_out: Flags, model: CurrentModel | None
) -> GroundState | None:
    """Ground state of all dwells; None where no pump slot, or not every bunch, lies before the pump.

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
    pattern = store.pattern
    before_pump = np.isin(np.arange(pattern.divider), pattern.before_pump)
    if not _by_bunch(_ground_phases(store, before_pump, pattern.laser_phase), store).all():
        return None
    members, inside = _members(store, before_pump, bunch_out)
    points, rows = state.shape
    mu, variance = np.zeros((points, rows, pattern.num_slots)), np.zeros((points, rows, pattern.num_bunches))
    for row in range(rows):
        chosen = np.flatnonzero(state[:, row] != EMPTY)
        scales = model.scale(points, row) if model is not None else np.ones((points, pattern.num_bunches))
        for laser_phase in np.unique(store.sums.laser_phase[chosen, row]):
            mine = chosen[store.sums.laser_phase[chosen, row] == laser_phase]
            ground = _ground_phases(store, before_pump, int(laser_phase))
            number = _by_bunch(ground, store)
            rate = _by_bunch(np.where(ground, store.mu[row][mine], 0.0), store) / number * scales[mine]
            variance[mine, row] = (
                _by_bunch(np.where(ground, store.var[row][mine], 0.0), store) / number**2 * scales[mine] ** 2
            )
            mu[mine, row] = np.where(bunch_out, 0.0, rate) @ members.T
    return GroundState(mu, np.where(bunch_out, 0.0, variance), members, inside)


def _ground_phases(store: DwellStore, before_pump: Flags, laser_phase: int) -> Flags:
    pattern = store.pattern
    return before_pump[(np.arange(pattern.num_phases) - laser_phase) % pattern.divider]


def _by_bunch(values: NDArray[np.generic], store: DwellStore) -> Array:
    """Sum over the phases of each bunch, shape (..., B)."""
    turns, bunches = store.pattern.num_phases // store.pattern.num_bunches, store.pattern.num_bunches
    return np.asarray(values.reshape(*values.shape[:-1], turns, bunches).sum(axis=-2, dtype=np.float64))


def _members(store: DwellStore, before_pump: Flags, bunch_out: Flags) -> tuple[Array, Array]:
    pattern = store.pattern
    slot, bunch = pattern.slot_of_phase(), pattern.bunch_of_phase()
    counts = (slot >= 0) & ~bunch_out[bunch]
    ground = counts & _ground_phases(store, before_pump, pattern.laser_phase)
    found = []
    for chosen in (counts, ground):
        number = np.zeros((pattern.num_slots, pattern.num_bunches))
        np.add.at(number, (slot[chosen], bunch[chosen]), 1.0)
        found.append(number)
    total = np.maximum(found[0].sum(axis=1, keepdims=True), 1.0)
    return found[0] / total, found[1] / total
