"""Who says how long a point is counted: a fixed pattern of dwells, or a judge of the predicted counting error."""

from __future__ import annotations

from math import sqrt
from typing import Protocol

BEST_GATE = 1.544
"""Least relative variance of mu from one gate with at most one count: minimum of (e^mu - 1) / mu^2, at mu = 1.59."""


class StoppingRule(Protocol):
    """Says how many beamline seconds of dwelling a point still wants in this pass.

    It goes by the predicted counting error alone. To stop because a signal looks significant would bias the signal.
    """

    def __call__(self, point_index: int) -> float | None:
        """Seconds still wanted, 0 or less if none; None if it cannot say, so that the point is counted to the limit."""
        ...


def least_error(seconds_on: float, laser_rate: float) -> float:
    """Relative standard deviation of a slot's laser-on rate that no measurement of this length falls below.

    Parameters
    ----------
    seconds_on : float
        Beamline seconds with the laser on.
    laser_rate : float
        Pump pulses a second: gates of one slot.
    """
    return sqrt(BEST_GATE / (seconds_on * laser_rate))


def refuse_impossible(target: float, seconds_on: float, laser_rate: float) -> None:
    """Refuse a target that even the best rate of photons would not reach.

    Raises
    ------
    ValueError
    """
    best = least_error(seconds_on, laser_rate)
    if target < best:
        raise ValueError(
            f"target {target:g} is impossible: {seconds_on:g} s with the laser on at {laser_rate:g} pulses a second"
            f" give {best:.2g} at best; raise target, longest or passes"
        )
