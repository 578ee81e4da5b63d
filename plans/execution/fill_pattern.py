"""The fill of the ring: what laser and bunches allow a scan to compare, and whether pump slots mean anything."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd, lcm

import bluesky.plan_stubs as bps
import numpy as np
from bluesky.utils import MsgGenerator

from plans.protocols import Timing

NEAR = 1e-6
"""Turns (some ps) by which distances of bunches may differ and still count as the same."""


def possible_reference(timing: Timing, reference: str | None) -> MsgGenerator[str]:
    """The reference wanted, or the best one that this fill allows.

    Raises
    ------
    ValueError
        If the reference would compare slots that see different bunches, or slots have no delay of their own.
    """
    bunches = int((yield from bps.rd(timing.num_bunches, default_value=1)))
    divider = int((yield from bps.rd(timing.laser_divider, default_value=1)))
    refuse_fill(bunches, divider, (yield from bps.rd(timing.bunch_places, default_value=())))
    comparable = gcd(bunches, divider) == 1
    if reference is None:
        return "combined" if comparable else "paper"
    if reference in ("slots", "combined") and not comparable:
        raise ValueError(
            f"reference {reference!r} is not possible with {bunches} bunches and laser divider {divider}: each slot"
            " sees only some bunches; use reference 'paper' (laser shutter)"
        )
    return reference


def refuse_fill(bunches: int, divider: int, places: Sequence[float]) -> None:
    """Refuse to measure where the bunches that are pumped do not follow each other as the laser pulses do.

    Parameters
    ----------
    bunches : int
        That the counter gates.
    divider : int
        Bunches from one laser pulse to the next.
    places : sequence of float
        Where each bunch is in the ring, as share of a turn; empty while there is no beam to see it by.

    Raises
    ------
    ValueError
    """
    if not len(places):
        return
    if len(places) != bunches:
        raise ValueError(
            f"bunch timing: the ring's fill pattern shows {len(places)} bunches, and {bunches} are counted; set the"
            " counter to the fill"
        )
    crossing = np.arange(lcm(bunches, divider) + divider)
    turns = crossing // bunches + np.asarray(places)[crossing % bunches]
    if np.abs(turns[divider:] - turns[:-divider] - divider / bunches).max() > NEAR:
        raise ValueError(
            f"bunch timing: laser divider {divider} does not suit {bunches} unevenly spaced bunches: laser pulses are"
            " evenly spaced, every so many bunches are not, and no pump slot would have one delay; a divider of"
            f" {bunches} pumps once a turn"
        )
