"""Covariances of transients in results, which are stored as factors or, by earlier versions and of traces, whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.imported.keys import MAP_COVARIANCE, MAP_SLOTS
from reduction.statistics.factored import Factored

Array = NDArray[np.float64]

FACTORED = ("transient_local", "transient_factors", "transient_signs")
"""Keys of a covariance as factors, see `reduction.statistics.factored.Factored`."""
OF_SLOTS, OF_ALL = "transient_covariance", "transient_slot_covariance"
"""Keys of whole covariances, shapes (S, E, E) and (S, S, E, E)."""


def has_covariance(data: Mapping[str, Any]) -> bool:
    """Whether a result has the covariance of each of its transients."""
    return FACTORED[0] in data or OF_SLOTS in data


def covariance_of_slot(data: Mapping[str, Any], slot: int) -> Array:
    """Covariance of the transient of a slot, shape (E, E)."""
    if FACTORED[0] in data:
        return _factored(data).between(slot, slot)
    return np.asarray(data[OF_SLOTS][slot], dtype=np.float64)


def covariance_of_slots(data: Mapping[str, Any]) -> Array:
    """Covariance of the transient of each slot, shape (S, E, E)."""
    return np.stack([covariance_of_slot(data, slot) for slot in range(len(data["transient"]))])


def slots_with_common(data: Mapping[str, Any]) -> list[int]:
    """Slots between which the covariance is known; empty if there is none."""
    if MAP_SLOTS in data:
        return [int(slot) for slot in data[MAP_SLOTS]]
    return list(range(len(data["transient"]))) if FACTORED[0] in data or OF_ALL in data else []


def covariance_between(data: Mapping[str, Any], slots: Sequence[int]) -> Array:
    """Covariance of the transients of some of `slots_with_common`, shape (S, S, E, E)."""
    if FACTORED[0] in data:
        return _factored(data).of_all(slots)
    place = [slots_with_common(data).index(slot) for slot in slots]
    whole = np.asarray(data[MAP_COVARIANCE if MAP_SLOTS in data else OF_ALL], dtype=np.float64)
    return np.asarray(whole[np.ix_(place, place)])


def _factored(data: Mapping[str, Any]) -> Factored:
    return Factored(*(np.asarray(data[key], dtype=np.float64) for key in FACTORED))
