"""Windows of boxcars: where the pulses of the detector are in one laser period of its trace, and which way they go.

Nothing is assumed of the shape of a pulse but that all bunches have the same one. The trace is folded by the time
between two bunches: its phase at that frequency gives the rough position, the centre of gravity the final one, and what
stands above noise and a twentieth of the height the length of the window.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan, sqrt

import numpy as np

from reduction.findings.causes import has_beam, why_no_light
from reduction.findings.finding import GOOD, Array, FindingCurve, FindingResult, not_found

NAME, UNIT = "windows", "ns"
SIGNIFICANT = 8.0
"""Standard deviations of the noise from which on there is a pulse."""
EDGE = 0.05
"""Fraction of the height at which a pulse begins and ends."""
SPARE = 0.25
"""Lengths of a pulse before and after it that belong to its centre of gravity."""
NOISE = 4.0
"""Standard deviations of the mean pulse below which nothing belongs to it."""


@dataclass(frozen=True)
class WindowScan:
    """Traces of one laser period.

    Attributes
    ----------
    time : ndarray, shape (T,), ns
        After the laser trigger, evenly spaced over the period.
    trace : ndarray, shape (N, T), V
    spacing : float, ns
        Time between two bunches.
    slots : int
        Bunches in a laser period.
    clipped : bool
        Whether the boxcars reported clipped pulses.
    i0_rate : ndarray, shape (N,), counts/s
    i0_least : float, counts/s
        From which on there is beam.
    """

    time: Array
    trace: Array
    spacing: float
    slots: int
    clipped: bool
    i0_rate: Array
    i0_least: float

    @property
    def period(self) -> float:
        """Of the laser, ns."""
        return self.spacing * self.slots


def find_windows(scan: WindowScan) -> FindingResult:
    """Find the windows of two boxcars.

    Returns
    -------
    FindingResult
        Its value is the centre of the first pulse after the laser trigger, ns. `settings`: windows and baselines of
        both boxcars (degrees of the laser period), their length (s), and whether baselines are subtracted; the first
        boxcar gets the first pulse, the second one the last pulse of the period. Numbers: length and height of a pulse,
        level and noise of the trace.
    """
    mean = scan.trace.mean(axis=0)
    curve = FindingCurve(
        scan.time, 1e3 * mean, np.zeros_like(mean), np.empty(0), np.empty(0), "time after the laser trigger / ns",
        "trace / mV",
    )  # fmt: skip
    if not has_beam(scan.i0_rate, scan.i0_least):
        return not_found(NAME, UNIT, why_no_light(inf, scan.i0_rate, scan.i0_least), curve, {})
    pulse = _Pulse(scan, mean)
    if not pulse.height > SIGNIFICANT * pulse.noise:
        why = (
            f"No pulse: the trace is flat within {1e3 * pulse.noise:.2g} mV. Is the detector biased and connected, does"
            " the jet run?"
        )
        return not_found(NAME, UNIT, why, curve, {})
    return _judged(scan, pulse, curve)


class _Pulse:
    """The mean pulse of all bunches.

    Attributes
    ----------
    sign : int
        1 or -1.
    noise, height : float, V
        Standard deviation of a point of the mean trace, and highest point.
    centre, stddev : float, ns
        Of the first pulse after the trigger.
    begin, end : float, ns
        Of a pulse with respect to its centre.
    """

    def __init__(self, scan: WindowScan, mean: Array) -> None:
        self.begin = self.end = 0.0
        rough = self._rough(scan, mean)
        since = np.mod(scan.time - rough + 0.5 * scan.spacing, scan.spacing) - 0.5 * scan.spacing
        self._find_level(scan, mean, since)
        value = self.sign * (mean - self.level)
        self.height = float(np.max(_smooth(value)))
        self._find_ends(scan, value, since)
        spare = SPARE * (self.end - self.begin)  # a pulse that is cut off where it is low has another centre
        near = (since >= self.begin - spare) & (since <= self.end + spare)
        area = max(float(value[near].sum()), 1e-300)
        moved = float((value[near] * since[near]).sum()) / area
        self.stddev = self.noise * sqrt(float(((since[near] - moved) ** 2).sum())) / area
        self.centre = float((rough + moved) % scan.spacing)
        self.begin, self.end = self.begin - moved, self.end - moved

    @staticmethod
    def _rough(scan: WindowScan, mean: Array) -> float:
        """Where pulses of either sign are most, ns: the phase of the trace at the rate of the bunches."""
        away = np.abs(mean - np.median(mean))
        turn = np.exp(2j * np.pi * scan.time / scan.spacing)
        return float(np.angle((away * turn).sum())) / (2 * np.pi) * scan.spacing

    def _find_level(self, scan: WindowScan, mean: Array, since: Array) -> None:
        """Level and noise between the pulses, and the sign of the pulses."""
        far = np.abs(since) > 0.25 * scan.spacing
        self.level = float(np.median(mean[far]))
        self.noise = max(float(1.4826 * np.median(np.abs(mean[far] - self.level))), 1e-12)
        near = mean[~far] - self.level
        self.sign = 1 if near.sum() > 0 else -1

    def _find_ends(self, scan: WindowScan, value: Array, since: Array) -> None:
        """Where the folded pulse stands above a fraction of its height and above the noise."""
        step = float(scan.time[1] - scan.time[0])
        folded = np.round(since / step).astype(int)
        places = np.arange(folded.min(), folded.max() + 1)
        number = np.maximum(np.bincount(folded - places[0], minlength=places.size), 1)
        shape = np.bincount(folded - places[0], value, minlength=places.size) / number
        above = shape > np.maximum(EDGE * self.height, NOISE * self.noise / np.sqrt(number))
        first = last = int(np.argmax(shape))
        while first > 0 and above[first - 1]:
            first -= 1
        while last < places.size - 1 and above[last + 1]:
            last += 1
        self.begin, self.end = float((places[first] - 1) * step), float((places[last] + 1) * step)


def _smooth(value: Array) -> Array:
    """Mean of three neighbours, over the end of the period."""
    return np.asarray((np.roll(value, 1) + value + np.roll(value, -1)) / 3)


def _judged(scan: WindowScan, pulse: _Pulse, curve: FindingCurve) -> FindingResult:
    settings = _settings(scan, pulse)
    length = pulse.end - pulse.begin
    numbers = {
        "pulse_length_ns": (length, nan),
        "height_mV": (1e3 * pulse.sign * pulse.height, 1e3 * pulse.noise),
        "level_mV": (1e3 * pulse.level, 1e3 * pulse.noise),
        "noise_mV": (1e3 * pulse.noise, nan),
        "to_neighbour_ns": (scan.spacing - length, nan),
    }
    way = "positive" if pulse.sign > 0 else "negative"
    what = f"The first pulse is {pulse.centre:.2f} ns after the laser trigger, {length:.1f} ns long and goes {way}"
    found = FindingResult(NAME, pulse.centre, pulse.stddev, UNIT, GOOD, f"{what}.", curve, settings, numbers)
    if scan.clipped:
        return found.with_doubt(f"Overload: pulses are clipped. {what}; reduce the gain, or attenuate the X-rays.")
    if not settings["baseline_enable"]:
        return found.with_doubt(f"{what}; bunches are too close for a baseline between them.")
    return found


def _settings(scan: WindowScan, pulse: _Pulse) -> dict[str, float]:
    """Windows on the first and on the last pulse of the period, baselines in the middle of the gaps behind them."""
    length = pulse.end - pulse.begin
    gap = scan.spacing - length
    settings: dict[str, float] = {}
    for name in ("", "_2"):
        settings |= {f"window_size{name}": length * 1e-9, f"baseline_enable{name}": float(gap > length)}
    for number, slot in ((1, 0), (2, scan.slots - 1)):
        opens = pulse.centre + pulse.begin + slot * scan.spacing
        settings[f"window_{number}"] = round((opens / scan.period * 360) % 360, 4)
        settings[f"baseline_{number}"] = round(((opens + length + 0.5 * (gap - length)) / scan.period * 360) % 360, 4)
    return settings
