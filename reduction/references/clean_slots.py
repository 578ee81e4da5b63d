"""Finds from the data which slots have relaxed and can serve as references, and bounds their residual transient.

All quantities are logarithms of rates, so that common factors of the slots become sums:
``z_s(E) = ln(on_s / efficiency_s) - mean over slots of ln(off / efficiency)`` is the relative transient of slot s plus
the noise common to all slots of a dwell. The difference between the first slot after the pump and the last has no
such noise; it is the shape D(E) of the decay. The amplitude of a slot is the fraction of D that it holds. The late
slots (all but the first, in the order of their delays) hold a member of a wide family of decays (see
`reduction.references.late_decay`): differences between slots determine the lifetimes, and only the comparison with
the laser off determines the level at which the decay ends. What remains for each late slot is its residual (see
`tail`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.references.late_decay import basis, marginalised
from reduction.references.slot_table import SlotTable
from reduction.statistics.matrix_root import matrix_root

Array = NDArray[np.float64]

VISIBLE = 5.0
"""Significance (standard deviations) above which a decay between first and last slot counts as seen."""
BOUND = 0.3
"""Largest error, in units of D, of the last slot's transient against the laser off for any slot to be clean."""
CLEAN = 2.0
"""Standard deviations up to which a residual counts as zero."""
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
        Variance common to all `z` of an energy: noise of dwells, counting of the laser-off mean.
    offset : ndarray, shape (E,)
        Change of a logarithm by a flat offset of the rates, in any unit. Such an offset, laser-only light for example,
        is no transient: pre-edge subtraction removes it from a spectrum.
    table : SlotTable
    exact : bool
        Whether `z` is an expectation, without the noise of which these are the variances.
    """

    z: Array
    counting: Array
    common: Array
    offset: Array
    table: SlotTable
    exact: bool = False

    @property
    def order(self) -> NDArray[np.int64]:
        """Slots by their delay after the pump, shape (S,)."""
        return self.table.order

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
    """Transient that the slots hold, in units of the difference between first and last slot.

    Attributes
    ----------
    significance : float
        Significance of a decay between first and last slot, standard deviations; 0 for a single slot.
    clean : ndarray of bool, shape (S,)
        Late slots without a significant transient: a residual within `CLEAN` of its errors that exceeds the last
        slot's by no more than counting; none if slots are not `usable`.
    residual : ndarray, shape (S,)
        Fraction that each late slot still holds; NaN for the first slot and where no decay is seen.
    covariance : ndarray, shape (S, S)
        Of `residual`; zero where that is NaN.
    measured, measured_stddev : ndarray, shape (S,)
        Fraction of each slot by comparison with the laser off alone, without an assumption about the decay.
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
        """Whether slots can serve as references: a decay is seen, and the laser off bounds its final level."""
        return self.decay_seen and bool(self.measured_stddev[self.last] < BOUND)

    def usable_within(self, time: float) -> bool:
        """Whether they also can after a fraction of the time."""
        error = self.measured_stddev[self.last] / np.sqrt(time)
        return self.significance * time > VISIBLE and bool(error < BOUND)

    @classmethod
    def none(cls, slots: int, last: int, significance: float = 0.0) -> CleanSlots:
        """No slot is clean, since nothing is known about them."""
        unknown, zero = np.full(slots, np.nan), np.zeros((slots, slots))
        return cls(significance, np.zeros(slots, np.bool_), unknown, zero, unknown, unknown, last)


def find_clean_slots(logs: Logs, late_slots: str = "family") -> CleanSlots:
    """Amplitudes, residuals and the clean slots of a scan; `late_slots` as in `reduction.settings.Settings`."""
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
    residual[late], covariance[between] = measured[late], counting[between] + common
    if late_slots == "family":
        residual[late], covariance[between] = tail(residual[late], covariance[between], logs.table.times[late])
    stddev = np.sqrt(np.diagonal(counting) + common)
    clean = np.zeros(slots, np.bool_)
    found = CleanSlots(significance, clean, residual, covariance, measured, stddev, logs.last)
    for slot in late[::-1] if found.usable else ():
        more = residual[slot] - residual[logs.last]
        noise = counting[slot, slot] + counting[logs.last, logs.last] - 2 * counting[slot, logs.last]
        whole = max(counting[slot, slot] + covariance[slot, slot], 0.0)  # rounding may leave less than nothing
        nothing = abs(residual[slot]) < CLEAN * np.sqrt(whole)
        if not nothing or (slot != logs.last and abs(more) > np.sqrt(noise)):
            break
        clean[slot] = True
    return found


