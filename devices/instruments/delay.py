"""Pump-probe delay: a delay generator shifts the laser in coarse steps, a phase shifter in fine ones."""

from __future__ import annotations

from math import isfinite
from typing import Any

from ophyd import Component as Cpt
from ophyd import FormattedComponent as FCpt
from ophyd.signal import DerivedSignal, EpicsSignalBase
from ophyd.utils import LimitError

from devices.base.completion import Follower, follow, send
from devices.base.limits import SoftLimits
from devices.base.settings import Setting
from devices.base.signals import Readback, SoftSignal, refuse_stale
from devices.channel_access import ThreadlessStatus

PS_PER_S = 1e12


class ProbeDelay(DerivedSignal):
    """Time from pump to probe in ps, positive when the pump comes first: ``sign * (t0 - generator + fine)``."""

    def inverse(self, generator: float) -> float:
        return self.parent.sign.get() * ((self.parent.t0.get() - generator) * PS_PER_S + self.parent.fine.get())

    def read(self) -> dict[str, dict[str, Any]]:
        refuse_stale(self.parent.generator)
        newest = max(self.parent.generator.timestamp, self.parent.fine.timestamp)
        return {self.name: {"value": self.get(), "timestamp": newest}}

    def fine_changed(self, *, timestamp: float, **_: Any) -> None:
        """Notify subscribers of a change of the fine phase."""
        if self.parent.generator.connected:
            super()._derived_value_callback(self.parent.generator._readback, timestamp=timestamp)

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


class DelaySign(SoftSignal):
    """1 or -1."""

    def put(self, value: Any, **kwargs: Any) -> None:
        if value not in (1, -1):
            raise ValueError(f"{self.name} is 1, or -1 where the generator works the other way, not {value!r}")
        super().put(value, **kwargs)


class AtLimit(Readback):
    """1 where the phase shifter is at an end of its range, where the delay may slip unnoticed; else 0."""

    def get(self, **kwargs: Any) -> int:
        fine = float(super().get(**kwargs))
        low, high = self.parent.fine_setpoint.limits
        margin = self.parent.fine_margin.get()
        return int(low < high and not low + margin <= fine <= high - margin)

    def describe(self) -> dict[str, dict[str, Any]]:
        description = super().describe()
        entry = description[self.name]
        for key in ("lower_ctrl_limit", "upper_ctrl_limit", "precision", "units"):
            entry.pop(key, None)
        entry.update(source=f"COMPUTED:{self.pvname}", dtype="integer", dtype_numpy="<i8")
        return description


