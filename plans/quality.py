"""Whether a completed dwell counts, judged from what was read with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

GOOD = "good"


@dataclass(frozen=True)
class Check:
    """A reading that has to lie between two values for a dwell to count.

    Attributes
    ----------
    key : str
        Data key of the reading, for example ``ring_current``.
    low, high : float
        Both ends allowed.
    reason : str
        What the dwell's quality says if it does not, for example ``beam lost``.
    laser_on_only : bool
        Asked only of dwells with the laser on.
    """

    key: str
    low: float
    high: float
    reason: str
    laser_on_only: bool = False


def assess(readings: Mapping[str, Any], checks: tuple[Check, ...], laser_on: bool) -> str:
    """Quality of a dwell: ``good`` or the reasons, joined by ``; ``.

    Parameters
    ----------
    readings : mapping
        Data key to value. Every scalar number must be finite.
    checks : tuple of Check
    laser_on : bool
        Whether the dwell was meant to have the laser on.
    """
    reasons = [
        f"{key} is not a number"
        for key, value in readings.items()
        if isinstance(value, (float, np.floating)) and not isfinite(value)
    ]
    for check in checks:
        if check.laser_on_only and not laser_on:
            continue
        value = readings.get(check.key)
        if value is None:
            reasons.append(f"{check.key} was not read")
        elif not check.low <= value <= check.high and isfinite(value):
            reasons.append(check.reason)
    return "; ".join(reasons) or GOOD
