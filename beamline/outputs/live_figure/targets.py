"""Hours until the named quantities of a scan have their wanted errors, by the prediction that allocates its time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from beamline.config.forecast import ForecastFileError
from beamline.outputs.live_figure.dwells import DwellLog
from plans.protocols import MoveTimes
from reduction.allocation.names import TargetError
from reduction.errors import ReductionError

HOUR = 3600.0


def hours_to_targets(content: DwellLog) -> float | None:
    """Hours of beam time that are left after the last whole pass; predicted once a pass, see `_predicted`."""
    ended = sum(bool(each.results) for each in content.passes.values())
    if content.hours_left[0] != ended:
        content.hours_left = (ended, _predicted(content) if ended else None)
    return content.hours_left[1]


def _predicted(content: DwellLog) -> float | None:
    """Hours that are left with the rates that were measured so far.

    None where a scan names no quantities, has other grids beside this one, or nothing can be predicted here: no point
    is counted yet, or its forecast file is elsewhere.
    """
    start = content.scan.start or {}
    if not isinstance(start.get("target"), list) or len(start.get("members") or [start]) > 1:
        return None
    photons, done = _so_far(content, len(start["pattern"]))
    if not np.isfinite(photons).all():
        return None
    from beamline.session.scans.allocated import AllocationContext, MeasuredGrid, allocated  # few scans need it

    context = AllocationContext(MoveTimes(), 1.0)
    try:
        found = allocated(start, context, [MeasuredGrid(photons)])
    except (TargetError, ReductionError, ForecastFileError, OSError):
        return None
    left, costs = np.maximum(found.cycles[0] - done, 0.0), context.costs(start)
    return (costs.of_cycle(found.pattern, float(start["dwell"])) * float(left.sum()) + costs.of_visits(left)) / HOUR


def _so_far(content: DwellLog, cycle: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Photons a pulse and complete cycles of each point, shape (N,); NaN photons where none were counted."""
    number, table = content.scan.energy.size, content.table()
    counted = np.isfinite(table["photons"])
    point = table["point_index"][counted].astype(np.int64)
    dwells = np.bincount(point, minlength=number)
    total = np.bincount(point, table["photons"][counted], minlength=number)
    done = np.zeros(number)
    for index, (_, summed) in (item for one in content.passes.values() for item in one.sums.items()):
        done[index] = summed // cycle
    return np.where(dwells > 0, total / np.maximum(dwells, 1), np.nan), done
