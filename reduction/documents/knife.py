"""Knife edges from the readings of their counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reduction.documents.finding_rows import Conditions, Rows, column, i0_rate
from reduction.findings.finding import FindingResult
from reduction.findings.focus import FocusScan, find_focus
from reduction.findings.knife import AXES, BladeScan, KnifeScan, find_knife


class KnifeJudge:
    """Findings by the diode behind a knife.

    Parameters
    ----------
    diode : str
        Data key of its counts; that of their time is the same with ``_time``.
    steering : tuple of str
        The two motors that steer the laser.
    i0_least : float
        Counts/s of I0 from which on there is beam.
    """

    def __init__(self, diode: str, steering: tuple[str, str], i0_least: float) -> None:
        self._diode, self._steering, self._i0_least = diode, steering, i0_least

    def knife(self, rows: Rows, conditions: Conditions) -> FindingResult:
        """Of both beams."""
        rows = rows[: len(rows) // 2 * 2]  # the laser is still to be opened for the last one
        blades = [self._blade([row for row in rows if row["blade"] == number]) for number in range(2)]
        steered = [f"steered_{name}" for name in AXES]
        scan = KnifeScan(
            blades=tuple(each for each in blades if each.position.size),
            steering=tuple(float(rows[0][name]) for name in steered if name in rows[0]),
            names=self._steering,
            i0_rate=i0_rate(rows),
            i0_least=self._i0_least,
        )
        return find_knife(scan)

    def focus(self, rows: Rows, conditions: Conditions) -> FindingResult:
        """Of the laser."""
        used = rows[: len(rows) // 2 * 2]
        lens = column([row for row in used if not row["laser_on"]], "lens")
        return find_focus(FocusScan(lens, self._blade(used), conditions["before"]))

    def _blade(self, rows: Rows) -> BladeScan:
        """Counts with the laser off, and their differences to those with it on, which follow them."""
        off, on = ([row for row in rows if row["laser_on"] == state] for state in (0, 1))
        (xrays, variance), (both, of_both) = self._light(off), self._light(on)
        return BladeScan(column(off, "blade_position"), xrays, both - xrays, variance, of_both + variance)

    def _light(self, rows: Rows) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Counts/s, and the variance of counting; one count at least."""
        counts, time = column(rows, self._diode), column(rows, f"{self._diode}_time")
        return counts / time, np.maximum(counts, 1.0) / time**2