class LaserDelay(SoftLimits, Follower):
    """Pump-probe delay in ps over a delay generator that runs backwards (s) and a fine phase (ps).

    With a `sign` of -1 both work the other way.

    If the phase shifter alone can reach a delay, only it moves. Otherwise the generator goes to its nearest step and
    the phase shifter makes up the rest.

    Parameters
    ----------
    prefix : str
        Delay generator, for example ``7idd:DG1:``.
    fine_prefix : str
        Phase shifter, for example ``7idd:digDelay1:``.
    """

    persistent = ("t0", "sign")

    delay = Cpt(ProbeDelay, derived_from="generator", kind="hinted")
    generator = Cpt(Readback, "ADelayAI", auto_monitor=True, units="s", kind="normal")
    generator_setpoint = Cpt(Setting, "ADelayAO", limits=True, auto_monitor=True, units="s", kind="omitted")
    fine = FCpt(Readback, "{fine_prefix}actualDelay", auto_monitor=True, units="ps", kind="normal")
    fine_setpoint = FCpt(Setting, "{fine_prefix}delay", limits=True, auto_monitor=True, units="ps", kind="omitted")
    fine_at_limit = FCpt(AtLimit, "{fine_prefix}actualDelay", auto_monitor=True, kind="normal")
    t0 = Cpt(SoftSignal, value=169.78e-9, units="s", kind="config")
    """Generator setting at which pump and probe coincide."""
    sign = Cpt(DelaySign, value=1.0, kind="config")
    """1, or -1 where a larger generator setting makes the delay longer."""
    resolution = Cpt(SoftSignal, value=5e-12, units="s", kind="config")
    """Step of the generator, and tolerance of its readback."""
    fine_resolution = Cpt(SoftSignal, value=0.2, units="ps", kind="config")
    """Tolerance of the fine phase readback."""
    fine_margin = Cpt(SoftSignal, value=10.0, units="ps", kind="config")
    """Distance that the phase shifter keeps from the ends of its range."""
    timeout = Cpt(SoftSignal, value=4.5, units="s", kind="omitted")

    def __init__(self, prefix: str, *, fine_prefix: str, **kwargs: Any) -> None:
        self.fine_prefix = fine_prefix
        super().__init__(prefix, **kwargs)
        self.delay.name = self.name
        self.fine.subscribe(self.delay.fine_changed, run=False)

    def settings_for(self, delay: float) -> tuple[float, float]:
        """Generator setpoint (s) and fine phase (ps) for a delay in ps."""
        low, high = self.fine_setpoint.limits
        margin, t0, delay = self.fine_margin.get(), float(self.t0.get()), self.sign.get() * delay
        generator = float(self.generator.get())
        fine = delay - (t0 - generator) * PS_PER_S
        if low + margin <= fine <= high - margin:
            return generator, fine
        step = self.resolution.get()
        wanted = t0 - delay / PS_PER_S
        generator = round(wanted / step) * step if isfinite(wanted) else wanted
        return generator, delay - (t0 - generator) * PS_PER_S

    @property
    def target(self) -> float:
        """Delay in ps of the present setpoints of generator and phase shifter."""
        coarse = (self.t0.get() - self.generator_setpoint.get()) * PS_PER_S
        return float(self.sign.get() * (coarse + self.fine_setpoint.get()))

    @property
    def limits(self) -> tuple[float, float]:
        """Shortest and longest delay, ps, with the phase shifter in the middle."""
        low, high = self.generator_setpoint.limits
        t0 = float(self.t0.get())
        return self.within(*sorted(self.sign.get() * (t0 - each) * PS_PER_S for each in (low, high)))

    def check_value(self, value: float) -> None:
        """Refuse a delay (ps) outside the limits, or out of reach of generator and phase shifter.

        Raises
        ------
        ophyd.utils.LimitError
        """
        low, high = self.generator_setpoint.limits
        needed, _ = self.settings_for(value)
        if not isfinite(needed) or (low < high and not low <= needed <= high):
            raise LimitError(
                f"{self.name}: {value:g} ps needs {needed * 1e9:.3f} ns of {self.generator_setpoint.setpoint_pvname},"
                f" which goes from {low * 1e9:g} to {high * 1e9:g} ns"
            )
        self.check_soft_limits(value, "ps")

    def set(self, value: float) -> ThreadlessStatus:
        """Go to a pump-probe delay in ps, positive when the pump comes first.

        Raises
        ------
        ophyd.utils.LimitError
            If it is out of reach of the generator.
        """
        self.check_value(value)
        generator, fine = self.settings_for(value)

        def finished(_: set[EpicsSignalBase]) -> bool:
            off = abs(self.generator.get() - generator), abs(self.fine.get() - fine)
            return bool(off[0] <= self.resolution.get() and off[1] <= self.fine_resolution.get())

        watched = [self.generator, self.fine]
        status = follow(self, watched, finished, self.timeout.get(), aim=f"go to {value:g} ps")
        if generator != self.generator.get():
            send(status, self.generator_setpoint, generator)
        send(status, self.fine_setpoint, fine)
        status.check()
        return status

    def complaints(self) -> list[str]:
        """Problems that the readings show."""
        if not self.fine_at_limit.get():
            return []
        return [f"{self.fine.pvname} is at the limit of its range ({self.fine.get():g} ps): the delay may have slipped"]

    @property
    def position(self) -> float:
        """Pump-probe delay in ps."""
        return self.delay.get()

    @property
    def hints(self) -> dict[str, list[str]]:
        """Stock callbacks plot against the delay."""
        return {"fields": [self.delay.name]}
