"""Laser-only light in a fluence scan: it grows with the fluence, and so does what is to be subtracted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import OFF, ON
from reduction.counting.rows import PointRates
from reduction.settings import Settings

Array = NDArray[np.float64]

FLUENCE = "laser_fluence"
"""Data key of the fluence, among the conditions of a background run."""
UNKNOWN = (
    "Laser-only light of each fluence is not known: it grows with the fluence like a transient and is in the slope."
    " Take a background run at the highest fluence."
)


def scaled_with_fluence(fluence: Array, rates: PointRates, settings: Settings) -> tuple[PointRates, list[str]]:
    """Rates from which laser-only light of each fluence is subtracted, and a note if it is unknown.

    The background run was taken at one fluence, and its difference between laser on and off was subtracted from all
    dwells with the laser on. Here what is too much at lower fluences is added again.

    Parameters
    ----------
    fluence : ndarray, shape (N,), mJ/cm2
    rates : PointRates
    settings : Settings
    """
    taken_at = dict(settings.background_conditions).get(FLUENCE)
    if not taken_at:
        return rates, [UNKNOWN]
    if rates.background is None or rates.rows is None:
        return rates, []
    light = rates.background[ON] - rates.background[OFF]
    fraction = np.where(rates.rows.state == ON, (fluence / taken_at)[:, None], 1.0)
    slot_mu = rates.rows.slot_mu + (1 - fraction)[..., None] * light
    slot_shift = rates.rows.slot_shift * fraction[..., None, None]
    return replace(rates, rows=replace(rates.rows, slot_mu=slot_mu, slot_shift=slot_shift)), []
