"""EPICS motor records, with the descriptions and messages of the other devices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ophyd import Component as Cpt
from ophyd import EpicsMotor
from ophyd.positioner import PositionerBase
from ophyd.signal import EpicsSignalBase
from ophyd.utils import LimitError

from devices.base.bulk_read import fetch_value
from devices.base.completion import Follower, follow, send_with_completion
from devices.base.device import StationDevice
from devices.base.limits import SoftLimits
from devices.base.settings import PanelSetting, Setting
from devices.base.signals import Readback, SoftSignal
from devices.channel_access import ThreadlessStatus

LONGEST_MOVE = 600.0
"""Seconds of wall time for a whole move."""


class Motor(SoftLimits, Follower, EpicsMotor):
    """An EPICS motor record; prefix for example ``7idd:m2``.

    As the motor of ophyd, with complete descriptions, a limit error that names the motor, and a failure if the motor
    reports that it moves while its readback does not change.
    """

    watched: ClassVar[Mapping[str, float]] = {"user_readback": 0.005, "user_offset": 0.0, "user_offset_dir": 0.0}

    user_readback = Cpt(Readback, ".RBV", auto_monitor=True, kind="hinted")
    user_setpoint = Cpt(Setting, ".VAL", limits=True, auto_monitor=True, kind="normal")
    user_offset = Cpt(Readback, ".OFF", auto_monitor=True, kind="config")
    user_offset_dir = Cpt(Readback, ".DIR", auto_monitor=True, kind="config")
    velocity = Cpt(Readback, ".VELO", auto_monitor=True, kind="config")
    acceleration = Cpt(Readback, ".ACCL", auto_monitor=True, units="s", kind="config")
    motor_egu = Cpt(Readback, ".EGU", string=True, auto_monitor=True, kind="config")
    offset_freeze_switch = Cpt(PanelSetting, ".FOFF", auto_monitor=True, kind="omitted")
    set_use_switch = Cpt(PanelSetting, ".SET", auto_monitor=True, kind="omitted")
    high_limit_travel = Cpt(PanelSetting, ".HLM", auto_monitor=True, kind="omitted")
    low_limit_travel = Cpt(PanelSetting, ".LLM", auto_monitor=True, kind="omitted")
    direction_of_travel = Cpt(Readback, ".TDIR", auto_monitor=True, kind="omitted")
    motor_stop = Cpt(Setting, ".STOP", kind="omitted")
    home_forward = Cpt(PanelSetting, ".HOMF", kind="omitted")
    home_reverse = Cpt(PanelSetting, ".HOMR", kind="omitted")
    tolerance = Cpt(SoftSignal, value=0.005, kind="config")
    """How near the readback has to be at the end of a move, in the unit of the motor."""
    stall = Cpt(SoftSignal, value=4.0, units="s", kind="omitted")
    """How long (wall time) the readback may stay unchanged during a move."""

    @property
    def position(self) -> float:
        """Position readback; that of ophyd is None before the first change."""
        return float(self.user_readback.get())

    @property
    def target(self) -> float:
        """The present setpoint."""
        return float(self.user_setpoint.get())

    @property
    def limits(self) -> tuple[float, float]:
        """Lowest and highest position."""
        return self.within(*self.user_setpoint.limits)

    def check_value(self, pos: float) -> None:
        """Refuse a position outside the limits, before anything is sent.

        Raises
        ------
        ophyd.utils.LimitError
        """
        low, high = self.user_setpoint.limits
        try:
            super().check_value(pos)
        except LimitError:
            raise LimitError(
                f"{self.name} cannot go to {pos:g} {self.egu}: {self.user_setpoint.setpoint_pvname} goes from {low:g}"
                f" to {high:g} {self.egu}"
            ) from None
        self.check_soft_limits(pos, self.egu)

    def stop(self, *, success: bool = False) -> None:
        """Stop the motor; sends nothing to a motor at rest."""
        try:
            if self.motor_done_move.get():
                PositionerBase.stop(self, success=success)
            else:
                EpicsMotor.stop(self, success=success)
        finally:
            self._run_subs(sub_type=self.SUB_STOPPED, success=success)

    def set(self, new_position: float, **_: Any) -> ThreadlessStatus:
        """Move; done when the record has replied to the put, which it does at rest, and the readback is there.

        A motor that was stopped at a panel, or moved by another client, replies too.

        Raises
        ------
        ophyd.utils.LimitError
        """
        self.check_value(new_position)
        landed: list[float] = []

        def at_rest() -> None:
            landed.append(fetch_value(self.user_readback))

        def finished(_: set[EpicsSignalBase]) -> bool | str:
            if not landed:
                return False
            if abs(landed[-1] - new_position) <= self.tolerance.get():
                return True
            return (
                f"is at {landed[-1]:g} {self.egu}, not at {new_position:g} {self.egu}: it was stopped or moved"
                f" by another client ({self.user_readback.pvname})"
            )

        aim = f"go to {new_position:g} {self.egu}"
        watched = [self.user_readback, self.motor_done_move]
        status = follow(self, watched, finished, LONGEST_MOVE, aim, self.stall.get())
        send_with_completion(status, self.user_setpoint, new_position, at_rest)
        return status

    def move(self, position: float, wait: bool = True, timeout: float | None = None, **_: Any) -> ThreadlessStatus:
        """Move and wait for it, as ophyd's positioners do.

        Raises
        ------
        ophyd.utils.LimitError
        """
        status = self.set(position)
        if wait:
            status.wait(timeout)
        return status


class SpotMotor(Motor):
    """A motor whose unit is a micrometre of a spot."""

    watched: ClassVar[Mapping[str, float]] = {"user_readback": 0.5, "user_offset": 0.0, "user_offset_dir": 0.0}

    tolerance = Cpt(SoftSignal, value=0.5, kind="config")
    """How near the readback has to be at the end of a move, um."""


class LaserSteering(StationDevice):
    """Two motors that move the spot of the laser on the sample, um; prefix for example ``7idd:``."""

    shown = ("along", "across")

    along = Cpt(SpotMotor, "m4", kind="hinted")
    """Along the flow of the jet."""
    across = Cpt(SpotMotor, "m5", kind="hinted")
    """Across it."""


class Knife(StationDevice):
    """Two blades across both beams at the sample, um; prefix for example ``7idd:``.

    A blade covers what is at smaller coordinates than its position.
    """

    shown = ("along", "across")

    along = Cpt(SpotMotor, "m6", kind="hinted")
    """Across which the beams are covered along the flow of the jet."""
    across = Cpt(SpotMotor, "m7", kind="hinted")
    """And across it."""


class SampleStage(StationDevice):
    """Two motors across the X-ray beam; prefix for example ``7idd:``."""

    shown = ("across", "along")

    across = Cpt(Motor, "m2", kind="hinted")
    """Across the flow of the jet."""
    along = Cpt(Motor, "m3", kind="hinted")
    """Along its flow."""
