"""Quantities that reveal drifts, as curves with errors over time: of each dwell, and of each pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beamline.outputs.live_figure.dwells import COLUMNS, DwellLog, PassLog
from beamline.outputs.live_figure.hours import COUNTING, hours_to
from beamline.outputs.live_figure.targets import falling_errors
from reduction.counting.pileup import multi_photon_fraction
from reduction.statistics.quantiles import chi_square_interval

Array = NDArray[np.float64]
HOUR = 3600.0


@dataclass(frozen=True)
class Curve:
    """Values with the limits of their error bars, shape (N,)."""

    x: Array
    y: Array
    low: Array
    high: Array

    def only(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Curve:
        """The selected values."""
        return Curve(*(each[chosen] for each in (self.x, self.y, self.low, self.high)))


MOST = 400
"""Points of a curve that are shown; of more dwells, the mean, lowest and highest of each group of neighbours are."""


def thinned(found: Curve, chosen: NDArray[np.bool_] | bool = True) -> Curve:
    """The chosen values that are there; of many, means of groups of neighbours with their extremes as bars."""
    shown = np.flatnonzero(np.isfinite(found.y) & chosen)
    size = -(-shown.size // MOST)
    if size <= 1:
        return found.only(shown)
    starts = np.arange(0, shown.size, size)
    x, y = found.x[shown], found.y[shown]
    mean_x, mean_y = (np.add.reduceat(each, starts) / np.diff(starts, append=shown.size) for each in (x, y))
    return Curve(mean_x, mean_y, np.minimum.reduceat(y, starts), np.maximum.reduceat(y, starts))


def curve(x: Array, y: Array, stddev: Array | float = np.nan) -> Curve:
    """Values with symmetric errors; NaN for missing readings."""
    reach = np.nan_to_num(stddev)
    return Curve(x, y, y - reach, y + reach)


def positions_of(log: DwellLog, table: dict[str, Array]) -> tuple[Array, str]:
    """Horizontal positions of dwells (minutes or hours since the first, or dwell number), and the axis label."""
    time = table["time"]
    if log.over == "dwells":
        return np.arange(1.0, time.size + 1), "number of the dwell"
    since = time - (time[0] if time.size else 0.0)
    unit = 60.0 if not time.size or since[-1] < 2 * HOUR else HOUR
    return since / unit, f"{'minutes' if unit == 60.0 else 'hours'} since the first dwell"


def of_dwells(log: DwellLog) -> dict[str, Any]:
    """Readings of each dwell against time or number.

    Returns
    -------
    dict
        ``x`` (D,) and its ``label``, ``on``, ``good`` and ``locked`` (D,) of bool, ``run`` (D,), and by name a
        `Curve`: ``i0`` (10^3 counts/s), ``ring`` (mA),
        ``lock`` (ps), ``rate`` (10^6 photons/s), ``pile_up`` (%), ``level`` (%: rate per I0 with the laser off against
        its mean at the same point), ``drift`` (%: thickness that the last result took out).
    """
    table, scan = log.table(), log.scan
    x, label = positions_of(log, table)
    noise = float(((scan.start or {}).get("settings") or {}).get("i0_noise", np.nan))
    with np.errstate(divide="ignore", invalid="ignore"):
        current = table["i0"] / table["i0_time"] - table["i0_dark"]
        flux = current / table["i0_gain"]
        relative = table["photons"] / flux
        of_relative = np.hypot(table["photons_stddev"] / table["photons"], np.nan_to_num(noise))
    photons, stddev = table["photons"], table["photons_stddev"]
    many = multi_photon_fraction
    to_rate = (scan.pattern.bunch_rate if scan.pattern is not None else np.nan) / 1e6
    on, good = table["laser_on"] == 1, table["good"] == 1
    level = against_mean(relative, table["point_index"], ~on & good)
    return {
        "x": x, "label": label, "on": on, "good": good, "run": table["run"], "locked": table["laser_locked"] != 0,
        "i0": curve(x, current / 1e3, noise * current / 1e3),
        "ring": curve(x, table["ring_current"]),
        "lock": curve(x, table["laser_lock_error"]),
        "rate": curve(x, photons * to_rate, stddev * to_rate),
        "pile_up": Curve(x, *(100 * many(each) for each in (photons, photons - stddev, photons + stddev))),
        "level": curve(x, 100 * level, 100 * of_relative),
        "drift": _taken_out(log, table, x),
    }  # fmt: skip


def _taken_out(log: DwellLog, table: dict[str, Array], x: Array) -> Curve:
    """Drift of the last result at each dwell, % of the mean thickness; NaN where none was taken out."""
    value, error = np.full(x.shape, np.nan), np.full(x.shape, np.nan)
    if log.drift is not None and np.isfinite(log.drift[0]).any():
        found, stddev = log.drift
        run, point = table["run"].astype(int), table["point_index"].astype(int)
        if log.swept:
            found, stddev = (np.broadcast_to(each.mean(axis=1)[:, None], each.shape) for each in (found, stddev))
        known = run < len(found)
        value[known], error[known] = (each[run[known], point[known]] for each in (found - np.nanmean(found), stddev))
    level = np.exp(value)
    return curve(x, 100 * (level - 1), 100 * level * error)


def against_mean(values: Array, point: Array, chosen: NDArray[np.bool_]) -> Array:
    """Relative deviation of the selected values from their mean at the same point; NaN for single values."""
    found = np.full(values.shape, np.nan)
    used = np.flatnonzero(chosen & np.isfinite(values))
    at = point[used].astype(int)
    number = np.bincount(at)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(at, values[used]) / number
    several = number[at] > 1
    found[used[several]] = values[used[several]] / mean[at[several]] - 1
    return found


def of_passes(log: DwellLog, dwells: Array, point: int | None) -> dict[str, Any]:
    """Results of each pass, at the position of its last dwell.

    Parameters
    ----------
    log : DwellLog
    dwells : ndarray, shape (D,)
        Positions of dwells, ``x`` of `of_dwells`; the last ones may be missing.
    point : int or None

    Returns
    -------
    dict
        By name: ``excess`` (Curve: variance over that of counting, 95 % interval), ``residual`` (Curve: transient
        in the last slot, % of the first less the last), ``x`` (n,), ``spent`` (n,) hours of dwelling, and ``needed``,
        a Curve for each slot: hours of dwelling until its transient at `point` is 3 standard deviations.
    """
    begun = [each for each in log.passes.values() if each.dwells.size]
    seconds = [each.dwells[COLUMNS.index("i0_time")] for each in begun]
    shown = np.minimum(np.cumsum([each.size for each in seconds]), dwells.size)
    x = dwells[shown - 1] if begun else np.empty(0)
    columns = [_excess(each) for each in begun]
    last = int(np.argmax(log.scan.probe_delays)) if begun else 0
    residual = [_residual(each, last) for each in begun]
    slots = log.scan.num_slots
    given = [_given(each, float(np.nanmean(dwell)), point, slots) for each, dwell in zip(begun, seconds, strict=True)]
    falling = COUNTING if point is None else falling_errors(log, point)
    value, stddev, spent = np.moveaxis(np.array(given).reshape(-1, 3, slots), 1, 0)
    needed = hours_to(value, stddev, spent, falling)
    return {
        "excess": Curve(x, *np.array(columns).reshape(-1, 3).T),
        "residual": curve(x, *(100 * np.array(residual).reshape(-1, 2).T)),
        "x": x,
        "spent": np.cumsum([each.sum() / HOUR for each in seconds]),
        "needed": [Curve(x, *(each[:, slot] for each in needed)) for slot in range(slots)] if given else [],
    }


def _excess(log: PassLog) -> tuple[float, float, float]:
    """Scan-to-scan variance of slot 0 over that of counting; of a delay scan, reduced chi-square of the fit."""
    diagnostics, fit = log.results.get("honesty", {}), log.results.get("kinetics", {})
    if "scatter" in diagnostics:
        ratio, low, high = np.asarray(diagnostics["scatter"])[0][:3].tolist()
        return ratio, low, high
    if fit.get("fitted") and fit["freedom"] > 0:
        ratio = float(fit["chi_square"]) / float(fit["freedom"])
        return ratio, *chi_square_interval(ratio, float(fit["freedom"]))
    return np.nan, np.nan, np.nan


def _residual(log: PassLog, last: int) -> tuple[float, float]:
    """Residual transient in the last slot, with its error."""
    spectrum = log.results.get("spectrum", {})
    if "residual" not in spectrum:
        return np.nan, np.nan
    return float(spectrum["residual"][last]), float(spectrum["residual_stddev"][last])


def _given(log: PassLog, seconds: float, point: int | None, slots: int) -> Array:
    """Transient of each slot at a point, its standard deviation, and the hours spent on it, shape (3, S).

    From the result at the end of a pass, whose errors include over-dispersion; before that from the sums.
    """
    if point is None or point not in log.sums:
        return np.full((3, slots), np.nan)
    (value, stddev), dwells = log.sums[point]
    result = log.results.get("spectrum") or log.results.get("trace")
    if result is not None and "transient" in result:
        value, stddev = (np.asarray(result[key])[:, point] for key in ("transient", "transient_stddev"))
    return np.array([value, stddev, np.full(slots, dwells / log.pattern * log.planned * seconds / HOUR)])
