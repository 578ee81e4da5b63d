"""Hours until the named quantities of a scan have their wanted errors, what would help most, and how errors fall from
now on: by the prediction that allocates time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beamline.config.forecast import ForecastFileError
from beamline.outputs.live_figure.dwells import DwellLog
from beamline.outputs.live_figure.hours import COUNTING, TIMES
from plans.protocols import MoveTimes
from reduction.allocation.expected import ExpectedGrid
from reduction.allocation.names import TargetError
from reduction.allocation.predicted import BY, PredictedGrid, predicted
from reduction.documents.results import variogram_of
from reduction.errors import ReductionError
from reduction.settings import Settings

Array = NDArray[np.float64]
HOUR = 3600.0


@dataclass(frozen=True)
class Outlook:
    """Hours of beam time that are left to the targets, None where none are predicted, and advice, empty without any."""

    hours: float | None = None
    advice: str = ""


def outlook(content: DwellLog) -> Outlook:
    """After the last whole pass, with the rates and the noise that were measured so far.

    Empty where a scan names no quantities, has other grids beside this one, or nothing can be predicted here: no point
    is counted yet, or its forecast file is elsewhere.
    """
    return content.once("outlook", lambda: _outlook(content), Outlook()) if content.ended else Outlook()


def _outlook(content: DwellLog) -> Callable[[], Outlook]:
    """The prediction, with what is known now."""
    start = content.scan.start or {}
    if not isinstance(start.get("target"), list) or len(start.get("members") or [start]) > 1:
        return Outlook
    photons, done = _so_far(content, len(start["pattern"]))
    if not np.isfinite(photons).all():
        return Outlook
    return partial(_predicted_outlook, start, photons, done, _last_results(content), content.transmission)


def _predicted_outlook(
    start: Mapping[str, Any], photons: Array, done: Array, results: Mapping[str, Any], transmission: float | None
) -> Outlook:
    from beamline.session.scans.allocated import AllocationContext, MeasuredGrid, advice, allocated  # few scans need it

    context, noise = AllocationContext(MoveTimes(), 1.0), float(results.get("dwell_noise", np.nan))
    lags = variogram_of(results) if "noise_lag" in results else None
    seen = [MeasuredGrid(photons, noise if np.isfinite(noise) else None, lags)]
    try:
        found = allocated(start, context, seen)
        helps = advice(start, context, seen, found, transmission)
    except (TargetError, ReductionError, ForecastFileError, OSError):
        return Outlook()
    left, costs = np.maximum(found.cycles[0] - done, 0.0), context.costs(start)
    spent = costs.of_cycle(found.pattern, float(start["dwell"])) * float(left.sum()) + costs.of_visits(left)
    return Outlook(spent / HOUR, helps)


def _last_results(content: DwellLog) -> dict[str, Any]:
    """All that the last whole pass has."""
    return {key: value for each in content.whole[-1:] for data in each.results.values() for key, value in data.items()}


def falling_errors(content: DwellLog, point: int) -> Array:
    """Errors of the transient of each slot at a point after `TIMES` the present time, over those of now, shape (S, T).

    Predicted after the last whole pass, as for an allocation, for its rates and its noise: what all
    points share falls more slowly than counting. Those of counting where nothing can be predicted.
    """
    counting = np.broadcast_to(COUNTING, (content.scan.num_slots, COUNTING.size))
    if not content.ended:
        return counting
    return content.once(("errors", point), lambda: _falling(content, point, counting), counting)


def _falling(content: DwellLog, point: int, counting: Array) -> Callable[[], Array]:
    """The prediction, with what is known now."""
    start, results = content.scan.start or {}, _last_results(content)
    pattern = tuple(start.get("pattern") or ())
    photons, done = _so_far(content, max(len(pattern), 1))
    grid = measured_grid(content, photons, float(results.get("dwell_noise", np.nan)))
    if grid is None or grid.settings.reference not in BY or not {0, 1} <= set(pattern) or not done.all():
        return lambda: counting
    return partial(_predicted_errors, grid, pattern, done, point, counting)


def _predicted_errors(grid: ExpectedGrid, pattern: tuple[int, ...], done: Array, point: int, counting: Array) -> Array:
    try:
        now, *later = (_errors(predicted(grid, pattern, done * times), point) for times in (1.0, *TIMES))
    except (ReductionError, np.linalg.LinAlgError):
        return counting
    ratio = (np.array(later) / now).T
    known = np.asarray(np.isfinite(ratio).all(axis=1))
    return np.where(known[:, None], ratio, counting)


def _errors(grid: PredictedGrid, point: int) -> Array:
    """Of the transient of each slot at a point, shape (S,); NaN where a slot has none."""
    found, there = np.full(len(grid.transient), np.nan), np.isfinite(grid.transient).all(axis=1)
    weights = np.zeros((found.size, *grid.transient.shape))
    weights[range(found.size), range(found.size), point] = 1.0
    found[there] = np.sqrt(grid.variance(weights[there]).total)
    return found


def measured_grid(content: DwellLog, photons: Array, noise: float) -> ExpectedGrid | None:
    """The grid of a scan with the rates that it has; None if some are missing."""
    start, pattern, whole = content.scan.start or {}, content.scan.pattern, content.whole
    if pattern is None or not whole or len(whole[-1].rates) != photons.size or not np.isfinite([noise, *photons]).all():
        return None
    rates = np.stack([whole[-1].rates[index] for index in range(photons.size)], axis=2)
    if not np.isfinite(rates).all():
        return None
    chosen = {name: value for name, value in start["settings"].items() if (name, value) != ("reference", "")}
    dwell = float(start.get("dwell") or np.nanmedian(content.table("i0_time")["i0_time"]))
    slots, none = pattern.slot_of_phase(), np.zeros((2, pattern.num_slots))
    phases = np.bincount(slots[slots >= 0], minlength=pattern.num_slots).astype(np.float64)
    return ExpectedGrid(
        content.scan.axis, content.scan.energy, rates * float(photons.mean() / rates.mean()), none, none,
        gates=pattern.bunch_rate / pattern.num_phases, phases=phases, dwell=dwell, noise=noise,
        settings=Settings.from_mapping(chosen), slot_delays=np.asarray(content.scan.probe_delays, np.float64),
    )  # fmt: skip


def _so_far(content: DwellLog, cycle: int) -> tuple[Array, Array]:
    """Photons a pulse and complete cycles of each point, shape (N,); NaN photons where none were counted."""
    number, table = content.scan.energy.size, content.table("point_index", "photons")
    done, last = np.zeros(number), dict[int, tuple[Array, int]]()
    for one in content.passes.values():
        last |= one.sums
    for index, (_, summed) in last.items():
        done[index] = summed // cycle
    counted = np.isfinite(table["photons"])
    if content.swept:
        return np.full(number, np.mean(table["photons"][counted]) if counted.any() else np.nan), done
    point = table["point_index"][counted].astype(np.int64)
    dwells = np.bincount(point, minlength=number)
    total = np.bincount(point, table["photons"][counted], minlength=number)
    return np.where(dwells > 0, total / np.maximum(dwells, 1), np.nan), done
