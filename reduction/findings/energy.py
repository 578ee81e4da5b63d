"""Energy calibration on a foil: its edge against the tabulated energy, and the backlash by direction."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, inf, nan

import numpy as np
from numpy.typing import NDArray

from reduction.findings.causes import has_beam, why_no_light
from reduction.findings.finding import GOOD, Array, FindingCurve, FindingResult, not_found
from reduction.spectra.calibrate import Calibration, calibrate

NAME, UNIT = "energy", "eV"
EV = 1e3
SURE = 0.05
"""eV; largest error of a good offset."""
NEIGHBOURS = 7
"""Points over which the scatter of repeats is pooled."""
LEAST_STEP = 0.02
"""Absorbance by which a foil has to change over the scan."""


@dataclass(frozen=True)
class FoilScan:
    """Absorbance of a foil against the energy.

    Attributes
    ----------
    energy : ndarray, shape (N,), keV
        As shown.
    absorbance : ndarray, shape (N,)
        ln(before / behind); NaN where a chamber has no current.
    upwards : ndarray of bool, shape (N,)
        Whether the energy was approached from below.
    e0 : float, keV
        Tabulated energy of the edge.
    edge : str
        Its name.
    i0_rate : ndarray, shape (N,), counts/s
    i0_least : float, counts/s
        From which on there is beam.
    """

    energy: Array
    absorbance: Array
    upwards: NDArray[np.bool_]
    e0: float
    edge: str
    i0_rate: Array
    i0_least: float


def find_energy(scan: FoilScan) -> FindingResult:
    """Find the offset of the energy.

    Returns
    -------
    FindingResult
        True minus shown energy, eV, approached from below; `settings` has ``calibration`` in keV. Numbers: position of
        the edge, and by how much lower the same energy is shown from above.
    """
    up = _mean(scan, scan.upwards)
    curve = FindingCurve(*up, np.empty(0), np.empty(0), "energy / keV", "absorbance of the foil")
    if not has_beam(scan.i0_rate, scan.i0_least):
        return not_found(NAME, UNIT, why_no_light(inf, scan.i0_rate, scan.i0_least), curve, {})
    if not np.isfinite(scan.absorbance).all():
        why = "Dead chamber: no current before or behind the foil. Check its amplifier and its cable."
        return not_found(NAME, UNIT, why, curve, {})
    if np.ptp(up[1]) < max(LEAST_STEP, 5 * float(np.median(up[2]))):
        why = f"No edge: the absorbance changes by {np.ptp(up[1]):.2g}. Is the foil of {scan.edge} in the beam?"
        return not_found(NAME, UNIT, why, curve, {})
    try:
        found = calibrate(*up, scan.e0)
    except ValueError as error:
        why = f"No edge of {scan.edge}: {error}. Is the foil of another element, or the energy further off?"
        return not_found(NAME, UNIT, why, curve, {})
    return _judged(scan, found, curve)


def _judged(scan: FoilScan, found: Calibration, curve: FindingCurve) -> FindingResult:
    backlash, stddev = _backlash(scan, found)
    numbers = {
        "position_keV": (found.position, found.stddev),
        "backlash_eV": (backlash, stddev),
    }
    offset, error = EV * found.shift, EV * found.stddev
    what = (
        f"True energies are {offset:+.3f} eV from those shown, by the edge of {scan.edge}; backlash {backlash:.2f} eV"
    )
    result = FindingResult(
        NAME, offset, error, UNIT, GOOD, f"{what}.", curve, {"calibration": found.shift}, numbers
    )  # fmt: skip
    if not error < SURE:
        return result.with_doubt(f"{what}. Its error is {error:.2f} eV: count longer.")
    return result


def _backlash(scan: FoilScan, found: Calibration) -> tuple[float, float]:
    """Position of the edge from below minus from above (eV), and its error; NaN without a scan from above."""
    if scan.upwards.all():
        return nan, nan
    try:
        above = calibrate(*_mean(scan, ~scan.upwards), scan.e0)
    except ValueError:
        return nan, nan
    return EV * (found.position - above.position), EV * hypot(found.stddev, above.stddev)


def _mean(scan: FoilScan, used: NDArray[np.bool_]) -> tuple[Array, Array, Array]:
    """Energies, mean absorbances, and errors from the scatter of the repeats, pooled over neighbours.

    On the edge the noise is larger, since the energy is not exactly repeated.
    """
    energy, place = np.unique(scan.energy[used].round(7), return_inverse=True)
    number = np.bincount(place)
    mean = np.bincount(place, scan.absorbance[used]) / number
    squares = np.bincount(place, (scan.absorbance[used] - mean[place]) ** 2)
    window = np.ones(min(NEIGHBOURS, energy.size))
    squares, freedom = (np.convolve(each, window, "same") for each in (squares, number - 1.0))
    return energy, mean, np.sqrt(squares / np.maximum(freedom, 1.0) / number)
