"""Which phase is the first after the pump, from the data alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CLEAR = 5.0
"""Jump, in its scatter, below which no phase counts as the first after the pump."""


def find_pump(rates: Array, bunches: int) -> int | None:
    """The phase at which the signal jumps, and then decays; None if no jump stands out.

    Each phase is compared with the mean of its bunch; the shape with which phases differ most (the first singular
    vector) is projected on each, and the largest jump from one phase to the next is the pump.

    Parameters
    ----------
    rates : ndarray, shape (N, D, P)
        Of N points, D detectors and P phases, bunch by bunch and orbit by orbit.
    bunches : int
    """
    points, detectors, phases = rates.shape
    by_bunch = rates.reshape(points, detectors, phases // bunches, bunches)
    mean = by_bunch.mean(axis=2, keepdims=True)
    relative = (by_bunch / np.where(mean == 0, 1.0, mean) - 1).reshape(points * detectors, phases)
    _, _, shapes = np.linalg.svd(relative - relative.mean(axis=1, keepdims=True), full_matrices=False)
    size = shapes[0]
    jumps = np.abs(size - np.roll(size, 1))
    first = int(np.argmax(jumps))
    others = np.delete(jumps, first)
    noise = float(np.median(others)) / 0.6744897501960817
    return first if phases > 3 and jumps[first] > CLEAR * max(noise, 1e-300) else None
