"""Pump fluence on the sample: a wave plate before a polariser sets it, the pulse energy tells it."""

from __future__ import annotations

from math import asin, degrees, log, pi, radians, sin, sqrt
from threading import Event
from typing import Any

from ophyd import Component as Cpt
from ophyd import FormattedComponent as FCpt
from ophyd.signal import EpicsSignalBase
from ophyd.status import Status
from ophyd.utils import LimitError

from devices.base.completion import Follower, follow, send_and_hear
from devices.base.limits import SoftLimits
from devices.base.settings import Setting
from devices.base.signals import Readback, SoftSignal

MJ_PER_CM2_FROM_UJ_PER_UM2 = 1e5
SETTLED = 1
STOP = 1


def spot_area(width: float, height: float) -> float:
    """Area (um2) by which the energy of a Gaussian spot gives the fluence in its middle, from full widths at half
    maximum in um: ``pi w h / (4 ln 2)``."""
    return pi * width * height / (4 * log(2))


def malus_share(angle: float) -> float:
    """Share of the energy that a half-wave plate at an angle (deg) from extinction lets through a polariser.

    Malus' law for a half-wave plate, which turns the polarisation by twice its angle: ``sin(2 angle)^2``.
    """
    return sin(2 * radians(angle)) ** 2


def malus_angle(share: float) -> float:
    """Angle (deg, 0 to 45) at which the plate lets through that share; the inverse of `malus_share`."""
    return degrees(asin(sqrt(share))) / 2


class Fluence(Readback):
    """Fluence in the middle of a Gaussian laser spot in mJ/cm2, from the pulse energy in uJ.

    The X-ray spot is much smaller than the laser spot, so the middle is what is probed.
    """

    def get(self, **kwargs: Any) -> float:
        return float(super().get(**kwargs)) / self.parent.area * MJ_PER_CM2_FROM_UJ_PER_UM2

    def describe(self) -> dict[str, dict[str, Any]]:
        description = super().describe()
        entry = description[self.name]
        for key in ("lower_ctrl_limit", "upper_ctrl_limit"):
            entry.pop(key, None)
        entry["units"] = "mJ/cm2"
        entry["source"] = f"COMPUTED:{self.pvname}"
        return description


