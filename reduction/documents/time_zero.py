"""Time zero from the readings of its counts: light of the laser, onset of the transient, rise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from reduction.documents.finding_rows import Conditions, Rows, SlotCounts, column, i0_rate
from reduction.documents.raw import DELAY_AXIS
from reduction.findings.finding import FindingResult
from reduction.findings.light import Light, LightScan, find_light
from reduction.findings.onset import AllowedOnset, Onset
from reduction.findings.time_zero import (
    RiseScan,
    TimeZeroScan,
    best_delays,
    find_time_zero,
    locate,
    measure_rise,
)

PS_PER_S = 1e12
Result = TypeVar("Result")


class Remembered:
    """The last result of a function of arrays, given again for the same arrays: fits take a second."""

    def __init__(self) -> None:
        self._last: tuple[bytes, Any] = (b"", None)

    def __call__(self, function: Callable[[], Result], *arrays: NDArray[Any]) -> Result:
        key = b"".join(each.tobytes() for each in arrays)
        if key != self._last[0]:
            self._last = key, function()
        found: Result = self._last[1]
        return found


class TimeZeroJudge:
    """Looks for the onset of the transient while counts go on, and judges in the end.

    Parameters
    ----------
    counter : str
        Device of the photon counter.
    i0_least : float
        Counts/s of I0 from which on there is beam.
    """

    def __init__(self, counter: str, i0_least: float) -> None:
        self._counter, self._i0_least = counter, i0_least
        self._located, self._fitted = Remembered(), Remembered()

    def __call__(self, rows: Rows, conditions: Conditions) -> FindingResult:
        scan = self._scan(rows, conditions)
        onset = self._onset(scan)
        return find_time_zero(scan, onset, self._rise(scan, onset))

    def light(self, rows: Rows, conditions: Conditions) -> Light | None:
        """Where the light of the laser goes from one slot to the next, from the counts without X-rays so far."""
        used = [row for row in rows if row["of_light"]]
        if not used:
            return None
        slots = SlotCounts(used, self._counter, int(conditions["divider"]))
        later = int(used[0]["gate_later"])  # bunches by which the wide gates come later than the narrow one
        scan = LightScan(
            setting=_setting(used, conditions),
            photons=np.roll(slots.photons, later, axis=1),
            variance=np.roll(slots.variance, later, axis=1),
            spacing=conditions["spacing_ps"],
            tolerance=conditions["tick_ps"],
        )
        return find_light(scan)

    def onset(self, rows: Rows, conditions: Conditions) -> Onset | None:
        """From the counts so far; None without light."""
        return self._onset(self._scan(rows, conditions))

    def best_delays(self, rows: Rows, conditions: Conditions, number: int) -> Sequence[float]:
        """Delays after time zero (ps) at which more counts say most of it; empty while nothing is known of the rise."""
        scan = self._scan(rows, conditions)
        rise = self._rise(scan, self._onset(scan))
        return [] if rise is None else [float(each) for each in best_delays(rise, number)]

    def _onset(self, scan: TimeZeroScan) -> Onset | None:
        return self._located(lambda: locate(scan), scan.photons[~scan.of_rise], scan.setting[~scan.of_rise])

    def _rise(self, scan: TimeZeroScan, onset: Onset | None) -> RiseScan | None:
        return self._fitted(lambda: measure_rise(scan, onset), scan.photons, scan.setting)

    def _scan(self, rows: Rows, conditions: Conditions) -> TimeZeroScan:
        used = [row for row in rows if not row["of_light"]]
        slots = SlotCounts(used, self._counter, int(conditions["divider"]))
        return TimeZeroScan(
            setting=_setting(used, conditions),
            laser_on=column(used, "laser_on") == 1,
            of_rise=column(used, "of_rise") == 1,
            photons=slots.photons,
            variance=slots.variance,
            spacing=conditions["spacing_ps"],
            t0=PS_PER_S * conditions["t0"],
            i0_rate=i0_rate(used),
            i0_least=self._i0_least,
            target=conditions.get("target_ps", 0.0),
            allowed=self._allowed(rows, conditions),
            delay_sign=int(conditions.get("sign", 1)),
            can_turn=bool(conditions.get("can_turn", 0)),
            lifetime=_lifetime(conditions),
        )

    def _allowed(self, rows: Rows, conditions: Conditions) -> AllowedOnset | None:
        if light := self.light(rows, conditions):
            return light.onset
        near = conditions.get("near_ps", 0.0)
        return AllowedOnset(-near, near, 0) if near else None


def _lifetime(conditions: Conditions) -> tuple[float, float] | None:
    """That is known, and its error, ps."""
    if "lifetime_ps" not in conditions:
        return None
    return conditions["lifetime_ps"], conditions["lifetime_error_ps"]


def _setting(rows: Rows, conditions: Conditions) -> NDArray[np.float64]:
    """Delay with respect to t0 and to the sign of the beginning, ps."""
    sign, own = conditions.get("sign", 1.0), np.array([row.get("delay_sign", 1.0) for row in rows])
    return np.asarray(sign * (own * column(rows, DELAY_AXIS) + PS_PER_S * (conditions["t0"] - column(rows, "t0"))))
