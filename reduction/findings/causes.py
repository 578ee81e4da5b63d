"""Why a counter sees no photons, by what else was read: named, since each has another remedy."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

FEW = 1e-4
"""Photons per gate below which there is no light of the sample; dark counts are 1e-7."""


def has_beam(i0_rate: ArrayLike, i0_least: float) -> bool:
    """Whether I0 (counts/s, of each count) is that of beam, not only dark."""
    return bool(np.median(np.asarray(i0_rate, dtype=np.float64)) >= i0_least)


def why_no_light(hits: float, i0_rate: ArrayLike, i0_least: float) -> str:
    """A sentence with the reason.

    Parameters
    ----------
    hits : float
        All hits of the search; electronic noise counts too where the threshold came near it.
    i0_rate : array_like
        Counts/s of I0.
    i0_least : float
        Counts/s from which on there is beam.
    """
    rate = float(np.median(np.asarray(i0_rate, dtype=np.float64)))
    if not has_beam(i0_rate, i0_least):
        return f"No beam: I0 counts {rate:.3g}/s, with beam at least {i0_least:.3g}/s. Is the X-ray shutter open?"
    if hits == 0:
        return (
            "Dead detector: not one count, not even of electronic noise, although I0 counts"
            f" {rate:.3g}/s. Check bias, preamplifier and cable of the APD."
        )
    return (
        f"No sample: I0 counts {rate:.3g}/s and the detector counts noise, but no light. Does the jet run, is it in the"
        " beam, is the energy above the edge?"
    )
