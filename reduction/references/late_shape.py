"""Whether late slots hold what decays: the shape of their transients against that of the first one.

References that use slots take the transient that late slots still hold for one of the same shape as the difference
between first and last slot. Here each late slot is compared with that difference: ``z_s - z_last`` for the slots in
between, free of the noise of the jet, and the last one against the laser off. chi-square at the best amplitude, with a
constant and a flat offset free, has as many degrees of freedom as energies less three.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.references.clean_slots import NUISANCES, Logs
from reduction.statistics.quantiles import chi_square_p_value

Array = NDArray[np.float64]

LARGEST = 4.0
"""Trial fractions of the difference between first and last slot lie between minus and plus this."""
TRIALS, ROUNDS = 41, 6
"""Trial fractions in a round, and rounds of which each searches between the neighbours of the best before."""


@dataclass(frozen=True)
class LateShape:
    """The slot whose shape fits that of the decay worst.

    Attributes
    ----------
    slot : int
    chi_square : float
    dof : int
    p_value : float
        Multiplied by the number of slots compared.
    """

    slot: int
    chi_square: float
    dof: int
    p_value: float


def worst_late_shape(logs: Logs) -> LateShape | None:
    """The late slot that differs most in shape from what decays; None if there is nothing to compare."""
    dof = logs.z.shape[1] - NUISANCES - 1
    late = [int(slot) for slot in logs.order[1:]]
    if dof < 1 or not late or not np.isfinite(logs.z).all():
        return None
    chi_squares = [_least_chi_square(logs, slot) for slot in late]
    worst = int(np.argmax(chi_squares))
    p_value = min(1.0, len(late) * chi_square_p_value(chi_squares[worst], dof))
    return LateShape(late[worst], chi_squares[worst], dof, p_value)


def _least_chi_square(logs: Logs, slot: int) -> float:
    low, high = -LARGEST, LARGEST
    for _ in range(ROUNDS):
        trials = np.linspace(low, high, TRIALS)
        chi_square = _chi_squares(logs, slot, trials)
        best = int(np.argmin(chi_square))
        low, high = trials[max(best - 1, 0)], trials[min(best + 1, TRIALS - 1)]
    return float(chi_square.min())


def _chi_squares(logs: Logs, slot: int, amplitudes: Array) -> Array:
    """Of one late slot less some multiples of the difference between first and last slot, shape (A,)."""
    parts = np.zeros((amplitudes.size, len(logs.z)))
    parts[:, slot] += 1
    if slot != logs.last:
        parts[:, logs.last] -= 1
    parts[:, logs.first] -= amplitudes
    parts[:, logs.last] += amplitudes
    difference = parts @ logs.z  # (A, E)
    weight = 1 / (parts**2 @ logs.counting + (logs.common if slot == logs.last else 0.0))
    free = np.stack([np.ones_like(logs.offset), logs.offset / logs.offset.mean()])
    gram = np.einsum("ae,ne,me->anm", weight, free, free)
    pull = np.einsum("ae,ne->an", weight * difference, free)
    of_free = np.einsum("an,anm,am->a", pull, np.linalg.pinv(gram, hermitian=True), pull)
    return np.asarray((weight * difference**2).sum(axis=1) - of_free)
