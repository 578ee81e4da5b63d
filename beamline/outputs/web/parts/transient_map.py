"""The map of delay and energy: the transient of each slot of each scan of the sample."""

from __future__ import annotations

from typing import Any

from beamline.formatting import format_delay, printable
from beamline.outputs.live_figure.series import MapRow, ScansOfSample, map_scale
from beamline.outputs.web.values import numbers
from reduction.documents.raw import ENERGY_AXIS


def transient_map(content: ScansOfSample) -> dict[str, Any]:
    """Rows, the shortest delay first; empty without an energy scan."""
    rows = content.rows() if content.scan.axis == ENERGY_AXIS else []
    if not rows:
        return {}
    linear, most = numbers(map_scale(rows))
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
