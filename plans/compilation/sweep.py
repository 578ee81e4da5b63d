"""The trajectory of a sweep: the energy moves upwards over a grid while the counter takes frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from plans.compilation.arguments import is_number

FRAME = (0.02, 0.2)
"""Shortest and longest frame, beamline seconds."""
LEAST_FRAMES = 3
"""Frames from each point to the next."""
SLOWED = 3.0
"""A step wider than so many times the narrower one beside it takes longer, for frames on both sides of a point."""
RUN_UP = 0.001
"""keV before the first frame that counts: more than the backlash, with room to accelerate."""
KICKOFF = 2.0
"""Wall seconds of frames before and after the trajectory."""
FRAMES_KEY = "frame"
"""Entry of the start document of a scan in sweeps: the length of a frame, s."""


@dataclass(frozen=True)
class Sweep:
    """One sweep.

    Attributes
    ----------
    energies : tuple of float
        Points of the trajectory, keV, ascending.
    times : tuple of float
        Beamline seconds from each of them to the next.
    frame : float
        Beamline seconds of a frame.
    """

    energies: tuple[float, ...]
    times: tuple[float, ...]
    frame: float

    @property
    def seconds(self) -> float:
        """Length of the trajectory."""
        return sum(self.times)

    @property
    def frames(self) -> int:
        """Frames in it."""
        return ceil(self.seconds / self.frame) + 1

    def trajectory(self, clock_rate: float) -> dict[str, object]:
        """What the device is prepared with."""
        most = self.frames + ceil(KICKOFF * clock_rate / self.frame)
        return {"energies": self.energies, "times": self.times, "frame": self.frame, "frames": most}


def check_frame(frame: object, dwell: float) -> float:
    """Length of a frame, refused if the counter or the grid do not allow it.

    Raises
    ------
    ValueError
    """
    low, high = FRAME
    if not (is_number(frame) and low <= float(frame) <= high):  # type: ignore[arg-type]
        raise ValueError(f"frame must be {low:g} to {high:g} s, not {frame!r}")
    length = float(frame)  # type: ignore[arg-type]
    if dwell < LEAST_FRAMES * length * (1 - 1e-9):
        raise ValueError(
            f"frame of {length:g} s is too long for a dwell of {dwell:g} s: from each point to the next, {LEAST_FRAMES}"
            f" frames are needed; take frames up to {dwell / LEAST_FRAMES:.3g} s, or a dwell from"
            f" {LEAST_FRAMES * length:g} s"
        )
    return length


def sweep_over(grid: Sequence[float], dwell: float, frame: float) -> Sweep:
    """Sweep over a grid: the same time from each point to the next, so that each region has its own speed.

    It begins a step before the first point, after a run-up, and ends a step beyond the last one: these two then have as
    many frames as the others, and are not lost with a few of them.

    Parameters
    ----------
    grid : sequence of float
        keV, ascending.
    dwell : float
        Beamline seconds from each point to the next.
    frame : float
        Beamline seconds.
    """
    points = np.asarray(grid, dtype=np.float64)
    steps = np.diff(points)
    beside = np.minimum(np.append(steps[1:], steps[-1]), np.insert(steps[:-1], 0, steps[0]))
    times = dwell * np.maximum(1.0, steps / (SLOWED * beside))
    before, after = steps[0] + RUN_UP, steps[-1]
    energies = [points[0] - before, *points, points[-1] + after]
    return Sweep(
        tuple(map(float, energies)),
        (float(times[0] * before / steps[0]), *map(float, times), float(times[-1])),
        float(frame),
    )
