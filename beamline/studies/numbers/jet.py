"""Time in a measurement: the order of dwells, and the thickness of the jet in each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

SEGMENTS = (True, False, False, True)
"""Laser states of the dwells of a point."""
DEAD, MOVE, RETURN = 0.1, 0.5, 30.0
"""s; between dwells, points and passes."""
FAST = 100.0
"""Hz; upper end of the jet's noise."""
VISITS = 7
"""Returns to the monitor energies, in turn, in a pass that has any: one laser-off dwell each."""


@dataclass(frozen=True)
class Schedule:
    """All D dwells of a scan in the order of time.

    Attributes
    ----------
    scan, point, segment : ndarray of int, shape (D,)
        `point` is -1, -2 ... at the monitor energies, where the laser is off and `segment` counts all of them within
        the pass.
    pause : ndarray, shape (D,), s
        After each dwell.
    """

    scan: Ints
    point: Ints
    segment: Ints
    pause: Array

    @property
    def laser_on(self) -> NDArray[np.bool_]:
        return np.where(self.point < 0, False, np.array(SEGMENTS)[self.segment % len(SEGMENTS)])

    def times(self, dwell: float) -> Array:
        """Middle of each dwell since the begin of its pass, s."""
        middle = np.cumsum(dwell + self.pause) - self.pause - dwell / 2
        first = np.searchsorted(self.scan, np.arange(self.scan[-1] + 1))
        return np.asarray(middle - middle[first][self.scan])

    def places(self, points: int) -> Ints:
        """Number of the dwell at each point and row (a row is one segment of one pass), shape (N, R)."""
        rows = self.scan * len(SEGMENTS) + self.segment
        grid = self.point >= 0
        result = np.zeros((points, (int(self.scan[-1]) + 1) * len(SEGMENTS)), np.int64)
        result[self.point[grid], rows[grid]] = np.flatnonzero(grid)
        return result


def schedule(points: int, passes: int, alternating: bool = False, monitors: int = 0) -> Schedule:
    """Passes over all points, each second one downwards if `alternating`, with returns to `monitors` energies."""
    found: list[tuple[int, int, int, float]] = []
    returns = np.linspace(0, points, VISITS, dtype=int).tolist() if monitors else []
    for scan in range(passes):
        order = range(points)[::-1] if alternating and scan % 2 else range(points)
        visit = 0
        for number in range(points + 1):
            for _ in range(returns.count(number)):
                found.append((scan, -1 - visit % monitors, visit, MOVE))
                visit += 1
            if number < points:
                found += [(scan, order[number], segment, DEAD) for segment in range(len(SEGMENTS))]
                found[-1] = (*found[-1][:3], MOVE)
        found[-1] = (*found[-1][:3], RETURN)
    scan_, point, segment, pause = zip(*found, strict=True)
    return Schedule(np.array(scan_), np.array(point), np.array(segment), np.array(pause))


def one_over_f(rng: np.random.Generator, dwell: float, pauses: Array, corner: float) -> tuple[Array, float]:
    """Means over dwells of noise of variance 1 that is 1/f from `corner` to `FAST`, and the variance within a dwell.

    A sum of Ornstein-Uhlenbeck processes of equal variance, an octave apart; the mean over a dwell and the value at its
    end are drawn together, exactly.
    """
    rates = 2 * np.pi * np.geomspace(corner, FAST, max(2, round(np.log2(FAST / corner)) + 1))
    fraction = 1 / rates.size
    keep = np.exp(-rates * dwell)
    a = (1 - keep) / (rates * dwell)  # weight of the initial value in the mean
    var_end = 1 - keep**2
    var_mean = (2 / (rates * dwell)) * (1 - a) - a**2
    both = a * (1 - keep)
    slope = both / var_end
    rest = np.sqrt(np.maximum(var_mean - slope * both, 0.0))
    value = rng.standard_normal(rates.size)
    means = np.empty(pauses.size)
    noise = rng.standard_normal((pauses.size, 3, rates.size))
    for number, pause in enumerate(pauses):
        step = np.sqrt(var_end) * noise[number, 0]
        means[number] = (a * value + slope * step + rest * noise[number, 1]).sum()
        value = keep * value + step
        gap = np.exp(-rates * pause)
        value = gap * value + np.sqrt(1 - gap**2) * noise[number, 2]
    total_of_mean = var_mean + a**2
    return means * np.sqrt(fraction), float(fraction * (1 - total_of_mean).sum())
