"""The bunches of the ring as findings need them."""

from __future__ import annotations

import bluesky.plan_stubs as bps
import numpy as np
from bluesky.utils import MsgGenerator

from plans.protocols import Instruments, MissingRoleError

EVEN = 1e-3
"""Largest deviation of a bunch from its place between evenly spaced ones, in spacings."""


def bunch_spacing(instruments: Instruments) -> MsgGenerator[float]:
    """Time between two bunches, ns.

    Raises
    ------
    MissingRoleError
        Without a bunch timing.
    ValueError
        If they are not evenly spaced.
    """
    timing = instruments.timing
    if timing is None:
        raise MissingRoleError("timing", "the time between two bunches is not known")
    rate = float((yield from bps.rd(timing.laser_rate)))
    divider = float((yield from bps.rd(timing.laser_divider)))
    places = np.asarray((yield from bps.rd(timing.bunch_places, default_value=[])), dtype=np.float64)
    gaps = np.diff(places, append=places[:1] + 1) * places.size
    if places.size and np.abs(gaps - 1).max() > EVEN:
        raise ValueError("this needs evenly spaced bunches; set by hand here what it would find")
    return 1e9 / (rate * divider)
