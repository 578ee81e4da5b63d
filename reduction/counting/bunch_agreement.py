"""Whether the counts of single bunches are what efficiencies and currents of the bunches predict, with the laser off.

Three predictions for the photons of bunch b in dwell d, each with one free factor a dwell: equal bunches; a fixed
efficiency of each bunch, ``e_b``; and efficiency times measured current, ``e_b I_bd``. Chi-square is that of counting
alone. Counts are Poisson only where the last one holds: the first two show by how much bunches differ, and by how much
their currents change.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reduction.counting.current_model import CurrentModel
from reduction.counting.dwell_store import DwellStore
from reduction.counting.kernels import OFF
from reduction.counting.row_parts import BunchAgreement

Array = NDArray[np.float64]

OLD = 60.0
"""Seconds between a dwell and the nearest reading of the currents above which a note reports it."""
WORSE = 1.2
"""Ratio of the chi-squares with and without measured currents above which a note advises against them."""


def bunch_agreement(store: DwellStore, state: NDArray[np.int8], model: CurrentModel | None) -> BunchAgreement | None:
    """Compare the counts of the bunches that are not excluded; None without two laser-off dwells and two bunches.

    Parameters
    ----------
    store : DwellStore
    state : ndarray of int, shape (N, R)
        Laser state of the dwells that count.
    model : CurrentModel, optional
        Currents of the bunches.
    """
    kept = ~store.bunches.out
    parts = [store.photons_of_bunches(row, np.flatnonzero(state[:, row] == OFF)) for row in range(state.shape[1])]
    photons, variance = (np.concatenate([part[i] for part in parts])[:, kept] for i in (0, 1))
    good = (variance > 0).all(axis=1)
    photons, variance = photons[good], variance[good]
    dwells, bunches = photons.shape
    if dwells < 2 or bunches < 2:
        return None
    weight = 1 / variance
    pull = photons * weight
    squares, dof = float(np.vdot(photons, pull)), (dwells - 1) * (bunches - 1)
    equal = (squares - _explained(pull, weight, np.ones(bunches))) / (dwells * (bunches - 1))
    fixed = (squares - _explained(pull, weight, _efficiency(pull, weight))) / dof
    if model is None:
        return BunchAgreement(equal, fixed, float("nan"), dof)
    scales = [model.scale(store.num_points, row)[state[:, row] == OFF] for row in range(state.shape[1])]
    current = 1 / np.concatenate(scales)[:, kept][good]
    pull, weight = pull * current, weight * current**2
    measured = (squares - _explained(pull, weight, _efficiency(pull, weight))) / dof
    return BunchAgreement(equal, fixed, measured, dof, _notes(fixed, measured, dof, model))


def _efficiency(pull: Array, weight: Array) -> Array:
    """Efficiency of each bunch, shape (B,), from photons over variance and 1 over variance, both times the current."""
    found = np.ones(pull.shape[1])
    for _ in range(3):  # it converges at once where variances of the bunches are alike
        level = (pull @ found) / (weight @ found**2)
        found = (level @ pull) / (level**2 @ weight)
    return np.asarray(found)


def _explained(pull: Array, weight: Array, share: Array) -> float:
    """Chi-square of the counts less that about shares of the bunches times the best level of each dwell."""
    return float(((pull @ share) ** 2 / (weight @ share**2)).sum())


def _notes(fixed: float, measured: float, dof: int, model: CurrentModel) -> tuple[str, ...]:
    notes = []
    if measured > WORSE * fixed and measured > 1 + 5 * np.sqrt(2 / dof):
        notes.append(
            f"The measured currents of the bunches have more noise than the bunches change (chi-square per degree of"
            f" freedom {measured:.2f} with them, {fixed:.2f} without): set bunch_currents to 'off'."
        )
    if model.without:
        listed = ", ".join(str(number + 1) for number in model.without)
        notes.append(f"Counts of pass {listed} are not divided by currents of the bunches, of which it has no reading.")
    if (oldest := max(float(one.distance.max()) for one in model.passes)) > OLD:
        notes.append(
            f"The currents of the bunches were read up to {oldest:.0f} s away from the dwells: look at their record."
        )
    return tuple(notes)
