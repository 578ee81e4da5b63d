"""What is shown of a scan, by the live figure and by the page in the browser alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from beamline.outputs.live_figure.fit import RunningFit, running_fit, stored_fit
from beamline.outputs.live_figure.provisional import provisional_values
from beamline.outputs.live_figure.scan import LiveScan
from reduction.counting.pileup import multi_photon_fraction
from reduction.documents.covariances import covariance_of_slot
from reduction.documents.raw import ENERGY_AXIS

Array = NDArray[np.float64]
Values = tuple[Array, Array]
"""Value and standard deviation, shape (S, E)."""
Spectra = tuple[dict[int, Values], Values]
"""Laser off and on, and their difference."""


@dataclass(frozen=True)
class Rates:
    """Count rate and pile-up of each point, shape (E,).

    Attributes
    ----------
    photons : ndarray
        A pulse.
    rate, rate_stddev : ndarray, 10^6 photons / s
    pile_up, pile_up_stddev : ndarray, %
        Hits with two photons or more.
    """

    photons: Array
    rate: Array
    rate_stddev: Array
    pile_up: Array
    pile_up_stddev: Array


def rates(scan: LiveScan) -> Rates | None:
    """Of the sums so far; None without points."""
    if not scan.points or scan.pattern is None:
        return None
    photons = scan.points["photons"].mean(axis=0)
    # The slots of one dwell are counted independently.
    stddev = np.sqrt((scan.points["photons_stddev"] ** 2).sum(axis=0)) / scan.num_slots
    to_rate = scan.pattern.bunch_rate / 1e6
    fraction = [multi_photon_fraction(photons + sign * stddev) for sign in (-1, 0, 1)]
    return Rates(photons, photons * to_rate, stddev * to_rate, 100 * fraction[1], 50 * (fraction[2] - fraction[0]))


def pass_under_way(scan: LiveScan) -> Spectra | None:
    """The pass of an energy scan that is not complete; None if it is, or cannot be shown on the scale of the last."""
    unfit = scan.spectrum is not None and scan.normalisation is None
    if scan.complete or unfit or not scan.points:
        return None
    return provisional_values(scan.points, scan.in_pass, scan.normalisation)


def sums_so_far(scan: LiveScan) -> Spectra | None:
    """Rates and differences relative to laser off, of all passes: sums of a point include them. None without points."""
    if not scan.points:
        return None
    return provisional_values(scan.points, np.ones(scan.energy.size, np.bool_), None)


class TraceFit:
    """The fit through slot 0 of a delay or fluence scan, made anew only if there is something new.

    Attributes
    ----------
    fit : RunningFit or None
    text : str
        Empty without a fit.
    """

    def __init__(self) -> None:
        self.fit: RunningFit | None = None
        self._fitted: object = None
        self._state = ""

    @property
    def text(self) -> str:
        return "" if self.fit is None else f"fit{self._state}: {self.fit.text}"

    def follow(self, scan: LiveScan) -> bool:
        """Fit what has been measured; False if nothing has changed."""
        state = ((scan.start or {}).get("uid", ""), scan.reduced, scan.complete, bool(scan.kinetics))
        if state == self._fitted:
            return False
        self._fitted = state
        self._state = "" if scan.complete and scan.trace is not None else " so far"
        self.fit = _fit(scan)
        return True


def _fit(scan: LiveScan) -> RunningFit | None:
    found = sums_so_far(scan)
    if scan.axis == ENERGY_AXIS or found is None:
        return None
    trace = scan.trace if scan.complete else None
    if trace is None:
        value, stddev = found[1]
        return running_fit(scan.axis, scan.energy, value[0], stddev[0], False)
    value, stddev = (np.asarray(trace[key])[0] for key in ("transient", "transient_stddev"))
    stored = stored_fit(scan.energy, scan.kinetics)
    return stored or running_fit(scan.axis, scan.energy, value, stddev, True, covariance_of_slot(trace, 0))
