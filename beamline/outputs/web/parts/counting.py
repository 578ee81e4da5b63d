"""Count rate and pile-up along the scan."""

from __future__ import annotations

from typing import Any

import numpy as np

from beamline.outputs.live_figure.scan import LiveScan
from beamline.outputs.web.parts.spectra import LABELS
from beamline.outputs.web.values import series
from reduction.counting.pileup import multi_photon_fraction


def counting(scan: LiveScan) -> dict[str, Any]:
    """Photons per second and the fraction of hits with two photons or more; of this pass, and of earlier ones."""
    if not scan.points or scan.pattern is None:
        return {}
    photons = scan.points["photons"].mean(axis=0)
    # The slots of one dwell are counted independently.
    stddev = np.sqrt((scan.points["photons_stddev"] ** 2).sum(axis=0)) / scan.num_slots
    to_rate = scan.pattern.bunch_rate / 1e6
    piled = [multi_photon_fraction(photons + sign * stddev) for sign in (-1, 0, 1)]
    curves = {
        "rate": (photons * to_rate, stddev * to_rate, "10⁶ photons / s"),
        "pile_up": (100 * piled[1], 50 * (piled[2] - piled[0]), "hits with 2+ photons / %"),
    }
    return {
        "x_label": LABELS.get(scan.axis, scan.axis),
        "saturated": int(scan.bad_phases.max(initial=0)),
        "panels": [
            {"label": label, "series": [_chosen(scan, y, e, here) for here in (False, True)]}
            for y, e, label in curves.values()
        ],
    }


def _chosen(scan: LiveScan, y: np.ndarray, stddev: np.ndarray, here: bool) -> dict[str, Any]:
    """Points measured in this pass, or those before."""
    name, look = ("this pass", "complete") if here else ("passes before", "before")
    return series(name, scan.energy, np.where(scan.in_pass == here, y, np.nan), stddev, look)
