"""Waits until the inside of a cell is steady: its controller sees the block alone."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

import bluesky.plan_stubs as bps
import numpy as np
from bluesky.utils import MsgGenerator

from plans.execution.failures import InstrumentError
from plans.execution.messages import checkpoint, move
from plans.protocols import Instruments, Steadiness, Supervision

RAMP_TIMEOUT = 8 * 3600.0
"""Seconds of wall time for a ramp, which has a timeout of its own."""
READINGS = 30
"""Readings in the time for which it has to be steady."""


def ramp(instruments: Instruments, supervision: Supervision, temperature: float) -> MsgGenerator[None]:
    """Ramp the temperature of the sample and wait until it is steady, unless it is there already."""
    if instruments.temperature is not None and not instruments.temperature.is_at(temperature):
        yield from move(instruments.temperature, temperature, RAMP_TIMEOUT)
        yield from until_steady(instruments, supervision, temperature)


def until_steady(instruments: Instruments, supervision: Supervision, temperature: float) -> MsgGenerator[None]:
    """Wait until the readings of the temperature have been steady at a value for a while.

    Raises
    ------
    InstrumentError
        If they have not after the longest time, with the reading and what to look at.
    """
    axis, rules, rate = instruments.temperature, instruments.steadiness, instruments.clock_rate
    assert axis is not None  # refused before
    begun, readings = monotonic(), list[tuple[float, float]]()
    observer = supervision.wait_observer
    wait = observer.begin("the temperature is not steady", f"aim {temperature:g} degC, for {rules.seconds:g} s")
    while True:
        seconds = (monotonic() - begun) * rate
        readings.append((seconds, float((yield from bps.rd(axis)))))
        if is_steady(readings, temperature, supervision.tolerances.temperature, rules):
            observer.end(wait)
            return
        if seconds > rules.longest:
            observer.give_up(wait)
            raise InstrumentError(_not_steady(axis.name, temperature, readings, rules))
        yield from bps.sleep(rules.seconds / READINGS / rate)
        yield from checkpoint()  # a pause must not repeat the whole wait


def is_steady(readings: Sequence[tuple[float, float]], temperature: float, tolerance: float, rules: Steadiness) -> bool:
    """Whether the last readings (time in s, temperature) are all at a temperature, and do not change.

    Examples
    --------
    >>> rules = Steadiness(seconds=60, change=0.1)
    >>> is_steady([(t, 59.9) for t in range(61)], 60.0, 0.5, rules)
    True
    >>> is_steady([(t, 59.6 + t / 100) for t in range(61)], 60.0, 0.5, rules)
    False
    """
    last = readings[-1][0]
    if last - readings[0][0] < rules.seconds:
        return False
    of_window = np.array([value for seconds, value in readings if seconds >= last - rules.seconds])
    third = max(of_window.size // 3, 1)
    change = abs(of_window[:third].mean() - of_window[-third:].mean())
    return bool((abs(of_window - temperature) <= tolerance).all() and change <= rules.change)


def _not_steady(name: str, temperature: float, readings: Sequence[tuple[float, float]], rules: Steadiness) -> str:
    return (
        f"{name} is at {readings[-1][1]:.4g} degC and not steady at {temperature:g} degC after {rules.longest:g} s;"
        " look at the calibration of the cell (inside_offset, inside_slope)"
    )
