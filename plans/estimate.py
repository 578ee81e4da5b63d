"""How long a scan will take, in beamline seconds, before it starts."""

from __future__ import annotations

MOVE_TIME = 0.3
"""Beamline seconds of a step of the monochromator within an edge, settling included."""
SHUTTER_TIME = 0.02
"""Beamline seconds of the laser shutter's travel."""
OVERHEAD = 0.012
"""Wall seconds of messages and Channel Access for each dwell."""


def pass_duration(points: int, dwells_a_point: int, dwell: float, clock_rate: float = 1.0) -> float:
    """Beamline seconds of one pass over a grid.

    Parameters
    ----------
    points, dwells_a_point : int
    dwell : float
        Beamline seconds of each dwell.
    clock_rate : float
        Beamline seconds a wall second; overhead is wall time and so costs this much more beamline time.
    """
    dwells = points * dwells_a_point
    return points * MOVE_TIME + dwells * (dwell + SHUTTER_TIME / 2 + OVERHEAD * clock_rate)
