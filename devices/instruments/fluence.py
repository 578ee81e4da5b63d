"""Pump fluence on the sample: set by a wave plate and polariser, read back from the pulse energy."""

from __future__ import annotations

from math import asin, degrees, log, pi, radians, sin, sqrt
from threading import Event
from typing import Any

from ophyd import Component as Cpt
from ophyd import FormattedComponent as FCpt
from ophyd.signal import EpicsSignalBase
from ophyd.utils import LimitError

from devices.base.completion import Follower, follow, send_with_completion
from devices.base.limits import SoftLimits
from devices.base.settings import Setting
from devices.base.signals import Readback, SoftSignal
from devices.channel_access import ThreadlessStatus

MJ_PER_CM2_FROM_UJ_PER_UM2 = 1e5
SETTLED = 1
STOP = 1


def spot_area(width: float, height: float) -> float:
    """Effective area (um2) of a Gaussian spot: its peak fluence is energy over area.

    ``pi w h / (4 ln 2)``, with full widths at half maximum in um.
    """
    return pi * width * height / (4 * log(2))


def malus_fraction(angle: float) -> float:
    """Fraction of the energy that a half-wave plate at an angle (deg) from extinction sends through a polariser.

    Malus' law for a half-wave plate, which turns the polarisation by twice its angle: ``sin(2 angle)^2``.
    """
    return sin(2 * radians(angle)) ** 2


def malus_angle(fraction: float) -> float:
    """Angle (deg, 0 to 45) of the plate for a fraction of the energy; the inverse of `malus_fraction`."""
    return degrees(asin(sqrt(fraction))) / 2


class Fluence(Readback):
    """Peak fluence of a Gaussian laser spot in mJ/cm2, from the pulse energy in uJ.

    The X-ray spot is much smaller than the laser spot, so it probes the peak.
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
    """Pump fluence in mJ/cm2. `set` turns the wave plate and completes when the pulse energy agrees.

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
    """Angle of the plate at which no light is transmitted, as last measured."""
    tolerance = Cpt(SoftSignal, value=0.02, kind="config")
    """Relative tolerance; near 0, the same fraction of a hundredth of the highest fluence."""
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
        """Fluence (mJ/cm2) at the setpoint of the wave plate."""
        full = self.full_energy.get() / self.area * MJ_PER_CM2_FROM_UJ_PER_UM2
        return full * malus_fraction(self.angle_setpoint.get() - self.extinction.get())

    @property
    def limits(self) -> tuple[float, float]:
        """Lowest and highest fluence, mJ/cm2."""
        return self.within(*self.reach)

    @property
    def reach(self) -> tuple[float, float]:
        """Lowest and highest fluence within reach of the wave plate, mJ/cm2."""
        full = self.full_energy.get() / self.area * MJ_PER_CM2_FROM_UJ_PER_UM2
        low, high = (angle - self.extinction.get() for angle in self.angle_setpoint.limits)
        if not low < high:
            low, high = 0.0, 45.0
        low, high = min(max(low, 0.0), 45.0), min(max(high, 0.0), 45.0)
        return full * malus_fraction(low), full * malus_fraction(high)

    def angle_for(self, fluence: float) -> float:
        """Angle of the wave plate (deg) for a fluence (mJ/cm2).

        Raises
        ------
        ophyd.utils.LimitError
            If it is out of reach.
        """
        low, high = self.reach
        if not low <= fluence <= high:
            raise LimitError(
                f"{self.name} cannot reach {fluence:g} mJ/cm2: with {self.full_energy.get():g} uJ the wave plate"
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

    def set(self, value: float) -> ThreadlessStatus:
        """Go to a fluence in mJ/cm2; done when the motor record is done moving and the pulse energy agrees.

        Until the motor put has completed, monitored values do not count: they may be from before the move, and within
        tolerance.

        Raises
        ------
        ophyd.utils.LimitError
        """
        self.check_value(value)
        angle = self.angle_for(value)
        allowed = self.tolerance.get() * max(value, 0.01 * self.reach[1])
        turned = Event()

        def finished(_: set[EpicsSignalBase]) -> bool:
            if not turned.is_set():
                return False
            at_rest = self.settled.get() == SETTLED and abs(self.angle.get() - angle) <= self.angle_tolerance.get()
            return bool(at_rest and abs(self.fluence.get() - value) <= allowed)

        watched = [self.settled, self.angle, self.fluence]
        status = follow(self, watched, finished, self.timeout.get(), f"go to {value:g} mJ/cm2", self.stall.get())
        send_with_completion(status, self.angle_setpoint, angle, turned.set)
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
