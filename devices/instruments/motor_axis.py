"""Motor records as energy, pump-probe delay and laser fluence, in the units of documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, isfinite
from typing import Any, ClassVar

from ophyd import Component as Cpt
from ophyd.signal import EpicsSignalBase
from ophyd.utils import LimitError

from devices.base.completion import Follower, follow
from devices.base.limits import SoftLimits
from devices.base.signals import Readback, SoftSignal, refuse_stale
from devices.channel_access import ThreadlessStatus
from devices.instruments.motor import LONGEST_MOVE, Motor

ROUNDING = 1e-9


class ConvertedReadback(Readback):
    """Readback of a motor record in the unit of its axis."""

    def get(self, **kwargs: Any) -> float:
        return float(self.parent.from_motor(float(super().get(**kwargs))))

    def read(self) -> dict[str, dict[str, Any]]:
        refuse_stale(self)
        return {self.name: {"value": self.get(), "timestamp": self.timestamp}}

    def describe(self) -> dict[str, dict[str, Any]]:
        entry = super().describe()[self.name]
        for key in ("lower_ctrl_limit", "upper_ctrl_limit", "precision"):
            entry.pop(key, None)
        entry.update(dtype="number", dtype_numpy="<f8", units=self.parent.UNIT, source=f"COMPUTED:{self.pvname}")
        return {self.name: entry}


class AxisMotor(Motor):
    """The motor of an axis: its readback changes in a scan, and is watched as that of the axis."""

    watched: ClassVar[Mapping[str, float]] = {"user_offset": 0.0, "user_offset_dir": 0.0}


class MotorAxis(SoftLimits, Follower):
    """A motor record as an axis in the unit of documents. A move is over when that of the motor record is.

    Parameters
    ----------
    prefix : str
        Motor record.
    units : str
        Of the record, a key of `FACTORS`.
    tolerance : float
        How near the readback has to be at the end of a move, in the unit of the axis.
    """

    UNIT: ClassVar[str] = ""
    FACTORS: ClassVar[Mapping[str, float]] = {}
    """By unit of the record, how many of the units of the axis it is."""

    readback = Cpt(ConvertedReadback, ".RBV", auto_monitor=True, kind="hinted")
    motor = Cpt(AxisMotor, "", kind="omitted")

    def __init__(self, prefix: str, *, units: str, tolerance: float, **kwargs: Any) -> None:
        if units not in self.FACTORS:
            raise ValueError(f"units: the record is in one of {', '.join(self.FACTORS)}, not in {units!r}")
        super().__init__(prefix, **kwargs)
        self.units = units
        self.readback.name = self.name
        self.readback._declared_units = self.motor.user_readback._declared_units = units
        self.motor.tolerance.put(tolerance / self.factor)

    @property
    def factor(self) -> float:
        """Units of the axis in one of the record."""
        return self.FACTORS[self.units]

    def from_motor(self, value: float) -> float:
        """Position of a value of the record."""
        raise NotImplementedError

    def to_motor(self, value: float) -> float:
        """Value of the record for a position."""
        raise NotImplementedError

    @property
    def position(self) -> float:
        """The readback."""
        return self.readback.get()

    @property
    def target(self) -> float:
        """Position of the present setpoint."""
        return self.from_motor(self.motor.target)

    @property
    def limits(self) -> tuple[float, float]:
        """Lowest and highest position; equal limits of the record are none."""
        low, high = self.motor.limits
        if not (low < high and isfinite(low) and isfinite(high)):
            return self.within(-inf, inf)
        ends = sorted((self.from_motor(low), self.from_motor(high)))
        return self.within(*ends)

    def check_value(self, value: float) -> None:
        """Refuse a position outside the limits, before anything is sent.

        Raises
        ------
        ophyd.utils.LimitError
        """
        if wrong := self.complaints():
            raise LimitError(f"{self.name} is not moved: {wrong[0]}")
        try:
            self.motor.check_value(self.to_motor(value))
        except LimitError as error:
            raise LimitError(f"{self.name} cannot go to {value:g} {self.UNIT}: {error}") from None
        self.check_soft_limits(value, self.UNIT)

    def set(self, value: float) -> ThreadlessStatus:
        """Move; done when the motor record is at rest and the readback there.

        Raises
        ------
        ophyd.utils.LimitError
        """
        self.check_value(value)
        moved = self.motor.set(self.to_motor(value))
        allowed = self.motor.tolerance.get() * self.factor

        def finished(_: set[EpicsSignalBase]) -> bool | str:
            if not moved.done:
                return False
            if (failure := moved.exception()) is not None:
                return str(failure)
            return bool(abs(self.readback.get() - value) <= allowed)  # the monitor may come after the reply to the put

        status = follow(self, [self.readback], finished, LONGEST_MOVE, f"go to {value:g} {self.UNIT}")
        moved.add_callback(lambda _: status.check())
        return status

    def complaints(self) -> list[str]:
        """That the record has another unit than the configuration says."""
        egu = str(self.motor.motor_egu.get()).strip()
        if not egu or egu.casefold() == self.units.casefold():
            return []
        return [f'{self.motor.prefix} is in {egu}, and [devices.{self.name}] has units = "{self.units}"']

    @property
    def hints(self) -> dict[str, list[str]]:
        """Stock callbacks plot against the readback."""
        return {"fields": [self.readback.name]}


class MotorEnergy(MotorAxis):
    """X-ray energy in keV over a motor record in keV or eV, for example ``25idc:mono:energy``."""

    UNIT = "keV"
    FACTORS: ClassVar[Mapping[str, float]] = {"keV": 1.0, "eV": 1e-3}

    def __init__(self, prefix: str, *, units: str, tolerance: float = 5e-5, **kwargs: Any) -> None:
        super().__init__(prefix, units=units, tolerance=tolerance, **kwargs)

    def from_motor(self, value: float) -> float:
        return value * self.factor

    def to_motor(self, value: float) -> float:
        return value / self.factor


class MotorFluence(MotorAxis):
    """Laser fluence in mJ/cm2 over a motor record, for example of an attenuator.

    Parameters
    ----------
    scale : float
        Fluence for each unit of the record beside that of its `units`, as measured.
    """

    UNIT = "mJ/cm2"
    FACTORS: ClassVar[Mapping[str, float]] = {"mJ/cm2": 1.0, "uJ/cm2": 1e-3, "J/m2": 0.1, "%": 1.0, "": 1.0}

    def __init__(self, prefix: str, *, units: str, scale: float = 1.0, tolerance: float = 0.02, **kwargs: Any) -> None:
        if not scale > 0:
            raise ValueError(f"scale must be above 0, not {scale!r}")
        self._scale = scale
        super().__init__(prefix, units=units, tolerance=tolerance, **kwargs)

    @property
    def factor(self) -> float:
        """Fluence for each unit of the record."""
        return self._scale * self.FACTORS[self.units]

    def from_motor(self, value: float) -> float:
        return value * self.factor

    def to_motor(self, value: float) -> float:
        return value / self.factor


class MotorDelay(MotorAxis):
    """Pump-probe delay in ps, positive when the pump comes first: ``sign * (record - t0)``.

    With a `period`, delays that differ by whole periods are the same setting of the record, which stays within `span`.

    Parameters
    ----------
    prefix : str
        Motor record, for example ``25idc:delay``.
    units : str
        Of the record and of `t0`: ``ps``, ``ns``, ``us`` or ``s``.
    sign : int
        1 where a larger value of the record makes a longer delay, -1 where it makes a shorter one.
    period : float
        Time (ps) after which the next laser pulse comes; 0: delays are not wrapped.
    span : sequence of float
        Lowest and highest value of the record, in its units, within which delays are wrapped.
    """

    UNIT = "ps"
    FACTORS: ClassVar[Mapping[str, float]] = {"ps": 1.0, "ns": 1e3, "us": 1e6, "s": 1e12}
    persistent = ("t0",)

    t0 = Cpt(SoftSignal, value=0.0, kind="config")
    """Value of the record at which pump and probe coincide."""
    turns = Cpt(SoftSignal, value=0.0, kind="config")
    """Whole periods between the delay that was set and that of the record."""

    def __init__(
        self,
        prefix: str,
        *,
        units: str,
        sign: int = 1,
        period: float = 0.0,
        span: Sequence[float] = (),
        tolerance: float = 1.0,
        **kwargs: Any,
    ) -> None:
        if sign not in (1, -1):
            raise ValueError(f"sign must be 1 or -1, not {sign!r}")
        super().__init__(prefix, units=units, tolerance=tolerance, **kwargs)
        self.t0._declared_units = units
        self._sign, self._period, self._span = sign, period / self.factor, tuple(span)
        if bool(period) != bool(span) or (span and not 0 < self._period <= (span[-1] - span[0]) * (1 + ROUNDING)):
            raise ValueError(
                f"period and span: delays are wrapped by a period (ps) into a span [lowest, highest] of the record"
                f" that is as long, not by {period:g} ps into {list(span)}"
            )

    def from_motor(self, value: float) -> float:
        turned = self._sign * (value - self.t0.get()) + self.turns.get() * self._period
        return float(turned * self.factor)

    def to_motor(self, value: float) -> float:
        record = self.t0.get() + self._sign * value / self.factor
        if not self._span or not isfinite(record) or self._span[0] <= record <= self._span[1]:
            return float(record)
        return float(self._span[0] + (record - self._span[0]) % self._period)

    def set(self, value: float) -> ThreadlessStatus:
        """Go to a delay in ps; done when the motor record is at rest there.

        Raises
        ------
        ophyd.utils.LimitError
        """
        self.check_value(value)
        if self._period:
            apart = value / self.factor - self._sign * (self.to_motor(value) - self.t0.get())
            self.turns.put(float(round(apart / self._period)))
        return super().set(value)

    @property
    def limits(self) -> tuple[float, float]:
        """Lowest and highest delay, ps; none where delays are wrapped."""
        return self.within(-inf, inf) if self._period else super().limits
