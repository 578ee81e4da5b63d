"""The four references with which a laser-on slot is compared.

``paper``
    The same slot with the laser off (SI 4).
``shutter``
    The laser-off rate of the same point from all slots, each scaled by its scan-wide efficiency. Absolute; includes
    the noise of the jet between dwells.
``slots``
    The clean slots of the same shots, divided by the scan-wide laser-off ratio of the same slots. Free of the noise of
    jet and flux; measures a slot minus the residual of the clean slots.
``combined``
    Both, weighted by generalised least squares, with the residual of the clean slots as an unknown that the scan
    itself bounds.

The last three are one formula. With ``z_s(E)`` the logarithm of laser on over the laser-off mean (see
`reduction.references.clean_slots`), ``z_R`` its mean over the reference slots and ``m D`` the residual of these, the
transient is

    ln(1 + t_s) = z_s - lambda (z_R - m D),    lambda = G / (G + e^2).

The bracket is the noise common to all slots of the dwells (variance G), measured by the reference slots with the
counting error e of the bracket. This is the weighted mean of the two comparisons z_s (lambda = 0, ``shutter``) and
z_s - z_R + m D (lambda = 1, ``slots`` if m is 0) that has the least variance, their covariance included. For a given m
the noise that lambda leaves is independent of m, so that the error of m adds its variance times (lambda D)^2; since m
is estimated from the same noise, the amplitude of the transient has the error of ``shutter`` where the family of decays
does not constrain m. A slot is never its own reference, so every slot's transient is measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import OFF, ON
from reduction.counting.rows import DwellRows
from reduction.references.clean_slots import CleanSlots, Logs, find_clean_slots
from reduction.references.compared import Compared, by_laser, mapped_between, same_slot_between
from reduction.references.dwell_noise import dwell_noise
from reduction.references.efficiency import SlotEfficiency, slot_efficiency
from reduction.references.late_decay import residual_of_last_slot
from reduction.references.on_off import OnOff, balanced, summed, with_current_errors
from reduction.references.slot_table import SlotTable
from reduction.statistics.matrix_root import matrix_root

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """Properties of a scan that the references need, all estimated from its own dwells.

    Attributes
    ----------
    on_off : OnOff
    efficiency : SlotEfficiency
    dwell_noise : float
        Relative standard deviation of a dwell beyond counting, I0 included.
    noise_known : bool
        Whether the scan constrains `dwell_noise`; if not, it is that of I0 alone.
    logs : Logs
    clean : CleanSlots
    """

    on_off: OnOff
    efficiency: SlotEfficiency
    dwell_noise: float
    noise_known: bool
    logs: Logs
    clean: CleanSlots


def prepare(rows: DwellRows, table: SlotTable, i0_noise: float, late_slots: str = "family") -> Comparison:
    """Estimate efficiencies, common noise and clean slots of a scan.

    Parameters
    ----------
    rows : DwellRows
        Dwells of points with rates above zero in every slot with laser on and off.
    table : SlotTable
    i0_noise : float
        Relative standard deviation of one I0 reading: the least noise of a dwell, unless the data contradict it.
    late_slots : str
        As in `reduction.settings.Settings`.
    """
    on_off = with_current_errors(rows, balanced(rows))
    efficiency = slot_efficiency(rows, table.share)
    seen = dwell_noise(rows)
    noise = seen.at_least(i0_noise)
    logs = logs_of(on_off, efficiency, table, noise)
    return Comparison(on_off, efficiency, noise, not np.isnan(seen.variance), logs, find_clean_slots(logs, late_slots))


def logs_of(on_off: OnOff, efficiency: SlotEfficiency, table: SlotTable, noise: float) -> Logs:
    scaled = np.log(on_off.rate / efficiency.value[:, None])
    counting = on_off.relative_variance
    off = table.share @ scaled[OFF]
    if on_off.currents is not None:
        counting = counting + np.einsum("elsls->lse", on_off.currents)
    common = noise**2 * on_off.variance_factor.sum(axis=0) + table.share**2 @ counting[OFF]
    return Logs(scaled[ON] - off, counting[ON], common, np.exp(-off), table)


def reference_weights(clean: NDArray[np.bool_], last: int, share: Array | None = None) -> Array:
    """Weights of the reference slots of each slot, shape (S, S); a row of zeros for a slot without any.

    The clean slots, or the last slot if none is clean; without the slot itself.

    Parameters
    ----------
    clean : ndarray of bool, shape (S,)
    last : int
        The slot with the largest delay.
    share : ndarray, shape (S,), optional
        Fraction of the phases in each slot; by default all are equal.
    """
    chosen = clean if clean.any() else np.arange(clean.size) == last
    size = np.where(chosen, 1.0 if share is None else share * clean.size, 0.0)
    weights = np.where(np.eye(clean.size, dtype=np.bool_), 0.0, size)
    total = weights.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(weights, total, out=np.zeros_like(weights), where=total > 0))


def by_paper(rows: DwellRows, dwell_noise: float) -> Compared:
    """Same slot on and off, sums of scans over sums of flux, with the noise of dwells in the covariance."""
    return _same_slot(with_current_errors(rows, summed(rows)), dwell_noise)


def _same_slot(sums: OnOff, dwell_noise: float) -> Compared:
    _, slots, energies = sums.rate.shape
    local = np.zeros((2, slots, 2, slots, energies))
    for laser in (OFF, ON):
        rate = sums.rate[laser]
        local[laser, :, laser] = rate[:, None] * rate[None, :] * dwell_noise**2 * sums.variance_factor[laser]
        for slot in range(slots):
            local[laser, slot, laser, slot] += sums.variance[laser, slot]
    if sums.currents is not None:
        local += np.moveaxis(sums.currents, 0, -1) * sums.rate[:, :, None, None] * sums.rate
    return Compared(sums.rate, local, sums.shift, same_slot_between(sums, dwell_noise))


def by_balanced(comparison: Comparison) -> Compared:
    """Same slot on and off, passes weighted equally, with the noise of dwells in the covariance."""
    return _same_slot(comparison.on_off, comparison.dwell_noise)


def by_last_slot(comparison: Comparison, alone: bool, times: Array) -> Compared:
    """Against the last slot of the same shots, and unless `alone` also against the laser off.

    For delay scans at one energy. With slow decays the residual of the last slot is not constant: it follows the decay
    that is fitted to all late slots and delays together.

    Parameters
    ----------
    comparison : Comparison
    alone : bool
    times : ndarray, shape (S, E)
        After the pump, in distances between slots.
    """
    logs = comparison.logs
    references = reference_weights(np.zeros(logs.order.size, np.bool_), logs.last, logs.table.share)
    of_last = references.sum(axis=1) > 0
    seen = logs.common / (logs.common + references @ logs.counting)
    weight = np.where(of_last[:, None], np.ones_like(seen) if alone else seen, np.nan if alone else 0.0)
    efficiency = matrix_root(comparison.efficiency.log_covariance)
    residual, root = residual_of_last_slot(logs.z, logs.counting, logs.common, efficiency, logs.order, times)
    each = of_last[:, None]
    return _compare(
        comparison, weight, references, _Residual(each * residual, np.zeros(each.size), each[..., None] * root)
    )


def by_shutter(comparison: Comparison) -> Compared:
    """Against the laser-off rate of all slots."""
    logs = comparison.logs
    none = np.zeros((logs.order.size,) * 2)
    return _compare(comparison, np.zeros_like(logs.z), none, _Residual.zero(logs))


def by_slots(comparison: Comparison) -> Compared:
    """Against the clean slots of the same shots; NaN for a slot that is the only reference."""
    references = reference_weights(comparison.clean.clean, comparison.logs.last, comparison.logs.table.share)
    weight = np.ones_like(comparison.logs.z)
    weight[references.sum(axis=1) == 0] = np.nan
    return _compare(comparison, weight, references, _Residual.zero(comparison.logs))


def combined(comparison: Comparison) -> Compared:
    """Against both, weighted by their errors; against the laser-off rate alone if no slot can be a reference."""
    logs, clean = comparison.logs, comparison.clean
    if not clean.usable:
        return by_shutter(comparison)
    references = reference_weights(comparison.clean.clean, comparison.logs.last, comparison.logs.table.share)
    residual = references @ np.nan_to_num(clean.residual)
    # Estimate of the common noise from the reference slots: z_R - m D, as a sum over the slots' logarithms.
    parts = references - residual[:, None] * _first_minus_last(logs)
    variance = logs.common + parts**2 @ logs.counting
    with_own = logs.common + np.diagonal(parts)[:, None] * logs.counting
    weight = with_own / variance
    weight[references.sum(axis=1) == 0] = 0.0
    root = (references @ matrix_root(clean.covariance))[:, None, :] * logs.shape[:, None]
    return _compare(comparison, weight, references, _Residual(residual[:, None] * logs.shape, residual, root))


def _first_minus_last(logs: Logs) -> Array:
    unit = np.eye(logs.order.size)
    return np.asarray(unit[logs.first] - unit[logs.last])


@dataclass(frozen=True)
class _Residual:
    """Residual transient in the reference slots of each slot; zero if the comparison includes it.

    Attributes
    ----------
    value : ndarray, shape (S, E)
    by_shape : ndarray, shape (S,)
        Derivative of `value` by the difference between first and last slot.
    root : ndarray, shape (S, E, M)
        Root of the covariance of `value`.
    """

    value: Array
    by_shape: Array
    root: Array

    @classmethod
    def zero(cls, logs: Logs) -> _Residual:
        return cls(np.zeros_like(logs.z), np.zeros(len(logs.z)), np.zeros((*logs.z.shape, 0)))


def _compare(comparison: Comparison, weight: Array, references: Array, residual: _Residual) -> Compared:
    """Rates by the formula above, and their covariance by its derivatives.

    Parameters
    ----------
    weight : ndarray, shape (S, E)
        lambda of each slot and energy.
    references : ndarray, shape (S, S)
        Weights of each slot's reference slots.
    residual : _Residual
    """
    logs, on_off, efficiency = comparison.logs, comparison.on_off, comparison.efficiency
    slots, energies = logs.z.shape
    transient = logs.z - weight * (references @ logs.z - residual.value)
    log_off = logs.table.share @ np.log(on_off.rate[OFF] / efficiency.value[:, None])
    rate = np.exp(np.stack([np.tile(log_off, (slots, 1)), log_off + transient]))
    map_in = _derivatives(weight, references, residual.by_shape, logs)
    noise = _input_covariance(comparison)
    local = map_in @ noise @ np.swapaxes(map_in, 1, 2)
    of_efficiency = -(map_in[:, :, :slots] + map_in[:, :, slots:]) @ matrix_root(efficiency.log_covariance)
    of_residual = np.zeros((energies, 2 * slots, residual.root.shape[2]))
    of_residual[:, slots:] = np.moveaxis(weight[..., None] * residual.root, 0, 1)
    shift = np.moveaxis(on_off.shift / on_off.rate[..., None], 2, 0).reshape(energies, 2 * slots, -1)
    shared = np.concatenate([of_efficiency, of_residual, map_in @ shift], axis=2)
    flat = rate.reshape(2 * slots, energies)
    local = np.moveaxis(local, 0, -1) * flat[:, None] * flat[None, :]
    shared = np.moveaxis(shared, 0, 1) * flat[:, :, None]
    between = mapped_between(on_off, comparison.dwell_noise, map_in, flat)
    of_rates = local.reshape(2, slots, 2, slots, energies), shared.reshape(2, slots, energies, -1)
    return Compared(rate, *of_rates, between)


def _derivatives(weight: Array, references: Array, by_shape: Array, logs: Logs) -> Array:
    """Derivatives of the logarithms (off', on') by those of the rates (off, on), shape (E, 2 S, 2 S)."""
    slots, energies = weight.shape
    by_on = by_shape[:, None] * _first_minus_last(logs) - references
    result = np.zeros((energies, 2 * slots, 2 * slots))
    result[:, :slots, :slots] = logs.table.share
    result[:, slots:, slots:] = np.eye(slots) + weight.T[:, :, None] * by_on
    result[:, slots:, :slots] = (weight * references.sum(axis=1)[:, None]).T[:, :, None] * logs.table.share
    return result


def _input_covariance(comparison: Comparison) -> Array:
    """Covariance of the logarithms of the rates (off, on) of each energy, shape (E, 2 S, 2 S)."""
    on_off = comparison.on_off
    result = by_laser(comparison.dwell_noise**2 * on_off.variance_factor, on_off.relative_variance)
    return result if on_off.currents is None else result + on_off.currents.reshape(result.shape)
