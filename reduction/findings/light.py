"""Roughly where the laser comes, by its light on the detector: without X-rays, and whatever the sample does.

With gates as wide as the bunches are apart, and the X-ray pulse in their middle, the light of the laser is counted in
the slot whose X-ray pulse it is nearest to. Two delays that differ by the time between two bunches show the sign of
the delay, and those between them where the light goes from one slot to the next: half a bunch from time zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.findings.onset import AllowedOnset

Array = NDArray[np.float64]

SEEN = 4.0
"""Standard deviations by which the slot with the light stands above the others."""


@dataclass(frozen=True)
class LightScan:
    """Photons per gate with the laser on and without X-rays: at two delays a bunch apart, then between them.

    Attributes
    ----------
    setting : ndarray, shape (N,), ps
        Delay, as set.
    photons, variance : ndarray, shape (N, S)
    spacing : float, ps
        Time between two bunches.
    tolerance : float, ps
        Of the edges of the gates.
    """

    setting: Array
    photons: Array
    variance: Array
    spacing: float
    tolerance: float


@dataclass(frozen=True)
class Light:
    """Between which delays the light goes from one slot to the next.

    Attributes
    ----------
    early, late : float, ps
        Delays, as set.
    onset : AllowedOnset
        Where the transient begins.
    """

    early: float
    late: float
    onset: AllowedOnset


def find_light(scan: LightScan) -> Light | None:
    """Find where the light goes from one slot to the next; None if there is no light, or the sign is not clear."""
    slots, number = [_slot(*each) for each in zip(scan.photons, scan.variance, strict=True)], scan.photons.shape[1]
    if len(slots) < 2 or None in slots[:2]:
        return None
    first, second = (int(slot or 0) for slot in slots[:2])
    sign = {1: 1, number - 1: -1}.get((first - second) % number)
    if sign is None or number < 3:
        return None
    early, late = float(scan.setting[0]), float(scan.setting[1])
    for setting, slot in zip(scan.setting[2:], slots[2:], strict=True):
        if slot != second:
            early = float(setting)
        if slot != first:
            late = float(setting)  # in neither slot: between two gates
    middle = 0.5 * sign * (early + late) + scan.spacing * (first - 0.5 * sign)
    half = 0.5 * (late - early) + scan.tolerance
    return Light(early, late, AllowedOnset(middle - half, middle + half, sign))


def _slot(photons: Array, variance: Array) -> int | None:
    """The slot with the light; None if there is none."""
    brightest = int(np.argmax(photons))
    others, of_others = np.delete(photons, brightest), np.delete(variance, brightest)
    error = np.sqrt(variance[brightest] + of_others.sum() / others.size**2)
    return brightest if photons[brightest] - others.mean() > SEEN * error else None
