"""Avalanche photodiode (APD): bias, temperature, and the threshold of its discriminator."""

from __future__ import annotations

from typing import Any

from ophyd import Component as Cpt
from ophyd import Device
from ophyd.signal import EpicsSignalBase
from ophyd.status import Status
from ophyd.utils import LimitError

from devices.following import Follower, follow, send
from devices.signals import Readback, Setting, SoftSignal


class Level(Follower):
    """A voltage that is set, and the readback that follows; prefix for example ``7idd:APD1:Threshold``.

    Parameters
    ----------
    units : str
    tolerance : float
        How near the readback has to come, in the same unit.
    """

    readback = Cpt(Readback, "_RBV", auto_monitor=True, kind="hinted")
    setpoint = Cpt(Setting, "", limits=True, auto_monitor=True, kind="normal")
    tolerance = Cpt(SoftSignal, value=0.0, kind="config")
    stall = Cpt(SoftSignal, value=4.0, units="s", kind="omitted")
    timeout = Cpt(SoftSignal, value=120.0, units="s", kind="omitted")

    def __init__(self, prefix: str, *, units: str, tolerance: float, **kwargs: Any) -> None:
        super().__init__(prefix, **kwargs)
        self.readback.name = self.name
        self._units = units
        for signal in (self.readback, self.setpoint, self.tolerance):
            signal._declared_units = units
        self.tolerance.put(tolerance)

    def check_value(self, value: float) -> None:
        """Refuse a voltage outside the record's limits, before anything is sent.

        Raises
        ------
        ophyd.utils.LimitError
        """
        low, high = self.setpoint.limits
        try:
            self.setpoint.check_value(value)
        except LimitError:
            raise LimitError(
                f"{self.name} cannot go to {value:g} {self._units}: {self.setpoint.setpoint_pvname} goes from {low:g}"
                f" to {high:g} {self._units}"
            ) from None

    def set(self, value: float) -> Status:
        """Set the voltage; done when the readback is there.

        Raises
        ------
        ophyd.utils.LimitError
        """
        self.check_value(value)

        def finished(_: set[EpicsSignalBase]) -> bool:
            return bool(abs(self.readback.get() - value) <= self.tolerance.get())

        aim = f"go to {value:g} {self._units}"
        status = follow(self, [self.readback], finished, self.timeout.get(), aim, self.stall.get())
        send(status, self.setpoint, value)
        status.ask()
        return status

    @property
    def position(self) -> float:
        """The readback."""
        return float(self.readback.get())

    @property
    def hints(self) -> dict[str, list[str]]:
        """Stock callbacks plot against the readback."""
        return {"fields": [self.readback.name]}


class Apd(Device):
    """APD with its discriminator; prefix for example ``7idd:APD1:``."""

    bias = Cpt(Level, "HV", units="V", tolerance=0.5, kind="normal")
    temperature = Cpt(Readback, "Temperature_RBV", auto_monitor=True, units="degC", kind="normal")
    threshold = Cpt(Level, "Threshold", units="mV", tolerance=0.5, kind="normal")
