"""Count rate and pile-up along the scan."""

from __future__ import annotations

from typing import Any

import numpy as np

from beamline.outputs.live_figure.scan import LiveScan
from beamline.outputs.live_figure.shown import rates
from beamline.outputs.web.parts.spectra import LABELS
from beamline.outputs.web.values import series


def counting(scan: LiveScan) -> dict[str, Any]:
    """Photons per second and the fraction of hits with two photons or more; of this pass, and of earlier ones."""
    found = rates(scan)
    if found is None:
        return {}
    curves = (
        (found.rate, found.rate_stddev, "10⁶ photons / s"),
        (found.pile_up, found.pile_up_stddev, "hits with 2+ photons / %"),
    )
    return {
        "x_label": LABELS.get(scan.axis, scan.axis),
        "saturated": int(scan.bad_phases.max(initial=0)),
        "panels": [
            {"label": label, "series": [_chosen(scan, y, e, here) for here in (False, True)]} for y, e, label in curves
        ],
    }


def _chosen(scan: LiveScan, y: np.ndarray, stddev: np.ndarray, here: bool) -> dict[str, Any]:
    """Points measured in this pass, or those before."""
    name, look = ("this pass", "complete") if here else ("passes before", "before")
    return series(name, scan.energy, np.where(scan.in_pass == here, y, np.nan), stddev, look)
