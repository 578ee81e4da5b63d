"""Spectra and traces of imported columns, with the keys of the streams `spectrum` and `trace` of our own runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import OFF, ON
from reduction.errors import ReductionError
from reduction.imported.keys import MAP_COVARIANCE, MAP_SLOTS
from reduction.references.compared import Compared
from reduction.settings import Settings
from reduction.spectra.normalise import normalised_alone
from reduction.spectra.transient import transients
from reduction.spectra.unpumped import NO_LASER
from reduction.statistics.full_grid import on_full_grid

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

LARGEST = 1_500_000
"""Values of the covariance between slots that are kept; those of each slot always are."""


@dataclass(frozen=True)
class Slots:
    """Slots of an imported scan over its used points.

    Attributes
    ----------
    number : int
    compared : callable
        Of a sequence of S slots: laser on and off, shape (2, S, U).
    static, static_variance : ndarray, shape (U,)
        Laser off.
    reference : str
    """

    number: int
    compared: Callable[[Sequence[int]], Compared]
    static: Array
    static_variance: Array
    reference: str


def only_static(value: Array, variance: Array) -> Slots:
    """A spectrum without laser: one slot that has no transient."""
    nothing = Compared(
        np.full((2, 1, value.size), np.nan), np.zeros((2, 1, 2, 1, value.size)), np.zeros((2, 1, value.size, 0))
    )
    return Slots(1, lambda _: nothing, value, variance, NO_LASER)


def spectrum_of(energy: Array, used: Flags, slots: Slots, settings: Settings, notes: str) -> dict[str, Any]:
    """Data of the stream `spectrum`: static spectrum and transients of all slots.

    Parameters
    ----------
    energy : ndarray, shape (E,), keV
    used : ndarray of bool, shape (E,)
    slots : Slots
    settings : Settings
    notes : str

    Raises
    ------
    ReductionError
        If a window is empty or an edge integral is not above zero.
    """
    at = energy[used]
    static, stddev_of_static = normalised_alone(
        slots.static, slots.static_variance, at, settings, line=slots.reference == NO_LASER
    )
    common = _of_static(energy, used, slots, static, stddev_of_static, notes)
    if slots.reference == NO_LASER:
        return common | _without_laser(energy, used, static, stddev_of_static)
    found = [transients(at, slots.compared([slot]), settings) for slot in range(slots.number)]
    value, stddev = (np.concatenate([getattr(each, name) for each in found], axis=1) for name in ("value", "stddev"))
    covariance = on_full_grid(np.concatenate([each.covariance.of_slots() for each in found]), used, 2)
    data = common | {
        "transient": on_full_grid(np.concatenate([each.transient for each in found]), used),
        "transient_stddev": np.sqrt(np.diagonal(covariance, axis1=1, axis2=2)),
        "transient_covariance": covariance,
        "offset": np.concatenate([each.offset for each in found], axis=1),
        "integral": np.concatenate([each.integral for each in found], axis=1),
    }
    for laser, key in ((OFF, "off"), (ON, "on")):
        data[key], data[f"{key}_stddev"] = on_full_grid(value[laser], used), on_full_grid(stddev[laser], used)
    if slots.number == 1:
        data["transient_slot_covariance"] = covariance[None]
    elif (slots.number * energy.size) ** 2 <= LARGEST:
        together = transients(at, slots.compared(range(slots.number)), settings)
        data["transient_slot_covariance"] = on_full_grid(together.covariance.of_all(), used, 2)
    elif (chosen := _slots_of_map(slots.number, energy.size)).size > 1:
        together = transients(at, slots.compared(chosen.tolist()), settings)
        data |= {MAP_SLOTS: chosen, MAP_COVARIANCE: on_full_grid(together.covariance.of_all(), used, 2)}
    return data


def _slots_of_map(number: int, energies: int) -> NDArray[np.int64]:
    """Slots whose common covariance is kept where that of all is too large: ever fewer with the time after the pump."""
    most = int(np.sqrt(LARGEST)) // energies
    return np.unique(np.geomspace(1, number, most).round().astype(np.int64)) - 1


def _of_static(energy: Array, used: Flags, slots: Slots, static: Array, stddev: Array, notes: str) -> dict[str, Any]:
    """What all spectra have: the grid, the laser-off spectrum, and its rate."""
    return {
        "energy": energy,
        "used": used.astype(np.int64),
        "provisional": int(not used.all()),
        "static": on_full_grid(static, used),
        "static_stddev": on_full_grid(stddev, used),
        "rate": on_full_grid(np.stack([slots.static, np.full_like(slots.static, np.nan)])[:, None], used),
        "rate_covariance": on_full_grid(np.tile(slots.static_variance, (2, 1, 1, 1)), used),
        "dwells": np.tile(used.astype(np.int64), (2, 1)),
        "reference": slots.reference,
        "notes": notes,
    }


def _without_laser(energy: Array, used: Flags, static: Array, stddev: Array) -> dict[str, Any]:
    """One slot with the laser off alone; covariances of nothing are left out."""
    nothing = np.full((1, energy.size), np.nan)
    data = dict.fromkeys(("on", "on_stddev", "transient", "transient_stddev"), nothing)
    return data | {"off": on_full_grid(static[None], used), "off_stddev": on_full_grid(stddev[None], used)}


def trace_of(axis_key: str, axis: Array, used: Flags, slots: Slots, before_zero: float, notes: str) -> dict[str, Any]:
    """Data of the stream `trace`: laser on over off, minus 1, of all slots.

    The mean before time zero is subtracted from slot 0 of a delay scan that has such points.

    Parameters
    ----------
    axis_key : str
        ``laser_delay`` or ``laser_fluence``.
    axis : ndarray, shape (T,), ps or mJ/cm2
    used : ndarray of bool, shape (T,)
    slots : Slots
    before_zero : float
        Delay (ps) up to which a point counts as before time zero.
    notes : str
    """
    if not used.any():
        raise ReductionError("no point can be used")
    compared = [slots.compared([slot]) for slot in range(slots.number)]
    value, covariance = map(list, zip(*map(_relative, compared), strict=True))
    before = used & (axis <= before_zero) if axis_key == "laser_delay" else np.zeros_like(used)
    offset, offset_stddev = np.full(slots.number, np.nan), np.full(slots.number, np.nan)
    if before.any() and not (before == used).all():
        weights = before[used] / before.sum()
        offset[0], offset_stddev[0] = weights @ value[0], np.sqrt(weights @ covariance[0] @ weights)
        value[0], covariance[0] = _without_mean(value[0], covariance[0], weights)
    full = on_full_grid(np.stack(covariance), used, 2)
    return {
        axis_key: axis,
        "used": used.astype(np.int64),
        "before_zero": before.astype(np.int64),
        "transient": on_full_grid(np.stack(value), used),
        "transient_stddev": np.sqrt(np.diagonal(full, axis1=1, axis2=2)),
        "transient_covariance": full,
        "offset": offset,
        "offset_stddev": offset_stddev,
        "dwells": np.tile(used.astype(np.int64), (2, 1)),
        "reference": slots.reference,
        "procedure": "default",
        "notes": notes,
        **_on_and_off(compared, used),
    }


def _relative(compared: Compared) -> tuple[Array, Array]:
    """Laser on over off, minus 1, of one slot, and its covariance."""
    off, on = compared.rate[OFF, 0], compared.rate[ON, 0]
    local = compared.local[:, 0, :, 0]
    ratio = on / off
    return ratio - 1, np.diag((local[ON, ON] - 2 * ratio * local[ON, OFF] + ratio**2 * local[OFF, OFF]) / off**2)


def _without_mean(value: Array, covariance: Array, weights: Array) -> tuple[Array, Array]:
    """A trace less its weighted mean, whose error is that of the same points."""
    take_out = np.eye(weights.size) - weights[None, :]
    return take_out @ value, take_out @ covariance @ take_out.T


def _on_and_off(compared: Sequence[Compared], used: Flags) -> dict[str, Array]:
    """Rates with laser on and off of every slot, and their errors."""
    data = {}
    for laser, key in ((OFF, "off"), (ON, "on")):
        data[key] = on_full_grid(np.stack([each.rate[laser, 0] for each in compared]), used)
        variance = np.stack([each.local[laser, 0, laser, 0] for each in compared])
        data[f"{key}_stddev"] = on_full_grid(np.sqrt(variance), used)
    return data
