"""Stopping rule for a point: a fixed number of dwells, or until the predicted counting error reaches a target."""

from __future__ import annotations

from math import sqrt
from typing import Protocol

BEST_GATE = 1.544
"""Least relative variance of mu from one gate with at most one count: minimum of (e^mu - 1) / mu^2, at mu = 1.59."""


class StoppingRule(Protocol):
    """Predicts how many beamline seconds of dwells a point still needs in this pass.

    Only the predicted counting error matters. Stopping because a signal looks significant would bias the signal.
    """

    def __call__(self, point_index: int) -> float | None:
        """Seconds still needed, 0 or less if none; None if not known: the point is then counted to its limit."""
        ...


def least_error(seconds_on: float, laser_rate: float) -> float:
    """Lowest possible relative standard deviation of a slot's laser-on rate in a measurement of this length.

    Parameters
    ----------
    seconds_on : float
        Beamline seconds with the laser on.
    laser_rate : float
        Pump pulses a second: gates of one slot.
    """
    return sqrt(BEST_GATE / (seconds_on * laser_rate))


def refuse_impossible(target: float, seconds_on: float, laser_rate: float) -> None:
    """Raise if not even the best photon rate could reach a target.

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
