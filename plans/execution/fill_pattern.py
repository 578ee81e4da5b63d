"""The fill pattern of the ring: whether it allows the reference, and whether each pump slot has one delay."""

from __future__ import annotations

from collections.abc import Sequence
from math import lcm

import bluesky.plan_stubs as bps
import numpy as np
from bluesky.utils import MsgGenerator

from plans.protocols import MissingRoleError, Timing

SAME_DISTANCE = 1e-6
"""Turns (some ps) by which distances of bunches may differ and still count as the same."""


def possible_reference(
    timing: Timing | None, reference: str | None, always_on: bool = False, sweeps: bool = False
) -> MsgGenerator[str]:
    """The requested reference, or by default ``combined``; of a scan that never has the laser off, ``slots``.

    Raises
    ------
    ValueError
        If the reference would compare a single slot with others, a slot has more than one delay, or there is nothing
        unpumped to compare with.
    """
    if always_on:
        return (yield from _reference_without_laser_off(timing, reference, sweeps))
    if timing is None:
        if reference in ("slots", "combined"):
            raise MissingRoleError("timing", f"reference {reference!r} is not possible without slots")
        return reference or "paper"
    bunches = int((yield from bps.rd(timing.num_bunches, default_value=1)))
    divider = int((yield from bps.rd(timing.laser_divider, default_value=1)))
    check_fill_pattern(bunches, divider, (yield from bps.rd(timing.bunch_places, default_value=())))
    if reference == "slots" and divider == 1:
        raise ValueError(
            "reference 'slots' is not possible with laser divider 1: all bunches are pumped, and there is no slot to"
            " compare with; use reference 'paper' (laser shutter)"
        )
    return reference or "combined"


def _reference_without_laser_off(timing: Timing | None, reference: str | None, sweeps: bool) -> MsgGenerator[str]:
    """The reference of a scan in which the laser is always on: the same bunches before the pump.

    Of sweeps it may be the last slot of the same shots: a whole spectrum, whose own edge integral removes efficiencies.
    """
    bunches, divider = 1, 1
    if timing is not None:
        bunches = int((yield from bps.rd(timing.num_bunches, default_value=1)))
        divider = int((yield from bps.rd(timing.laser_divider, default_value=2)))
        check_fill_pattern(bunches, divider, (yield from bps.rd(timing.bunch_places, default_value=())))
    turns = divider / bunches
    if turns < 2 and not (sweeps and divider > 1):
        raise ValueError(
            "pattern needs dwells with the laser on (1) and off (0): without the latter, slots are compared with the"
            f" same bunches before the pump, and that takes a laser period of two turns or more ({turns:.3g} here)"
        )
    if reference in ("paper", "shutter"):
        raise ValueError(
            f"reference {reference!r} needs dwells with the laser off: add 0 to pattern, or use reference 'slots'"
        )
    return "slots"


def check_fill_pattern(bunches: int, divider: int, positions: Sequence[float]) -> None:
    """Raise where the pumped bunches are not evenly spaced, as the laser pulses are.

    Parameters
    ----------
    bunches : int
        Number of bunches that the counter gates.
    divider : int
        Bunches from one laser pulse to the next.
    positions : sequence of float
        Position of each bunch in the ring, as fraction of a turn; empty while there is no beam to measure it with.

    Raises
    ------
    ValueError
    """
    if not len(positions):
        return
    if len(positions) != bunches:
        raise ValueError(
            f"bunch timing: the ring's fill pattern shows {len(positions)} bunches, and {bunches} are counted; set the"
            " counter to the fill"
        )
    crossing = np.arange(lcm(bunches, divider) + divider)
    turns = crossing // bunches + np.asarray(positions)[crossing % bunches]
    if np.abs(turns[divider:] - turns[:-divider] - divider / bunches).max() > SAME_DISTANCE:
        raise ValueError(
            f"bunch timing: laser divider {divider} does not suit {bunches} unevenly spaced bunches: laser pulses are"
            " evenly spaced, every so many bunches are not, and no pump slot would have one delay; a divider of"
            f" {bunches} pumps once a turn"
        )
