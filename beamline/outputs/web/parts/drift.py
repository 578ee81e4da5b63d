"""Drifts: readings of the dwells, results of each pass, and the hours until a transient is significant."""

from __future__ import annotations

from typing import Any

import numpy as np

from beamline.outputs.live_figure.drift_body import format_hours, format_needed_time, of_targets
from beamline.outputs.live_figure.drifts import Curve, of_dwells, of_passes, thinned
from beamline.outputs.live_figure.dwells import DwellLog
from beamline.outputs.live_figure.hours import WANTED
from beamline.outputs.live_figure.targets import outlook
from beamline.outputs.web.values import numbers
from reduction.documents.raw import AXES, DELAY_AXIS

LABELS = {
    "i0": "I0 / (10³ counts/s)",
    "ring": "ring current / mA",
    "lock": "laser lock error / ps",
    "level": "laser-off rate against its point / %",
}


def drift(content: DwellLog) -> dict[str, Any]:
    """Curves over time, and hours to go; empty without dwells."""
    dwells = of_dwells(content)
    if not dwells["x"].size:
        return {}
    point = content.chosen_point()
    passes = of_passes(content, dwells["x"], point)
    good = dwells["good"]
    curves = {name: (dwells[name], good & (dwells["locked"] | (name != "lock"))) for name in LABELS}
    return {
        "x_label": dwells["label"],
        "dwells": [
            {
                "label": LABELS[name],
                "off": _plain(thinned(found, use & ~dwells["on"])),
                "on": _plain(thinned(found, use & dwells["on"])),
            }
            for name, (found, use) in curves.items()
        ],
        "bad": int((~good).sum()),
        "passes": [
            {"label": "scatter over counting, variance", "line": 1.0, "curve": _plain(passes["excess"])},
            {"label": "residual in the last slot / %", "line": 0.0, "curve": _plain(passes["residual"])},
        ],
        "hours": _hours(content, passes, point),
    }


def _plain(found: Curve) -> dict[str, Any]:
    there = np.isfinite(found.y)
    columns = zip(("x", "y", "low", "high"), (found.x, found.y, found.low, found.high), strict=True)
    return {name: numbers(values[there]) for name, values in columns}


def _hours(content: DwellLog, passes: dict[str, Any], point: int | None) -> dict[str, Any]:
    """Hours of dwelling to go for each slot, in sentences."""
    scan = content.scan
    if point is None or not passes["needed"] or not passes["spent"].size:
        return {}
    value, unit = float(scan.energy[point]), AXES[scan.axis][1]
    spent, first = float(passes["spent"][-1]), value if scan.axis == DELAY_AXIS else 0.0
    return {
        "title": f"hours to {WANTED:g} standard deviations at {value:.7g} {unit}",
        "spent": f"dwelled so far: {format_hours(spent)}{of_targets(content)}",
        "lines": [
            format_needed_time(each, spent, slot, first + float(scan.probe_delays[slot]))
            for slot, each in enumerate(passes["needed"])
        ],
        "advice": outlook(content).advice,
    }
