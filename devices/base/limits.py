"""Limits checked before anything is sent: those of the record, and the narrower soft limits of the configuration."""

from __future__ import annotations

from math import inf

from ophyd import Component as Cpt
from ophyd.utils import LimitError

from devices.base.device import StationDevice
from devices.base.settings import Setting
from devices.base.signals import SoftSignal


class SoftLimits(StationDevice):
    """A device with soft limits, narrower than those of its records."""

    soft_low = Cpt(SoftSignal, value=-inf, kind="omitted")
    soft_high = Cpt(SoftSignal, value=inf, kind="omitted")

    def within(self, low: float, high: float) -> tuple[float, float]:
        """Intersection of these limits and the soft limits; equal numbers mean no limits, as in a record."""
        if not low < high:
            low, high = -inf, inf
        return max(low, self.soft_low.get()), min(high, self.soft_high.get())

    def check_soft_limits(self, value: float, units: str) -> None:
        """Refuse a value outside the soft limits.

        Raises
        ------
        ophyd.utils.LimitError
        """
        low, high = self.soft_low.get(), self.soft_high.get()
        if value < low or value > high:
            raise LimitError(
                f"{self.name} cannot go to {value:.6g} {units}: it is kept within {low:g} to {high:g} {units} by the"
                " [limits] of the configuration"
            )


class SetWithinLimits(SoftLimits):
    """A device with a setpoint whose record has limits."""

    setpoint: Setting

    @property
    def target(self) -> float:
        """The present setpoint."""
        return float(self.setpoint.get())

    @property
    def limits(self) -> tuple[float, float]:
        """Lowest and highest position."""
        return self.within(*self.setpoint.limits)


def check_limits(setpoint: Setting, value: float, refusal: str) -> None:
    """Refuse a value outside the limits of the record.

    Parameters
    ----------
    setpoint : Setting
    value : float
    refusal : str
        Message of the error: the device, the value, and the limits.

    Raises
    ------
    ophyd.utils.LimitError
    """
    try:
        setpoint.check_value(value)
    except LimitError:
        raise LimitError(refusal) from None
