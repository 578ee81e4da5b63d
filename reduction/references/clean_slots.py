"""Which slots hold no more transient and can serve as reference, and what they may still hold: from the data.

All quantities are logarithms of rates, so that what slots have in common is a sum:
``z_s(E) = ln(on_s / efficiency_s) - mean over slots of ln(off / efficiency)`` is the relative transient of slot s plus
the noise that all slots of a dwell share. The difference between the first slot after the pump and the last has no such
noise; it is the shape D(E) of what decays. Each slot's amplitude is how much of D it holds. The late slots (all but the
first, in the order of their delays) hold a member of a wide family of decays (see `reduction.references.late_decay`):
differences between slots say how fast it goes, the comparison with the laser off alone says where it ends. What that
leaves for each late slot is its residual (see `tail`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.references.late_decay import basis, marginalised

Array = NDArray[np.float64]

VISIBLE = 5.0
"""Significance (standard deviations) from which on a decay between first and last slot counts as seen."""
BOUND = 0.3
"""Standard deviation, in units of D, with which the laser off must tell what the last slot holds for it to be clean."""
CLEAN = 2.0
"""Standard deviations up to which a residual counts as nothing."""
NUISANCES = 2
"""A constant and a flat offset."""


@dataclass(frozen=True)
class Logs:
    """Logarithms of a scan; axes S slots, E energies.

    Attributes
    ----------
    z : ndarray, shape (S, E)
        Laser on over the mean of laser off.
    counting : ndarray, shape (S, E)
        Variance of the laser-on logarithms from counting.
    common : ndarray, shape (E,)
        Variance of what all `z` of an energy share: noise of dwells, counting of the laser-off mean.
    offset : ndarray, shape (E,)
        What a flat offset of the rates adds to a logarithm, in any unit. It is no transient: laser-only light is one,
        and it leaves a spectrum with its pre-edge offset.
    order : ndarray of int, shape (S,)
        Slots by their delay after the pump.
    """

    z: Array
    counting: Array
    common: Array
    offset: Array
    order: NDArray[np.int64]

    @property
    def first(self) -> int:
        return int(self.order[0])

    @property
    def last(self) -> int:
        return int(self.order[-1])

    @property
    def shape(self) -> Array:
        """Difference between first and last slot, shape (E,): free of common noise."""
        return np.asarray(self.z[self.first] - self.z[self.last])

    @property
    def shape_variance(self) -> Array:
        return np.asarray(self.counting[self.first] + self.counting[self.last])


@dataclass(frozen=True)
class CleanSlots:
    """What the slots hold of the transient, in units of the difference between first and last slot.

    Attributes
    ----------
    significance : float
        Standard deviations by which a decay between first and last slot is seen; 0 for a single slot.
    clean : ndarray of bool, shape (S,)
        Late slots that hold nothing as far as this scan can tell: a residual within `CLEAN` of its errors, and no more
        than the last slot by more than counting; none where slots are not `usable`.
    residual : ndarray, shape (S,)
        Mean share that each late slot still holds; NaN for the first slot and where no decay is seen.
    covariance : ndarray, shape (S, S)
        Of `residual`; zero where that is NaN.
    measured, measured_stddev : ndarray, shape (S,)
        Share of each slot by comparison with the laser off alone, with no assumption on the decay.
    last : int
        The slot with the largest delay.
    """

    significance: float
    clean: NDArray[np.bool_]
    residual: Array
    covariance: Array
    measured: Array
    measured_stddev: Array
    last: int

    @property
    def decay_seen(self) -> bool:
        return self.significance > VISIBLE

    @property
    def usable(self) -> bool:
        """Whether slots can serve as reference: a decay is seen, and the laser off bounds where it ends."""
        return self.decay_seen and bool(self.measured_stddev[self.last] < BOUND)

    @classmethod
    def none(cls, slots: int, last: int, significance: float = 0.0) -> CleanSlots:
        """Nothing is known of the slots, so none is clean."""
        unknown, zero = np.full(slots, np.nan), np.zeros((slots, slots))
        return cls(significance, np.zeros(slots, np.bool_), unknown, zero, unknown, unknown, last)


def find_clean_slots(logs: Logs) -> CleanSlots:
    """Amplitudes, residuals and the clean slots of a scan."""
    slots = logs.z.shape[0]
    significance = significance_of_decay(logs)
    if significance <= VISIBLE:
        return CleanSlots.none(slots, logs.last, significance)
    measured, counting, common = amplitudes(logs)
    if not np.isfinite(measured).all():
        return CleanSlots.none(slots, logs.last, significance)
    late = logs.order[1:]
    residual, covariance = np.full(slots, np.nan), np.zeros((slots, slots))
    between = np.ix_(late, late)
    residual[late], covariance[between] = tail(measured[late], counting[between] + common)
    stddev = np.sqrt(np.diagonal(counting) + common)
    clean = np.zeros(slots, np.bool_)
    found = CleanSlots(significance, clean, residual, covariance, measured, stddev, logs.last)
    for slot in late[::-1] if found.usable else ():
        more = residual[slot] - residual[logs.last]
        noise = counting[slot, slot] + counting[logs.last, logs.last] - 2 * counting[slot, logs.last]
        nothing = abs(residual[slot]) < CLEAN * np.sqrt(counting[slot, slot] + covariance[slot, slot])
        if not nothing or (slot != logs.last and abs(more) > np.sqrt(noise)):
            break
        clean[slot] = True
    return found


def significance_of_decay(logs: Logs) -> float:
    """Excess of the first-to-last difference's chi-square, constant and offset taken out, in standard deviations."""
    freedom = logs.z.shape[1] - NUISANCES
    if logs.order.size < 2 or freedom < 2:
        return 0.0
    cleared = _clearing(1 / logs.shape_variance, logs.offset)
    return float((logs.shape @ cleared @ logs.shape - freedom) / np.sqrt(2 * freedom))


