"""Numbers of the default detector, and windows on its pulses."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from sim_ioc.physics.boxcar_signal import Window

BUNCH_NS = 54e3 / 351.933984
PERIOD_NS = 5 * BUNCH_NS
SPREAD = math.sqrt((0.22 / 2.3548) ** 2 - 0.04**2)
"""Relative standard deviation of one photon's avalanche."""


def on_pulse(slot: int = 0, **changes: Any) -> Window:
    """A window as long as the pulse, right on it, with a baseline half way to the next pulse."""
    at_ns = 40 + slot * BUNCH_NS
    window = Window(at_ns / PERIOD_NS * 360, 8e-9, 1, True, (at_ns + BUNCH_NS / 2) / PERIOD_NS * 360)
    return replace(window, **changes)
