"""Pump-probe delay: the delay generator that shifts the laser, and its fine phase shifter."""

from __future__ import annotations

from typing import Any

from ophyd import Component as Cpt
from ophyd import FormattedComponent as FCpt
from ophyd.signal import DerivedSignal, EpicsSignalBase
from ophyd.status import Status
from ophyd.utils import LimitError

from devices.following import Follower, follow, send
from devices.signals import Readback, Setting, SoftSignal

PS_PER_S = 1e12


class ProbeDelay(DerivedSignal):
    """Time from pump to probe in ps, positive when the pump comes first: ``t0 - generator + fine``."""

    def inverse(self, generator: float) -> float:
        return (self.parent.t0.get() - generator) * PS_PER_S + self.parent.fine.get()

    def _derived_value_callback(self, value: float, **kwargs: Any) -> None:
        if self.parent.fine.connected:  # a callback must not wait for a record
            super()._derived_value_callback(value, **kwargs)

    def describe(self) -> dict[str, dict[str, Any]]:
        description = super().describe()
        entry = description[self.name]
        for key in ("lower_ctrl_limit", "upper_ctrl_limit", "precision"):
            entry.pop(key, None)
        entry.update(dtype="number", dtype_numpy="<f8", units="ps", precision=1)
        return description


class LaserDelay(Follower):
    """Pump-probe delay in ps over a delay generator that runs backwards (s) and a fine phase (ps).

    Parameters
    ----------
    prefix : str
        Delay generator, for example ``7idd:DG1:``.
    fine_prefix : str
        Phase shifter, for example ``7idd:digDelay1:``; its phase is read, and stays where it is.
    """

    delay = Cpt(ProbeDelay, derived_from="generator", kind="hinted")
    generator = Cpt(Readback, "ADelayAI", auto_monitor=True, units="s", kind="normal")
    generator_setpoint = Cpt(Setting, "ADelayAO", limits=True, auto_monitor=True, units="s", kind="omitted")
    fine = FCpt(Readback, "{fine_prefix}actualDelay", auto_monitor=True, units="ps", kind="normal")
    t0 = Cpt(SoftSignal, value=169.78e-9, units="s", kind="config")
    """Generator setting at which pump and probe coincide."""
    resolution = Cpt(SoftSignal, value=5e-12, units="s", kind="config")
    """Step of the generator; the readback has to agree within it."""
    timeout = Cpt(SoftSignal, value=10.0, units="s", kind="omitted")

    def __init__(self, prefix: str, *, fine_prefix: str, **kwargs: Any) -> None:
        self.fine_prefix = fine_prefix
        super().__init__(prefix, **kwargs)
        self.delay.name = self.name

    def _generator_for(self, delay: float) -> float:
        return float(self.t0.get() - (delay - self.fine.get()) / PS_PER_S)

    def check_value(self, value: float) -> None:
        """Refuse a delay (ps) that the generator cannot make.

        Raises
        ------
        ophyd.utils.LimitError
        """
        low, high = self.generator_setpoint.limits
        needed = self._generator_for(value)
        if low < high and not low <= needed <= high:
            raise LimitError(
                f"{self.name}: {value:g} ps needs {needed * 1e9:.3f} ns of {self.generator_setpoint.setpoint_pvname},"
                f" which goes from {low * 1e9:g} to {high * 1e9:g} ns"
            )

    def set(self, value: float) -> Status:
        """Go to a pump-probe delay in ps, positive when the pump comes first.

        Raises
        ------
        ophyd.utils.LimitError
            If the generator cannot make it.
        """
        self.check_value(value)
        target = self._generator_for(value)

        def finished(_: set[EpicsSignalBase]) -> bool:
            return bool(abs(self.generator.get() - target) <= self.resolution.get())

        status = follow(self, [self.generator], finished, self.timeout.get(), aim=f"go to {value:g} ps")
        send(status, self.generator_setpoint, target)
        status.ask()
        return status

    @property
    def position(self) -> float:
        """Pump-probe delay in ps."""
        return self.delay.get()

    @property
    def hints(self) -> dict[str, list[str]]:
        """Stock callbacks plot against the delay."""
        return {"fields": [self.delay.name]}
