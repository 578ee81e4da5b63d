"""The passes of a scan, each normalised by itself, with counting errors: the basis of the diagnostics."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import EMPTY, OFF, ON
from reduction.counting.rows import DwellRows, one_pass
from reduction.errors import ReductionError
from reduction.references.on_off import summed
from reduction.settings import Settings
from reduction.spectra.normalise import normalise_slots, window_integral_weights, window_mean_weights
from reduction.statistics.factored import Factored

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Passes:
    """Whole passes; axes n passes, S slots, E energies (of the good points). Counting and I0 errors only.

    Attributes
    ----------
    number : ndarray of int, shape (n,)
        Numbers of the passes, in the order in which they arrived.
    static, static_variance : ndarray, shape (n, E)
        Laser off, mean of the slots, own offset and edge integral.
    transient, transient_variance : ndarray, shape (n, S, E)
        Same slot on and off, own offsets and edge integrals (SI 4).
    level, level_variance, step, step_variance : ndarray, shape (n,)
        Offset and edge integral of `static`, photons per I0 count.
    offset, integral : ndarray, shape (n, 2, S)
        Of each slot, photons per I0 count.
    offset_variance, integral_variance : ndarray, shape (n, 2, S)
    offset_counting : ndarray, shape (n, 2, S)
        Variance of `offset` without the noise of I0, which slots have in common.
    flux : ndarray, shape (n,)
        Mean I0 counts per pulse.
    independent : ndarray, shape (S,)
        Independent values in a transient of E points: ``E^2 / tr(R^2)`` with its correlation matrix R. Normalisation
        makes points depend on each other, so that a sum of their squares scatters more than that of E values.
    independent_of_all : float
        The same for the transients of all slots together, whose noise of I0 is common.
    """

    number: NDArray[np.int64]
    static: Array
    static_variance: Array
    transient: Array
    transient_variance: Array
    level: Array
    level_variance: Array
    step: Array
    step_variance: Array
    offset: Array
    integral: Array
    offset_variance: Array
    integral_variance: Array
    offset_counting: Array
    flux: Array
    independent: Array
    independent_of_all: float


MOST = 0.8
"""Fraction of the points that passes must have in common to be compared."""
PER_PASS = tuple(field.name for field in fields(Passes))[1:-2]
"""What is found for each pass by itself."""


class Chain:
    """Normalisation of many spectra on one grid, with variances only."""

    def __init__(self, energy: Array, settings: Settings) -> None:
        self.pre = window_mean_weights(energy, settings.pre_edge)
        self.edge = window_integral_weights(energy, settings.integral)
        self._net = self.edge - self.edge.sum() * self.pre

    def __call__(self, rate: Array, variance: Array) -> tuple[Array, Array, Array, Array]:
        """Normalised spectra, their variances, offsets and integrals, of rates (..., E).

        Raises
        ------
        reduction.spectra.normalise.ReductionError
            If an edge integral is not above zero.
        """
        offset, integral = rate @ self.pre, rate @ self._net
        if not (integral > 0).all():
            raise ReductionError("a pass has an edge integral that is not above zero: is there beam on the sample?")
        value = (rate - offset[..., None]) / integral[..., None]
        return value, self._of_values(value, variance) / integral[..., None] ** 2, offset, integral

    def _of_values(self, value: Array, variance: Array) -> Array:
        """Variances of normalised values times the integral squared, as in `reduction.spectra.normalise`."""
        own = variance * (1 - 2 * (self.pre + value * self._net))
        offset, both, integral = (
            (variance @ weights)[..., None] for weights in (self.pre**2, self.pre * self._net, self._net**2)
        )
        return np.asarray(own + offset + 2 * value * both + value**2 * integral)

    def variances(self, variance: Array) -> tuple[Array, Array]:
        """Variances of offset and integral of rates with these variances (..., E)."""
        return variance @ self.pre**2, variance @ self._net**2


def common_points(rows: DwellRows) -> NDArray[np.bool_]:
    """Points at which passes are compared, shape (N,): those common to as many passes as have most points in common.

    A pass that lacks a point or two must not prevent the comparison of the others; one that was cut off in the middle
    must not exclude most of the points.
    """
    passes = np.unique(rows.pass_index)
    states = [
        [(rows.state[:, rows.pass_index == index] == laser).any(axis=1) for laser in (OFF, ON)] for index in passes
    ]
    there = np.asarray(np.array(states).all(axis=1))
    for index in np.argsort(there.sum(axis=1), kind="stable"):
        common = np.asarray(there.all(axis=0))
        if common.mean() >= MOST:
            return common
        there[index] = True
    return np.ones(len(rows.state), np.bool_)


def passes_of(energy: Array, rows: DwellRows, settings: Settings) -> Passes:
    """Each whole pass by itself; passes that lack a point with either laser state are excluded.

    Parameters
    ----------
    energy : ndarray, shape (N,), keV
        Of the points of `rows`.
    rows : DwellRows
    settings : Settings

    Raises
    ------
    reduction.spectra.normalise.ReductionError
        If windows are empty or an edge integral is not above zero.
    """
    chain = Chain(energy, settings)
    number, parts = [], []
    for index in np.unique(rows.pass_index):
        mine = one_pass(rows, index)
        sums = summed(mine)
        if not np.isfinite(sums.rate).all():
            continue
        common = settings.i0_noise * np.sqrt(sums.variance_factor)[:, None] * sums.rate
        number.append(index)
        flux = float(mine.flux[mine.state != EMPTY].mean())
        parts.append((*_one(chain, sums.rate, sums.variance, common), flux))
    if not parts:
        raise ReductionError("no pass is complete: each lacks a point with laser on or off")
    of_slots, of_all = _independent(energy, settings, sums.rate, sums.variance, common)
    columns: dict[str, Any] = dict(zip(PER_PASS, map(np.array, zip(*parts, strict=True)), strict=True))
    return Passes(np.array(number), **columns, independent=of_slots, independent_of_all=of_all)


def _one(chain: Chain, rate: Array, counting: Array, common: Array) -> tuple[Array | float, ...]:
    """Everything of `Passes` from `static` to `offset_counting`, of one pass.

    Parameters
    ----------
    rate, counting, common : ndarray, shape (2, S, E)
        Rates, their variances from counting, and their standard deviation from I0, common to the slots.
    """
    slots = rate.shape[1]
    variance = counting + common**2
    mean, of_mean = rate[OFF].mean(axis=0), counting[OFF].mean(axis=0) / slots + common[OFF].mean(axis=0) ** 2
    static, static_variance, level, step = chain(mean, of_mean)
    level_variance, step_variance = chain.variances(of_mean)
    value, of_value, offset, integral = chain(rate, variance)
    of_offset, of_integral = chain.variances(variance)
    transient, of_transient = value[ON] - value[OFF], of_value[ON] + of_value[OFF]
    return (
        static, static_variance, transient, of_transient, level, level_variance, step, step_variance,
        offset, integral, of_offset, of_integral, counting @ chain.pre**2,
    )  # fmt: skip


def _independent(energy: Array, settings: Settings, rate: Array, counting: Array, common: Array) -> tuple[Array, float]:
    """Independent values in the transient of each slot, and in those of all slots together."""
    _, slots, size = rate.shape
    if not (counting > 0).any():
        return np.full(slots, float(size)), float(slots * size)
    local = np.zeros((2, slots, 2, slots, size))
    for laser in (OFF, ON):
        local[laser, :, laser] = common[laser][:, None] * common[laser] + np.eye(slots)[..., None] * counting[laser]
    both = (2 * slots, size)
    rates = Factored(local.reshape(2 * slots, *both), np.zeros((0, *both)), np.zeros(0))
    transients = normalise_slots(rate.reshape(both), rates, energy, settings).covariance.combined(
        np.hstack([-np.eye(slots), np.eye(slots)])
    )
    known = (transients.variance > 0).sum(axis=1)  # a pre-edge of one point is zero without error
    squares = transients.squared_correlations()
    return known**2 / np.diagonal(squares), float(known.sum() ** 2 / squares.sum())
