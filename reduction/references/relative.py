"""Transient of each point relative to its own laser-off signal: for scans at one energy (delay, fluence).

``t = on / off - 1`` of each point. Factors common to both (thickness and concentration of the jet, flux that I0 misses)
cancel, and so do slow changes from point to point: nothing has to be scaled by means over the scan.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import OFF, ON
from reduction.counting.rows import PointRates, only
from reduction.errors import ReductionError
from reduction.references import methods, notes
from reduction.references.by_ground import by_ground
from reduction.references.choice import by_same_bunches, require_points, require_possible, usable_points
from reduction.references.compared import Compared
from reduction.references.methods import Comparison
from reduction.references.slot_table import SlotTable
from reduction.settings import Settings

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Relative:
    """Relative transients of the points that can be used; axes S slots, N of them.

    Attributes
    ----------
    used : ndarray of bool, over all points
    rate, stddev : ndarray, shape (2, S, N)
        Laser off and on, as compared; photons per I0 count.
    transient : ndarray, shape (S, N)
    covariance : ndarray, shape (S, N, N)
    reference : str
        The reference that was used.
    dwell_noise : float
        Relative standard deviation of a dwell beyond counting, I0 included.
    notes : tuple of str
    """

    used: NDArray[np.bool_]
    rate: Array
    stddev: Array
    transient: Array
    covariance: Array
    reference: str
    dwell_noise: float
    notes: tuple[str, ...]


def relative_transients(rates: PointRates, settings: Settings, table: SlotTable, times: Array | None) -> Relative:
    """Relative transients of every slot.

    Parameters
    ----------
    rates : PointRates
        With the dwells behind them.
    settings : Settings
    table : SlotTable
    times : ndarray, shape (S, E), optional
        Of each slot and point after the pump, in distances between slots, in a delay scan: the last slot then serves as
        reference for ``slots`` and ``combined``. Without them both mean ``shutter``.

    Raises
    ------
    reduction.spectra.normalise.ReductionError
        If no point can be used or the reference is not possible.
    """
    if rates.rows is None:
        raise ReductionError("a delay or fluence scan is reduced from its single dwells, and there are none")
    name, sentences = settings.reference, []
    require_possible(name, rates)
    used, positive = usable_points(rates)
    used = used & positive
    require_points(used, rates)
    rows = only(rates.rows, used)
    if by_same_bunches(name, rates):
        compared = by_ground(rows, settings.i0_noise)
        return _relative(
            used, compared, "slots", settings.i0_noise, [*notes.of_pairs(rates.pairs), *notes.of_ground(None)]
        )
    comparison = methods.prepare(rows, table, settings.i0_noise)
    name, compared = compared_by(name, comparison, None if times is None else times[:, used])
    sentences += [*notes.of_pairs(rates.pairs), *notes.of_noise(comparison)]
    if name != "paper":
        sentences += [*notes.of_efficiency(comparison.efficiency), *notes.of_no_ground(name, rates)]
    return _relative(used, compared, name, comparison.dwell_noise, sentences)


def compared_by(name: str, comparison: Comparison, times: Array | None) -> tuple[str, Compared]:
    """The reference that serves at one energy, and the rates to compare; arguments as of `relative_transients`."""
    if name == "paper":
        return name, methods.by_balanced(comparison)
    if name == "shutter" or times is None:
        return "shutter", methods.by_shutter(comparison)
    return name, methods.by_last_slot(comparison, name == "slots", times)


def _relative(used: NDArray[np.bool_], compared: Compared, name: str, noise: float, sentences: list[str]) -> Relative:
    transient, covariance = ratio_minus_one(compared)
    return Relative(used, compared.rate, stddev_of(compared), transient, covariance, name, noise, tuple(sentences))


def ratio_minus_one(compared: Compared) -> tuple[Array, Array]:
    """on / off - 1 of each slot, shape (S, N), and its covariance, shape (S, N, N)."""
    off, on = compared.rate[OFF], compared.rate[ON]
    derivative = weights_of_on_off(compared.rate)
    slots, size = off.shape
    covariance = np.empty((slots, size, size))
    for s in range(slots):
        shared = sum(derivative[laser, s][:, None] * compared.shared[laser, s] for laser in (OFF, ON))
        local = sum(
            derivative[a, s] * derivative[b, s] * compared.local[a, s, b, s] for a in (OFF, ON) for b in (OFF, ON)
        )
        covariance[s] = np.diag(local) + shared @ shared.T
    return on / off - 1, covariance


def weights_of_on_off(rate: Array) -> Array:
    """Derivatives of on / off - 1 by the rates of laser off and on, shape (2, S, N)."""
    off, on = rate[OFF], rate[ON]
    return np.stack([-on / off**2, 1 / off])


def stddev_of(compared: Compared) -> Array:
    """Standard deviations of compared rates, shape (2, S, N)."""
    slots = compared.rate.shape[1]
    own = np.arange(slots)
    local = np.stack([compared.local[laser, own, laser, own] for laser in (OFF, ON)])
    return np.asarray(np.sqrt(local + (compared.shared**2).sum(axis=-1)))
