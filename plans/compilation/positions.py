"""Positions of the axes at each point, and the moves between them, without any device: a scan can be previewed."""

from __future__ import annotations

from dataclasses import dataclass, field
from zlib import crc32

import numpy as np

from plans.protocols import AxisName

OVERSHOOT = 0.001
"""keV; a move downwards first goes this far below the point and approaches from there: three times the backlash."""


@dataclass(frozen=True)
class Position:
    """One point of a grid. An axis that is None stays where it is.

    Attributes
    ----------
    point_index : int
        Index in the grid.
    energy : float, optional
        X-ray energy, keV.
    delay : float, optional
        Pump-probe delay, ps.
    fluence : float, optional
        Laser fluence on the sample, mJ/cm2.
    temperature : float, optional
        Of the sample, degC.
    monitor : bool
        Whether this is no point of the grid but a monitor energy; `point_index` is then its index among these.
    """

    point_index: int
    energy: float | None = None
    delay: float | None = None
    fluence: float | None = None
    temperature: float | None = None
    monitor: bool = field(default=False, kw_only=True)


@dataclass(frozen=True)
class Move:
    """One axis to one value, in the axis' unit."""

    axis: AxisName
    value: float


def moves_to(position: Position, previous: Position | None) -> tuple[Move, ...]:
    """Moves from one point to the next, in order; the energy always approaches from below.

    Parameters
    ----------
    position : Position
    previous : Position, optional
        Where the axes are; None if that is not known: then all of them move.
    """
    moves = []
    axes: tuple[AxisName, ...] = ("temperature", "fluence", "delay")
    for axis in axes:
        value = getattr(position, axis)
        if value is not None and (previous is None or value != getattr(previous, axis)):
            moves.append(Move(axis, value))
    moves += _energy_moves(position.energy, previous.energy if previous else None)
    return tuple(moves)


def _energy_moves(energy: float | None, previous: float | None) -> list[Move]:
    if energy is None or energy == previous:
        return []
    if previous is not None and energy > previous:
        return [Move("energy", energy)]
    return [Move("energy", energy - OVERSHOOT), Move("energy", energy)]


ORDERS = ("ascending", "alternating", "random")


def visit_order(points: int, order: str, scan_index: int, scan_set: str) -> list[int]:
    """Indices of the points in the order of one pass.

    Parameters
    ----------
    points : int
    order : str
        ``ascending``; ``alternating``: every second pass downwards, so that a steady drift cancels in pairs of passes;
        ``random``: another permutation in each pass, which turns a drift into noise.
    scan_index : int
        Number of the pass, from 0.
    scan_set : str
        Uid of the set; it seeds the permutations together with the pass, so that they are reproducible.

    Raises
    ------
    ValueError
        If the order is not known.
    """
    if order not in ORDERS:
        raise ValueError(f"order must be one of {', '.join(ORDERS)}, not {order!r}")
    if order == "random":
        return [int(i) for i in np.random.default_rng([crc32(scan_set.encode()), scan_index]).permutation(points)]
    upwards = order == "ascending" or scan_index % 2 == 0
    return list(range(points)) if upwards else list(range(points))[::-1]