def _clearing(weight: Array, offset: Array) -> Array:
    """Weights between energies, shape (E, E), that take a constant and a flat offset out of what they are applied to.

    ``W - W B (B' W B)^-1 B' W`` with B the two nuisances: the weights of least squares after a fit of both.
    """
    nuisances = np.stack([np.ones_like(offset), offset / offset.mean()], axis=1)
    weighted = weight[:, None] * nuisances
    return np.asarray(np.diag(weight) - weighted @ np.linalg.pinv(nuisances.T @ weighted, hermitian=True) @ weighted.T)


def amplitudes(logs: Logs) -> tuple[Array, Array, float]:
    """How much of the first-to-last difference each slot holds; a constant and a flat offset are taken out.

    The shape has noise of its own, the same as that of the first and the last slot; what that adds to the sums is known
    from counting and is subtracted.

    Returns
    -------
    amplitude : ndarray, shape (S,)
        NaN if nothing is left of the shape's own size.
    covariance : ndarray, shape (S, S)
        From counting.
    common : float
        Variance that all amplitudes share.
    """
    cleared = _clearing(1 / (logs.common + logs.counting.mean(axis=0)), logs.offset)
    pull = cleared @ logs.shape
    own = np.diagonal(cleared)
    self_noise = np.zeros(logs.z.shape[0])
    self_noise[logs.first] = own @ logs.counting[logs.first]
    self_noise[logs.last] = -own @ logs.counting[logs.last]
    size = float(pull @ logs.shape - own @ logs.shape_variance)
    if size <= 0:
        size = float("nan")
    amplitude = (logs.z @ pull - self_noise) / size
    mix = np.eye(amplitude.size)
    mix[:, logs.first] -= amplitude
    mix[:, logs.last] += amplitude
    covariance = np.einsum("st,te,ut->su", mix, pull**2 * logs.counting, mix) / size**2
    return amplitude, covariance, float((pull**2 @ logs.common) / size**2)


def tail(amplitude: Array, covariance: Array) -> tuple[Array, Array]:
    """What late slots hold, averaged over the family of decays.

    Parameters
    ----------
    amplitude : ndarray, shape (L,)
        Of the late slots, k = 1 ... L, in the order of their delays, which are equally spaced.
    covariance : ndarray, shape (L, L)

    Returns
    -------
    mean : ndarray, shape (L,)
    covariance : ndarray, shape (L, L)
    """
    members = basis(np.arange(1.0, amplitude.size + 1))
    weighted = members.T @ np.linalg.inv(covariance)
    found = marginalised(weighted @ members, weighted @ amplitude)
    return members @ found.mean, members @ found.covariance @ members.T
