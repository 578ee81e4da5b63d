"""Thermostated cell: the temperature of a sample inside, set by that of the block around it."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from time import monotonic
from typing import ClassVar

from ophyd import Component as Cpt
from ophyd.signal import EpicsSignalBase
from ophyd.utils import LimitError

from devices.base.completion import Follower, follow, send
from devices.base.limits import SoftLimits
from devices.base.settings import Adjustment, Setting
from devices.base.signals import Readback, SoftSignal
from devices.channel_access import ThreadlessStatus

LONGEST_RAMP = 6 * 3600.0
"""Seconds of wall time for a whole ramp."""


SAME = 1e-3
"""K; setpoints that differ by less are the same."""


class _Progress:
    """Whether a ramp comes nearer; readings have noise, so that they change also where it does not."""

    def __init__(self, step: float, patience: float) -> None:
        self._step, self._patience = step, patience
        self._nearest, self._since = inf, monotonic()

    def stands_still(self, away: float) -> bool:
        """Take a distance from the setpoint."""
        if away < self._nearest - self._step or away <= 2 * self._step:
            self._nearest, self._since = away, monotonic()
        return monotonic() - self._since > self._patience


class Thermostat(SoftLimits, Follower):
    """Temperature inside a cell, degC; prefix for example ``X10DA-ES1-CELL:``.

    The inside is at ``inside_offset + inside_slope * block`` when it is steady: both are found with a thermocouple in
    place of the sample. A move is over when the controller reports the block in position; whether the inside is steady,
    a plan decides from the readings.
    """

    watched: ClassVar[Mapping[str, float]] = {"tolerance": 0.0, "settling": 0.0}
    shown = ("block", "ramp")
    persistent = ("inside_offset", "inside_slope")
    UNIT = "degC"

    inside = Cpt(Readback, "Inside_RBV", auto_monitor=True, units="degC", kind="hinted")
    """Thermocouple inside."""
    block = Cpt(Readback, "Readback_RBV", auto_monitor=True, units="degC", kind="normal")
    setpoint = Cpt(Setting, "Setpoint", limits=True, auto_monitor=True, units="degC", kind="normal")
    in_position = Cpt(Readback, "InPosition_RBV", auto_monitor=True, kind="normal")
    interlock = Cpt(Readback, "Interlock_RBV", auto_monitor=True, kind="normal")
    """1: the block was too hot, and the heater is off."""
    ramp = Cpt(Adjustment, "Ramp", units="K/min", kind="config")
    tolerance = Cpt(Adjustment, "Tolerance", units="K", kind="config")
    settling = Cpt(Adjustment, "Settling", units="s", kind="config")
    maximum = Cpt(Adjustment, "Maximum", units="degC", kind="config")
    inside_offset = Cpt(SoftSignal, value=0.0, units="K", kind="config")
    inside_slope = Cpt(SoftSignal, value=1.0, kind="config")
    stall = Cpt(SoftSignal, value=60.0, units="s", kind="omitted")
    """How long (wall time) a ramp may come no nearer; more where it is slow."""

    def __init__(self, prefix: str, **kwargs: object) -> None:
        super().__init__(prefix, **kwargs)
        self.inside.name = self.name

    @property
    def position(self) -> float:
        """Temperature inside."""
        return float(self.inside.get())

    @property
    def target(self) -> float:
        """Temperature inside to which the setpoint leads."""
        return float(self.inside_offset.get() + self.inside_slope.get() * self.setpoint.get())

    def block_for(self, inside: float) -> float:
        """Temperature of the block for one inside."""
        return float((inside - self.inside_offset.get()) / self.inside_slope.get())

    @property
    def limits(self) -> tuple[float, float]:
        """Lowest and highest temperature inside: those of the setpoint, below the interlock."""
        low, high = self.setpoint.limits
        ends = (self.inside_offset.get() + self.inside_slope.get() * end for end in (low, min(high, self._highest())))
        return self.within(*ends)

    def _highest(self) -> float:
        """Highest block that stays below the interlock."""
        return float(self.maximum.get() - self.tolerance.get())

    def check_value(self, value: float) -> None:
        """Refuse a temperature that the cell cannot have, or at which its interlock would trip.

        Raises
        ------
        ophyd.utils.LimitError
        """
        block, (low, high) = self.block_for(value), self.setpoint.limits
        if not low <= block <= high:
            raise LimitError(
                f"{self.name} cannot go to {value:g} degC: the block would be at {block:.4g} degC, and"
                f" {self.setpoint.setpoint_pvname} goes from {low:g} to {high:g} degC"
            )
        if block > self._highest():
            raise LimitError(
                f"{self.name} cannot go to {value:g} degC: the block would be at {block:.4g} degC, and its interlock"
                f" trips at {self.maximum.get():g} degC ({self.maximum.pvname})"
            )
        self.check_soft_limits(value, self.UNIT)

    def is_at(self, value: float) -> bool:
        """Whether a temperature inside is set, and the block has been in position for the settling time."""
        return bool(self.in_position.get()) and abs(self.setpoint.get() - self.block_for(value)) < SAME

    def set(self, value: float) -> ThreadlessStatus:
        """Ramp to a temperature inside; done when the controller reports the block in position.

        Raises
        ------
        ophyd.utils.LimitError
        """
        self.check_value(value)
        block = self.block_for(value)
        progress = _Progress(float(self.tolerance.get()), self._patience())

        def finished(_: set[EpicsSignalBase]) -> bool | str:
            if self.interlock.get():
                return f"its interlock has tripped ({self.interlock.pvname}): the block was above the maximum; reset it"
            away = abs(self.block.get() - block)
            if progress.stands_still(away):
                return f"the ramp of the block to {block:.4g} degC stands still at {self.block.get():.4g} degC"
            there = abs(self.setpoint.get() - block) <= self.tolerance.get()
            return bool(self.in_position.get() and there and away <= 2 * self.tolerance.get())

        aim = f"ramp the block to {block:.4g} degC"
        readings = [self.in_position, self.interlock, self.block]
        status = follow(self, readings, finished, LONGEST_RAMP, aim, self.stall.get())
        send(status, self.setpoint, block)
        status.check()
        return status

    def _patience(self) -> float:
        """Seconds of wall time in which a ramp has to come nearer by its tolerance."""
        return float(max(self.stall.get(), 3 * 60 * self.tolerance.get() / self.ramp.get()))

    def stop(self, *, success: bool = False) -> None:
        """End a ramp: the block stays where it is. Nothing is sent to a block in position."""
        away = abs(self.setpoint.get() - self.block.get()) > 2 * self.tolerance.get()
        if away and not self.interlock.get():
            self.setpoint.put(float(self.block.get()), wait=False)
        super().stop(success=success)

    def complaints(self) -> list[str]:
        """Problems that the readings show."""
        return [f"{self.interlock.pvname}: the interlock has tripped"] if self.interlock.get() else []
