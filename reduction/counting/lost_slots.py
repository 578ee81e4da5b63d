"""Slots that have lost all their bunches: where each sees one bunch and some saturated, the others still count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import EMPTY
from reduction.counting.rows import DwellRows, PointRates

Flags = NDArray[np.bool_]
Result = TypeVar("Result")


def kept_slots(rates: PointRates) -> Flags:
    """Slots that have a mean in some dwell, shape (S,); all of them where no single dwell counts."""
    if rates.rows is None or not (good := rates.rows.state != EMPTY).any():
        return np.ones(rates.rate.shape[1], np.bool_)
    kept = np.isfinite(rates.rows.slot_mu[good]).any(axis=0)
    return np.asarray(kept if kept.any() else ~kept)


def note_of(kept: Flags) -> str:
    """A sentence that names the slots that are lost."""
    listed = ", ".join(map(str, np.flatnonzero(~kept)))
    return f"Of {kept.size} slots these have no result, since all their bunches are excluded: {listed}."


def only_slots(rates: PointRates, kept: Flags) -> PointRates:
    """Rates of some slots, numbered anew; the pattern has the others in no bin."""
    between = np.ix_(np.arange(2), kept, kept)
    changes: dict[str, Any] = {"rate": rates.rate[:, kept], "covariance": rates.covariance[between]}
    for name in ("background", "common_variance"):
        value = getattr(rates, name)
        changes[name] = None if value is None else value[:, kept]
    for name in ("rows", "monitors"):
        rows = getattr(rates, name)
        changes[name] = None if rows is None else rows_of_slots(rows, kept)
    if rates.pattern is not None:
        number = np.where(kept, np.cumsum(kept) - 1, -1)
        before = np.array(rates.pattern.bin_of_slot or range(rates.pattern.divider))
        after = np.where(before >= 0, number[before], -1)
        changes["pattern"] = replace(rates.pattern, bin_of_slot=tuple(map(int, after)))
    return replace(rates, **changes)


def rows_of_slots(rows: DwellRows, kept: Flags) -> DwellRows:
    """Dwells with some of the slots."""
    changes: dict[str, Any] = {name: getattr(rows, name)[:, :, kept] for name in ("slot_mu", "slot_var", "slot_shift")}
    if rows.slot_weight is not None:
        changes["slot_weight"] = rows.slot_weight[kept]
    if rows.currents is not None:
        between = np.ix_(kept, kept)
        noise, unit, members = rows.currents.noise[between], rows.currents.unit[between], rows.currents.members[kept]
        changes["currents"] = replace(rows.currents, noise=noise, unit=unit, members=members)
    if rows.neighbours is not None:
        changes["neighbours"] = rows.neighbours.slots(kept)
    if rows.ground is not None:
        members, inside = rows.ground.members[kept], rows.ground.inside[kept]
        mu, shift = rows.ground.mu[:, :, kept], rows.ground.shift[:, :, kept]
        changes["ground"] = replace(rows.ground, mu=mu, shift=shift, members=members, inside=inside)
    return replace(rows, **changes)


def with_lost_slots(result: Result, kept: Flags, axes: Mapping[str, tuple[int, ...]]) -> Result:
    """A result with NaN (0 for integers) in the slots that are lost.

    Parameters
    ----------
    result : dataclass
        Of the slots that are kept.
    kept : ndarray of bool, shape (S,)
    axes : mapping of str to tuple of int
        By field, its axes of slots.
    """
    changes = {}
    for name, slots in axes.items():
        value = getattr(result, name)
        shape = [kept.size if axis in slots else size for axis, size in enumerate(value.shape)]
        index = [np.flatnonzero(kept) if axis in slots else np.arange(size) for axis, size in enumerate(value.shape)]
        changes[name] = np.full(shape, np.nan if value.dtype.kind == "f" else 0, value.dtype)
        changes[name][np.ix_(*index)] = value
    return replace(result, **changes)  # type: ignore[type-var]