def significance_of_decay(logs: Logs) -> float:
    """Excess of the first-to-last difference's chi-square, constant and offset taken out, in standard deviations."""
    dof = logs.z.shape[1] - NUISANCES
    if logs.order.size < 2 or dof < 2:
        return 0.0
    chi_square = logs.shape @ _Cleared.of(1 / logs.shape_variance, logs.offset).times(logs.shape)
    of_noise = 0 if logs.exact else dof
    return float((chi_square - of_noise) / np.sqrt(2 * dof))


@dataclass(frozen=True)
class _Cleared:
    """Weights between energies that project out a constant and a flat offset: ``W - root root'`` with W diagonal."""

    weight: Array
    root: Array

    @classmethod
    def of(cls, weight: Array, offset: Array) -> _Cleared:
        """``W - W B (B' W B)^-1 B' W`` with B the two nuisances: the least-squares weights after a fit of both."""
        nuisances = np.stack([np.ones_like(offset), offset / offset.mean()], axis=1)
        weighted = weight[:, None] * nuisances
        return cls(weight, weighted @ matrix_root(np.linalg.pinv(nuisances.T @ weighted, hermitian=True)))

    def times(self, values: Array) -> Array:
        """Product with values of the energies."""
        return self.weight * values - self.root @ (values @ self.root)

    @property
    def diagonal(self) -> Array:
        """Of the matrix."""
        return self.weight - (self.root**2).sum(axis=1)


def amplitudes(logs: Logs) -> tuple[Array, Array, float]:
    """Fraction of the first-to-last difference in each slot; a constant and a flat offset are projected out.

    The shape itself has the noise of the first and the last slot; its contribution to the sums is known from counting
    and is subtracted.

    Returns
    -------
    amplitude : ndarray, shape (S,)
        NaN if the shape vanishes within its noise.
    covariance : ndarray, shape (S, S)
        From counting.
    common : float
        Variance common to all amplitudes.
    """
    pull, size, self_noise = _projected(logs)
    amplitude = (logs.z @ pull - self_noise) / size
    mix = _mixed(logs, amplitude)
    covariance = (mix * (logs.counting @ pull**2)) @ mix.T / size**2
    return amplitude, covariance, float((pull**2 @ logs.common) / size**2)


def level_parts(logs: Logs) -> Array:
    """Part of each energy in the variance of the last slot's amplitude against the laser off, shape (E,)."""
    pull, size, self_noise = _projected(logs)
    of_last = _mixed(logs, (logs.z @ pull - self_noise) / size)[logs.last]
    return np.asarray(pull**2 * (of_last**2 @ logs.counting + logs.common) / size**2)


def _projected(logs: Logs) -> tuple[Array, float, Array]:
    """Weights of the energies, the sum of squares of the shape (NaN if not above 0), and the noise in the sums."""
    cleared = _Cleared.of(1 / (logs.common + logs.counting.mean(axis=0)), logs.offset)
    pull, own = cleared.times(logs.shape), cleared.diagonal
    in_values = 0.0 if logs.exact else own
    self_noise = np.zeros(logs.z.shape[0])
    self_noise[logs.first] = np.sum(in_values * logs.counting[logs.first])
    self_noise[logs.last] = -np.sum(in_values * logs.counting[logs.last])
    size = float(pull @ logs.shape - np.sum(in_values * logs.shape_variance))
    return pull, size if size > 0 else float("nan"), self_noise


def _mixed(logs: Logs, amplitude: Array) -> Array:
    """Derivatives of the amplitudes by the sums of the slots, in units of the shape; shape (S, S)."""
    mix = np.eye(amplitude.size)
    mix[:, logs.first] -= amplitude
    mix[:, logs.last] += amplitude
    return mix


def tail(amplitude: Array, covariance: Array, times: Array) -> tuple[Array, Array]:
    """Transient of late slots, averaged over the family of decays.

    Parameters
    ----------
    amplitude : ndarray, shape (L,)
        Amplitudes of the late slots.
    covariance : ndarray, shape (L, L)
    times : ndarray, shape (L,)
        Of the late slots after the first, in distances between slots.

    Returns
    -------
    mean : ndarray, shape (L,)
    covariance : ndarray, shape (L, L)
    """
    members = basis(times)
    weighted = members.T @ np.linalg.inv(covariance)
    found = marginalised(weighted @ members, weighted @ amplitude)
    return members @ found.mean, members @ found.covariance @ members.T
