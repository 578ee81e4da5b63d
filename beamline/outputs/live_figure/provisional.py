"""Provisional normalisation: rates of an incomplete pass, normalised with the sums of the passes before it.

Offset and edge integral of a spectrum need its whole grid. Until it is complete, those of the last complete spectrum
are used; the first pass has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import OFF, ON
from reduction.settings import Settings
from reduction.spectra.normalise import normalise

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Normalisation:
    """Offset and edge integral of laser off (0) and on (1) of each slot, shape (2, S), photons per I0 count."""

    offset: Array
    integral: Array

    def spectrum(self, laser: int, rate: Array, stddev: Array) -> tuple[Array, Array]:
        """Rates (S, E) as a normalised spectrum with its standard deviation; the error is that of the rate alone."""
        offset, integral = self.offset[laser][:, None], self.integral[laser][:, None]
        return (rate - offset) / integral, stddev / integral

    def transient(self, off: Array, off_stddev: Array, on: Array, on_stddev: Array) -> tuple[Array, Array]:
        """Laser on minus off of the same slot, both normalised, shape (S, E), with its standard deviation."""
        one, other = self.spectrum(ON, on, on_stddev), self.spectrum(OFF, off, off_stddev)
        return one[0] - other[0], np.hypot(one[1], other[1])


def normalisation_of(spectrum: Mapping[str, Any], settings: Mapping[str, Any]) -> Normalisation:
    """Offset and integral of each slot's own rates in a spectrum event, by the reduction's own function.

    Parameters
    ----------
    spectrum : mapping
        The data of an event of the stream `spectrum`.
    settings : mapping
        The reduction settings of its start document.

    Raises
    ------
    reduction.spectra.normalise.ReductionError
        If the rates cannot be normalised.
    """
    chosen = Settings.from_mapping(settings)
    used = np.asarray(spectrum["used"]).astype(bool)
    energy, rate = np.asarray(spectrum["energy"])[used], np.asarray(spectrum["rate"])[:, :, used]
    offset, integral = np.full((2, *rate.shape[:2]), np.nan)
    for at in zip(*np.nonzero(np.isfinite(rate).any(axis=2)), strict=True):  # without the laser there are none with it
        result = normalise(rate[at], np.zeros_like(rate[at]), energy, chosen)
        offset[at], integral[at] = result.offset, result.integral
    return Normalisation(offset, integral)


def provisional_values(
    points: Mapping[str, Array], chosen: NDArray[np.bool_], normalisation: Normalisation | None
) -> tuple[dict[int, tuple[Array, Array]], tuple[Array, Array]]:
    """Spectra and transients of a pass that is not complete, each with its standard deviation.

    Parameters
    ----------
    points : mapping
        Rates by their keys in the stream `points`, shape (S, E), photons per I0 count.
    chosen : ndarray of bool, shape (E,)
        Points to show; others become NaN.
    normalisation : Normalisation or None
        That of the last complete spectrum, if any.

    Returns
    -------
    spectra : dict
        Laser off and on: value and standard deviation, shape (S, E). Without a normalisation, in units of the highest
        laser-off rate.
    transient : tuple of ndarray, shape (S, E)
        On minus off; without a normalisation divided by the laser-off rate of the point.
    """
    masked = {key: np.where(chosen, values, np.nan) for key, values in points.items()}
    rates = {OFF: (masked["off"], masked["off_stddev"]), ON: (masked["on"], masked["on_stddev"])}
    if normalisation is not None:
        spectra = {laser: normalisation.spectrum(laser, *rates[laser]) for laser in rates}
        return spectra, normalisation.transient(*rates[OFF], *rates[ON])
    off = np.where(masked["off"] > 0, masked["off"], np.nan)
    highest = np.nanmax(off) if np.isfinite(off).any() else np.nan
    spectra = {laser: (value / highest, stddev / highest) for laser, (value, stddev) in rates.items()}
    return spectra, (masked["difference"] / off, masked["difference_stddev"] / off)
