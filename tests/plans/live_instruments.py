"""Instruments of a cold beamline without Channel Access: each changes the world of the simulator, or reads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from reduction.documents.detectors import FOIL, Detector
from tests.plans.fakes import Data, DoneStatus, Fake, FakeCounter, FakeSignal

if TYPE_CHECKING:
    from tests.plans.cold_beamline import ColdBeamline


class Live(FakeSignal):
    """A signal that changes the beamline when it is set, and may take time."""

    changed: Callable[[Any], None] = staticmethod(lambda _: None)
    key = ""

    def set(self, value: Any) -> DoneStatus:
        status = super().set(value)
        self.changed(value)
        return status

    def values(self) -> Data:
        return {self.key or self.name: (self.value, "")}

    def stop(self, *, success: bool = True) -> None:
        """Nothing moves."""


class LiveDelay(Live):
    """The delay, in reach of its generator, ps."""

    generator: Callable[[float], float]

    def check_value(self, value: float) -> None:
        if not 0 <= self.generator(value) <= 2e6:
            raise ValueError(f"{self.name} cannot go to {value}")


class LiveCounter(FakeCounter):
    """A counter that reads what the beamline has counted."""

    tick_ns = 4.0

    def __init__(self, name: str, beamline: ColdBeamline, shutter: FakeSignal, count: Callable[[float], Data]) -> None:
        super().__init__(name, beamline.notes, shutter)
        self._count, self._values = count, {}

    def trigger(self) -> DoneStatus:
        self._values = dict(self._count(float(self.preset_time.value)))
        return super().trigger()

    def values(self) -> Data:
        return self._values


class Chamber(Fake):
    """Chamber behind the sample or behind the foil."""

    def __init__(self, name: str, beamline: ColdBeamline, number: int) -> None:
        super().__init__(name, beamline.notes)
        self._beamline, self._number = beamline, number

    def values(self) -> Data:
        counts, seconds = self._beamline.behind
        own = (counts[self._number], seconds, 1.0, 100.0)
        keys = ("counts", "time", "gain", "dark")
        return {Detector("", FOIL, self.name).key(key): (value, "") for key, value in zip(keys, own, strict=True)}


class Diode(Fake):
    """Photodiode behind the knife."""

    def __init__(self, name: str, beamline: ColdBeamline) -> None:
        super().__init__(name, beamline.notes)
        self._beamline = beamline

    def values(self) -> Data:
        counts, seconds = self._beamline.behind_knife
        return {self.name: (counts, ""), f"{self.name}_time": (seconds, "")}
