"""Converts events of a raw run to dwells, and finds the reason why one is rejected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.counting.account import SAME_GAIN
from reduction.counting.currents import CurrentReading
from reduction.counting.dwell import GOOD, Dwell
from reduction.counting.pairs import Pairs
from reduction.counting.phases import Pattern
from reduction.documents.detectors import LASER_PHASE, Detector, current
from reduction.documents.live_time import LiveCounts, live_counts
from reduction.documents.raw import BUNCH_MONITOR, BUNCH_RECORD, ENERGY_AXIS, RawRun, number
from reduction.errors import DocumentError

SAME_CONDITION = 0.01
"""Relative; how far a reading that the background depends on may be from where it was."""


def dwell_of(
    event: Mapping[str, Any],
    run: RawRun,
    pattern: Pattern,
    before: int | None = None,
    monitor: bool = False,
    detector: Detector | None = None,
) -> Dwell:
    """One event as a dwell of one counter.

    Parameters
    ----------
    event : mapping
    run : RawRun
    pattern : Pattern
        As at the start of the run.
    before : int, optional
        Laser phase of the preceding event of the same run.
    monitor : bool
        Whether the event is of the stream `MONITOR`; its sequence number then numbers the dwell.
    detector : Detector, optional
        By default the first counter of the run.

    Raises
    ------
    DocumentError
        If a key is missing, an array has the wrong length or type, or `laser_on` is neither 0 nor 1.
    """
    data, detector = event["data"], detector or run.counters[0]
    try:
        counts = live_counts(data, detector) if detector.live_time else None
        hits, gates = _hits_and_gates(data, detector, pattern) if counts is None else (counts.hits, counts.gates)
        of_all = data[LASER_PHASE] if run.pumped else data.get(LASER_PHASE, 0)
        laser_phase = int(of_all if counts is not None else data.get(detector.key("laser_phase"), of_all))
        return Dwell(
            pass_uid=run.uid,
            point=int(data["point_index"]),
            segment=int(event["seq_num"] if monitor else data["segment"]),
            attempt=int(data["attempt"]),
            laser_on=_laser_on(data["laser_on"]),
            quality=_quality(data, run, pattern, laser_phase, before, counts),
            flux=_flux(data, pattern.bunch_rate, run.settings.i0_dark),
            hits=detector.capped(hits, gates),
            gates=gates,
            laser_phase=laser_phase,
            pairs=_pairs(data, detector, pattern.num_phases, run.settings.after_effects),
            gain=float(data["i0_gain"]),
            off_point=0.0 if monitor else _off_point(data, run),
            time=_beamline_time(event, run),
            seconds=float(data["i0_time"]),
            currents=_currents(event, run, pattern),
            monitor=monitor,
            live_shift=counts.shift if counts is not None else 0.0,
        )
    except KeyError as error:
        raise DocumentError(f"event {event.get('seq_num')} of run {run.uid} lacks {error}") from error


def doubts_about_background(data: Mapping[str, Any], run: RawRun) -> dict[str, str]:
    """Reasons to doubt the background of a scan, by subject.

    Parameters
    ----------
    data : mapping
        Data of an event.
    run : RawRun
    """
    settings, doubts = run.settings, {}
    taken = settings.background_time
    if taken is not None and (age := run.time - taken) > settings.background_age:
        doubts["age"] = (
            f"The background is {age / 3600:.1f} h old, and {settings.background_age / 3600:.1f} h are allowed:"
            " take a new one."
        )
    for key, value in settings.background_conditions:
        now = number(data.get(key)) if key != run.axis else value  # a fluence scan scales its background
        if np.isfinite(now) and abs(now - value) > SAME_CONDITION * abs(value):
            doubts[key] = f"The background was taken with {key} {value:g}, this scan has {now:g}: take a new one."
    return doubts


def doubts_about_detectors(descriptor: Mapping[str, Any], run: RawRun) -> dict[str, str]:
    """Detectors of a scan that are not those of its background, by data key, a note each.

    Parameters
    ----------
    descriptor : mapping
        Of the primary stream.
    run : RawRun
    """
    keys, doubts = descriptor["data_keys"], {}
    for key, record in run.settings.background_records:
        now = keys.get(key, {}).get("source")
        if now is not None and now != record:
            doubts[key] = (
                f"The background was taken with another detector, {record}; this scan has {now}: take a new one."
            )
    return doubts


def _beamline_time(event: Mapping[str, Any], run: RawRun) -> float:
    """Beamline seconds from the start of the run to the middle of the dwell, which has just ended."""
    since = (number(event.get("time")) - run.time) * run.clock_rate
    return since - float(event["data"]["i0_time"]) / 2


def _currents(event: Mapping[str, Any], run: RawRun, pattern: Pattern) -> CurrentReading | None:
    """Currents of the bunches that were read with an event; None without, or if the settings do not use them."""
    record, monitor = (key.format(run.bunch_currents) for key in (BUNCH_RECORD, BUNCH_MONITOR))
    data = event["data"]
    if run.settings.bunch_currents == "off" or not run.bunch_currents:
        return None
    if monitor in data:
        values = _by_bunch(data[monitor], monitor, pattern)
        variance = np.asarray(data.get(f"{monitor}_stddev", np.full(pattern.num_phases, np.nan))) ** 2
        turns = pattern.num_phases // pattern.num_bunches
        stddev = np.sqrt(_by_bunch(variance, f"{monitor}_stddev", pattern) / turns)
        return CurrentReading(values, stddev=None if np.isnan(stddev).any() else stddev)
    if record not in data:
        return None
    values = np.asarray(data[record], dtype=np.float64)
    if values.shape != (pattern.num_bunches,):
        raise DocumentError(f"{record} has shape {values.shape}, not {pattern.num_bunches} bunches")
    stamp = number(event.get("timestamps", {}).get(record))
    return CurrentReading(values, (stamp - run.time) * run.clock_rate)


def _by_bunch(values: Any, key: str, pattern: Pattern) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (pattern.num_phases,):
        raise DocumentError(f"{key} has shape {array.shape}, not {pattern.num_phases} phases")
    return array.reshape(-1, pattern.num_bunches).mean(axis=0)


def _laser_on(value: Any) -> bool:
    if value not in (0, 1):
        raise DocumentError(f"laser_on is {value!r}, neither 0 (off) nor 1 (on)")
    return bool(value)


def _quality(
    data: Mapping[str, Any],
    run: RawRun,
    pattern: Pattern,
    laser_phase: int,
    before: int | None,
    live: LiveCounts | None,
) -> str:
    """Quality of the event, unless the laser slipped, an element is full, or I0 has a dark of another gain."""
    reasons = [str(data["quality"])] if data["quality"] != GOOD else []
    reasons += [live.fault] if live is not None and live.fault else []
    reasons += [slip] if run.pumped and (slip := pattern.slip(laser_phase, before)) else []
    gain, taken_at = float(data["i0_gain"]), run.settings.i0_dark_gain
    if run.settings.i0_dark is not None and taken_at is not None and abs(gain - taken_at) > SAME_GAIN * taken_at:
        reasons.append(f"I0 at gain {gain:.3g}, its dark taken at {taken_at:.3g}: take a background run at this gain")
    return "; ".join(reasons) or GOOD


def _off_point(data: Mapping[str, Any], run: RawRun) -> float:
    """Energy readback minus the energy of the point, keV; 0 if either is unknown."""
    point, energy = int(data["point_index"]), number(data.get(ENERGY_AXIS))
    if run.axis != ENERGY_AXIS or not 0 <= point < run.grid.size or not np.isfinite(energy):
        return 0.0
    return float(energy - run.grid[point])


def _hits_and_gates(data: Mapping[str, Any], detector: Detector, pattern: Pattern) -> tuple[NDArray[np.int64], ...]:
    return tuple(_counts(data[key], key, pattern.num_phases) for key in detector.needed)


def _counts(value: Any, key: str, num_phases: int) -> NDArray[np.int64]:
    array = np.asarray(value)
    if array.shape != (num_phases,) or array.dtype.kind not in "iu":
        raise DocumentError(f"{key} is {array.dtype} of shape {array.shape}, not {num_phases} integers")
    return array.astype(np.int64)


def _pairs(data: Mapping[str, Any], detector: Detector, num_phases: int, needed: bool) -> Pairs | None:
    """Pair counters of an event; None if it has none and none are needed."""
    keys = detector.pair_keys
    if not keys:
        return None
    if missing := [key for key in keys.values() if key not in data]:
        if needed:
            raise KeyError(", ".join(missing))
        return None
    arrays = {name: np.asarray(data[key]) for name, key in keys.items()}
    shape = arrays["gates"].shape
    for name, array in arrays.items():
        if array.ndim != 2 or array.shape != shape or array.shape[1] != num_phases or array.dtype.kind not in "iu":
            raise DocumentError(
                f"{keys[name]} is {array.dtype} of shape {array.shape}, not integers of shape (lags, {num_phases})"
            )
    return Pairs(**{name: array.astype(np.int64) for name, array in arrays.items()})


def _flux(data: Mapping[str, Any], bunch_rate: float, measured_dark: float | None) -> float:
    """I0 counts per X-ray pulse at unit amplifier gain, dark subtracted; NaN if it is unknown."""
    counts, time, gain, dark = (float(data[key]) for key in ("i0", "i0_time", "i0_gain", "i0_dark"))
    if measured_dark is not None:
        dark = measured_dark
    if not (time > 0 and gain > 0):
        return float("nan")
    return current(counts, time, gain, dark) / bunch_rate