class LaserFluence(SoftLimits, Follower):
    """Pump fluence in mJ/cm2. A set turns the wave plate and is done when the pulse energy has followed.

    Parameters
    ----------
    prefix : str
        Laser, for example ``7idd:Laser:``.
    wave_plate : str
        Motor record of the half-wave plate, for example ``7idd:m1``.
    """

    fluence = Cpt(Fluence, "PulseEnergy_RBV", auto_monitor=True, kind="hinted")
    angle = FCpt(Readback, "{wave_plate}.RBV", auto_monitor=True, units="deg", kind="normal")
    angle_setpoint = FCpt(Setting, "{wave_plate}.VAL", limits=True, auto_monitor=True, units="deg", kind="omitted")
    settled = FCpt(Readback, "{wave_plate}.DMOV", auto_monitor=True, kind="omitted")
    halt = FCpt(Setting, "{wave_plate}.STOP", kind="omitted")

    spot_width = Cpt(SoftSignal, value=45.0, units="um", kind="config")
    spot_height = Cpt(SoftSignal, value=50.0, units="um", kind="config")
    full_energy = Cpt(SoftSignal, value=0.357, units="uJ", kind="config")
    """Pulse energy with the plate 45 deg from extinction, as last measured."""
    extinction = Cpt(SoftSignal, value=0.0, units="deg", kind="config")
    """Angle of the plate at which no light comes through, as last measured."""
    tolerance = Cpt(SoftSignal, value=0.02, kind="config")
    """Relative; and as much of a hundredth of the highest fluence, near 0."""
    angle_tolerance = Cpt(SoftSignal, value=0.01, units="deg", kind="config")
    stall = Cpt(SoftSignal, value=4.0, units="s", kind="omitted")
    timeout = Cpt(SoftSignal, value=60.0, units="s", kind="omitted")

    def __init__(self, prefix: str, *, wave_plate: str, **kwargs: Any) -> None:
        self.wave_plate = wave_plate
        super().__init__(prefix, **kwargs)
        self.fluence.name = self.name

    @property
    def area(self) -> float:
        """Area of the laser spot in um2, see `spot_area`."""
        return spot_area(self.spot_width.get(), self.spot_height.get())

    @property
    def target(self) -> float:
        """The fluence (mJ/cm2) of the angle that the wave plate was told to go to."""
        full = self.full_energy.get() / self.area * MJ_PER_CM2_FROM_UJ_PER_UM2
        return full * malus_share(self.angle_setpoint.get() - self.extinction.get())

    @property
    def limits(self) -> tuple[float, float]:
        """Lowest and highest fluence, mJ/cm2."""
        return self.within(*self.makes)

    @property
    def makes(self) -> tuple[float, float]:
        """Lowest and highest fluence that the wave plate can make, mJ/cm2."""
        full = self.full_energy.get() / self.area * MJ_PER_CM2_FROM_UJ_PER_UM2
        low, high = (angle - self.extinction.get() for angle in self.angle_setpoint.limits)
        if not low < high:
            low, high = 0.0, 45.0
        low, high = min(max(low, 0.0), 45.0), min(max(high, 0.0), 45.0)
        return full * malus_share(low), full * malus_share(high)

    def angle_for(self, fluence: float) -> float:
        """Angle of the wave plate (deg) that makes a fluence (mJ/cm2).

        Raises
        ------
        ophyd.utils.LimitError
            If no angle makes it.
        """
        low, high = self.makes
        if not low <= fluence <= high:
            raise LimitError(
                f"{self.name} cannot make {fluence:g} mJ/cm2: with {self.full_energy.get():g} uJ the wave plate"
                f" {self.wave_plate} makes {low:.3g} to {high:.3g} mJ/cm2"
            )
        full = self.full_energy.get() / self.area * MJ_PER_CM2_FROM_UJ_PER_UM2
        return float(self.extinction.get() + malus_angle(min(fluence / full, 1.0)))

    def check_value(self, value: float) -> None:
        """Refuse a fluence (mJ/cm2) out of reach, before anything is sent.

        Raises
        ------
        ophyd.utils.LimitError
        """
        self.angle_for(value)
        self.check_soft_limits(value, "mJ/cm2")

    def set(self, value: float) -> Status:
        """Go to a fluence in mJ/cm2; done when the motor record says that the plate rests, and the light agrees.

        Before that says nothing: what is monitored may be from before the move, and near enough.

        Raises
        ------
        ophyd.utils.LimitError
        """
        self.check_value(value)
        angle = self.angle_for(value)
        allowed = self.tolerance.get() * max(value, 0.01 * self.makes[1])
        turned = Event()

        def finished(_: set[EpicsSignalBase]) -> bool:
            if not turned.is_set():
                return False
            at_rest = self.settled.get() == SETTLED and abs(self.angle.get() - angle) <= self.angle_tolerance.get()
            return bool(at_rest and abs(self.fluence.get() - value) <= allowed)

        watched = [self.settled, self.angle, self.fluence]
        status = follow(self, watched, finished, self.timeout.get(), f"go to {value:g} mJ/cm2", self.stall.get())
        send_and_hear(status, self.angle_setpoint, angle, turned.set)
        return status

    @property
    def position(self) -> float:
        """Fluence in mJ/cm2."""
        return self.fluence.get()

    @property
    def hints(self) -> dict[str, list[str]]:
        """Stock callbacks plot against the fluence."""
        return {"fields": [self.fluence.name]}

    def stop(self, *, success: bool = False) -> None:
        """Stop the wave plate where it is."""
        try:
            if self.settled.get() != SETTLED:
                self.halt.put(STOP, wait=False)
        finally:
            super().stop(success=success)
