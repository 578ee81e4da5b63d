"""Avalanche photodiode (APD): bias, temperature, and the threshold of its discriminator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ophyd import Component as Cpt
from ophyd.status import Status

from devices.base.device import StationDevice
from devices.base.readback_positioner import ReadbackPositioner
from devices.base.settings import Setting
from devices.base.signals import Readback, SoftSignal


class Level(ReadbackPositioner):
    """A voltage setpoint and its readback; prefix for example ``7idd:APD1:Threshold``.

    Parameters
    ----------
    units : str
    tolerance : float
        Largest distance between readback and setpoint on arrival, in the same unit.
    """

    watched: ClassVar[Mapping[str, float]] = {"setpoint": 0.0, "readback": 0.5}

    readback = Cpt(Readback, "_RBV", auto_monitor=True, kind="hinted")
    setpoint = Cpt(Setting, "", limits=True, auto_monitor=True, kind="normal")
    tolerance = Cpt(SoftSignal, value=0.0, kind="config")

    def __init__(self, prefix: str, *, units: str, tolerance: float, **kwargs: Any) -> None:
        super().__init__(prefix, **kwargs)
        self.readback.name = self.name
        self._units = units
        for signal in (self.readback, self.setpoint, self.tolerance):
            signal._declared_units = units
        self.tolerance.put(tolerance)

    def check_value(self, value: float) -> None:
        """Refuse a voltage outside the limits, before anything is sent.

        Raises
        ------
        ophyd.utils.LimitError
        """
        self.check_reach(value, "go to", self._units)

    def set(self, value: float) -> Status:
        """Set the voltage; done when the readback has arrived.

        Raises
        ------
        ophyd.utils.LimitError
        """
        self.check_value(value)
        return self.reach(value, self.readback, self._units)

    @property
    def position(self) -> float:
        """The readback."""
        return float(self.readback.get())

    @property
    def hints(self) -> dict[str, list[str]]:
        """Stock callbacks plot against the readback."""
        return {"fields": [self.readback.name]}


class Apd(StationDevice):
    """APD with its discriminator; prefix for example ``7idd:APD1:``."""

    shown = ("bias", "threshold", "temperature")
    is_detector = True

    bias = Cpt(Level, "HV", units="V", tolerance=0.5, kind="normal")
    temperature = Cpt(Readback, "Temperature_RBV", auto_monitor=True, units="degC", kind="normal")
    threshold = Cpt(Level, "Threshold", units="mV", tolerance=0.5, kind="normal")
