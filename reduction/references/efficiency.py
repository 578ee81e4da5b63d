"""Efficiency of each slot relative to the mean of all slots, from the laser-off dwells of a whole scan.

With the laser off all slots see the same sample. What differs is the counting (gates open a little early or late) and,
where a slot sees only some bunches, what these deliver: a slot's efficiency is then the mean of its bunches'. A ratio
of slots within one dwell is free of jet and flux noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import OFF
from reduction.counting.rows import DwellRows
from reduction.errors import ReductionError
from reduction.statistics.quantiles import chi_square_p_value

Array = NDArray[np.float64]

UNLIKELY = 1e-3
"""p-value below which a warning warnings that efficiencies are constant."""


@dataclass(frozen=True)
class SlotEfficiency:
    """Efficiency of each of S slots; their mean, weighted by their phases, is 1.

    Attributes
    ----------
    value : ndarray, shape (S,)
    covariance : ndarray, shape (S, S)
        From counting; singular, since the mean is fixed.
    chi_square : float
        Of all points and passes against `value`.
    dof : int
        Its degrees of freedom.
    drift : ndarray, shape (S,)
        Change of each efficiency from the first dwell of the measurement to the last, by a straight line.
    drift_stddev : ndarray, shape (S,)
    warnings : tuple of str
        Evidence against constant efficiencies; empty if there is none.
    """

    value: Array
    covariance: Array
    chi_square: float
    dof: int
    drift: Array
    drift_stddev: Array
    warnings: tuple[str, ...]

    @property
    def log_covariance(self) -> Array:
        """Covariance of the logarithms, shape (S, S)."""
        return self.covariance / np.outer(self.value, self.value)


def slot_efficiency(rows: DwellRows, share: Array | None = None) -> SlotEfficiency:
    """Slot efficiencies of a scan, with chi-square and drift.

    Parameters
    ----------
    rows : DwellRows
    share : ndarray, shape (S,), optional
        Weights of the slots in the mean that is 1; by default all are equal.

    Raises
    ------
    ReductionError
        If no laser-off dwell has hits in every slot.
    """
    rate, variance = _groups(rows)
    slots = rate.shape[1]
    if not len(rate):
        raise ReductionError("no laser-off dwell with hits in every slot: slot efficiencies are unknown")
    share = np.full(slots, 1 / slots) if share is None else share
    mean = rate @ share[:, None]
    ratio = rate / mean
    mix = np.eye(slots) - ratio[:, :, None] * share  # d ratio / d (rate / mean)
    ratio_covariance = (mix * (variance / mean**2)[:, None]) @ np.swapaxes(mix, 1, 2)
    weight = 1 / (variance / mean**2).mean(axis=1)
    weight /= weight.sum()
    value = weight @ ratio
    covariance = np.einsum("g,gsu->su", weight**2, ratio_covariance)
    chi_square, dof = _chi_square(rate, variance, value)
    drift, drift_covariance = _drift(ratio, ratio_covariance, weight)
    drift_stddev = np.sqrt(np.diagonal(drift_covariance))
    warnings = _warnings(chi_square, dof, drift, drift_covariance)
    return SlotEfficiency(value, covariance, chi_square, dof, drift, drift_stddev, warnings)


def _groups(rows: DwellRows) -> tuple[Array, Array]:
    """Laser-off rates and their variances, shape (G, S), of each point of each pass, in the order of time."""
    rates, variances = [], []
    member = (rows.state == OFF) & (rows.exposure > 0)
    slot_var = rows.slot_var if rows.currents is None else rows.slot_var + rows.slot_mu**2 * rows.currents.variance()
    for index in np.unique(rows.pass_index):
        chosen = np.where(member[:, rows.pass_index == index], 1.0, 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            exposure = np.where(chosen > 0, rows.exposure[:, rows.pass_index == index], 0.0).sum(axis=1)
            fraction = chosen * rows.weight[:, rows.pass_index == index] / exposure[:, None]
        counts = (chosen > 0)[..., None]
        mu = np.where(counts, rows.slot_mu[:, rows.pass_index == index], 0.0)
        var = np.where(counts, slot_var[:, rows.pass_index == index], 0.0)
        rates.append(np.einsum("nr,nrs->ns", fraction, mu))
        variances.append(np.einsum("nr,nrs->ns", fraction**2, var))
    rate, variance = np.concatenate(rates), np.concatenate(variances)
    good = np.isfinite(rate).all(axis=1) & (rate > 0).all(axis=1) & (variance > 0).all(axis=1)
    return rate[good], variance[good]


def _chi_square(rate: Array, variance: Array, value: Array) -> tuple[float, int]:
    """Chi-square of rates against efficiencies times one common rate per group, and its degrees of freedom."""
    groups, slots = rate.shape
    common = (rate * value / variance).sum(axis=1) / (value**2 / variance).sum(axis=1)
    total = ((rate - common[:, None] * value) ** 2 / variance).sum()
    return float(total), (groups - 1) * (slots - 1)


def _drift(ratio: Array, ratio_covariance: Array, weight: Array) -> tuple[Array, Array]:
    """Slope of the ratios over the measurement (its length is 1), shape (S,), and its covariance, shape (S, S)."""
    groups, slots = ratio.shape
    if groups < 3:
        return np.zeros(slots), np.zeros((slots, slots))
    time = np.linspace(0, 1, groups)
    time = time - weight @ time
    pull = weight * time / (weight * time**2).sum()
    return pull @ ratio, np.einsum("g,gsu->su", pull**2, ratio_covariance)


def _warnings(chi_square: float, dof: int, drift: Array, drift_covariance: Array) -> tuple[str, ...]:
    warnings = []
    if dof > 0 and chi_square_p_value(chi_square, dof) < UNLIKELY:
        warnings.append(
            f"slot efficiencies are not constant over the scan (chi-square {chi_square:.0f} for {dof} degrees of"
            " freedom): prefer reference 'paper', and look at the counter's gate"
        )
    if drift.size > 1 and drift_covariance.any():
        size = float(drift @ np.linalg.pinv(drift_covariance, rcond=1e-9, hermitian=True) @ drift)
        if chi_square_p_value(size, drift.size - 1) < UNLIKELY:
            worst = int(np.abs(drift).argmax())
            warnings.append(
                f"slot efficiencies drift: slot {worst} changes by {100 * drift[worst]:+.2f} % over the scan; prefer"
                " reference 'paper', and look at the counter's gate"
            )
    return tuple(warnings)
