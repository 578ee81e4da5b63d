"""Where the axes stand at a point, and the moves that lead there; pure, so that a scan can be told beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

OVERSHOOT = 0.001
"""keV; how far below a point it is approached from after a move downwards. Over three times the backlash."""

AxisName = Literal["energy", "delay", "fluence"]


@dataclass(frozen=True)
class Position:
    """One point of a grid. An axis that is None is left where it is.

    Attributes
    ----------
    point_index : int
        Place in the grid.
    energy : float, optional
        X-ray energy, keV.
    delay : float, optional
        Pump-probe delay, ps.
    fluence : float, optional
        Laser fluence on the sample, mJ/cm2.
    """

    point_index: int
    energy: float | None = None
    delay: float | None = None
    fluence: float | None = None


@dataclass(frozen=True)
class Move:
    """One axis to one value, in the axis' unit."""

    axis: AxisName
    value: float


def moves_to(position: Position, previous: Position | None) -> tuple[Move, ...]:
    """Moves from one point to the next, in order; the energy always arrives from below.

    Parameters
    ----------
    position : Position
    previous : Position, optional
        Where the axes are; None if that is not known, so that all of them are moved.
    """
    moves = []
    for axis in ("fluence", "delay"):
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
