"""The map of delay and energy: the transient of each slot of each scan of the sample."""

from __future__ import annotations

from typing import Any

import numpy as np

from beamline.formatting import format_delay, printable
from beamline.outputs.live_figure.series import MapRow, ScansOfSample
from beamline.outputs.web.values import numbers
from reduction.documents.raw import ENERGY_AXIS


def transient_map(content: ScansOfSample) -> dict[str, Any]:
    """Rows, the shortest delay first; empty without an energy scan."""
    rows = content.rows() if content.scan.axis == ENERGY_AXIS else []
    if not rows:
        return {}
    noise = 100 * float(np.nanmedian(np.concatenate([row.stddev for row in rows])))
    highest = 100 * float(np.nanmax(np.abs(np.concatenate([row.value for row in rows]))))
    linear, most = numbers([max(noise, 1e-9), max(highest, noise)])
    return {
        "rows": [_row(row) for row in rows],
        "linear": linear,
        "highest": most,
        "sentences": [printable(each) for each in content.views()],
    }


def _row(row: MapRow) -> dict[str, Any]:
    return {
        "name": f"{format_delay(row.delay)}, slot {row.slot}, {row.scan_set[:4]}",
        "delay": row.delay,
        "slot": row.slot,
        "provisional": row.provisional,
        "x": numbers(row.energy),
        "y": numbers(100 * row.value),
        "e": numbers(100 * row.stddev),
    }
