"""What single dwells tell about laser and detectors; pure functions of event data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from plans.compilation.quality import GATES_KEY, HITS_KEY


def counters(data: Mapping[str, Any]) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Name, hits and gates of each photon counter of a dwell."""
    ending = HITS_KEY.format("")
    for key in data:
        name = key.removesuffix(ending)
        if key.endswith(ending) and GATES_KEY.format(name) in data:
            hits, gates = np.asarray(data[key]), np.asarray(data[GATES_KEY.format(name)])
            if hits.ndim == 1:  # pair counters have a row for each lag
                yield name, hits, gates


def is_saturated(data: Mapping[str, Any]) -> bool:
    """Whether a hit came in every opened gate of some phase."""
    return any(bool(((gates > 0) & (hits >= gates)).any()) for _, hits, gates in counters(data))


def hits_per_i0(data: Mapping[str, Any]) -> float | None:
    """Hits of all counters per I0 count; None without counters or flux."""
    hits = [float(found.sum()) for _, found, _ in counters(data)]
    i0 = data.get("i0")
    if not hits or not isinstance(i0, int | float | np.number) or not np.isfinite(i0) or i0 <= 0:
        return None
    return sum(hits) / float(i0)


def is_locked(data: Mapping[str, Any]) -> bool | None:
    """Whether the laser is locked; None if it is not recorded."""
    locked = data.get("laser_locked")
    return None if locked is None else bool(locked)
