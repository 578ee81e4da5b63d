"""Soft instruments that fulfil the protocols of plans, without any device library. They note what is done to them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from plans.protocols import Instruments

NUM_PHASES = 10  # 2 bunches, laser at every 5th
Data = Mapping[str, tuple[Any, str]]


class RefusedError(Exception):
    """Raised by a fake that was set to fail."""


class DoneStatus:
    """Status of something that ends at once, well or with an error."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error
        self.done = True
        self.success = error is None

    def add_callback(self, callback: Callable[[Any], None]) -> None:
        callback(self)

    def exception(self, timeout: float | None = 0.0) -> Exception | None:
        return self._error


class PendingStatus(DoneStatus):
    """A status that a test completes."""

    def __init__(self) -> None:
        super().__init__()
        self.done = self.success = False
        self._callbacks: list[Callable[[Any], None]] = []

    def add_callback(self, callback: Callable[[Any], None]) -> None:
        self._callbacks.append(callback)

    def finish(self) -> None:
        self.done = self.success = True
        for callback in self._callbacks:
            callback(self)


@dataclass
class Notes:
    """What was done, in order, and the number of the action that is to fail."""

    actions: list[tuple[str, str, Any]] = field(default_factory=list)
    fails_at: int | None = None

    def note(self, action: str, name: str, value: Any = None) -> DoneStatus:
        """Note an action; its status, which has failed if this is the one that fails."""
        self.actions.append((action, name, value))
        return DoneStatus(RefusedError(f"{name} fails") if len(self.actions) - 1 == self.fails_at else None)

    def raise_if_failing(self, action: str, name: str) -> None:
        """Note an action that has no status."""
        if not self.note(action, name).success:
            raise RefusedError(f"{name} fails")


class Fake:
    """Something readable with a name; its values come from `values`."""

    parent = None

    def __init__(self, name: str, notes: Notes) -> None:
        self.name = name
        self.notes = notes

    def values(self) -> Data:
        raise NotImplementedError

    def read(self) -> dict[str, dict[str, Any]]:
        self.notes.raise_if_failing("read", self.name)
        return {key: {"value": value, "timestamp": time.time()} for key, (value, _) in self.values().items()}

    def describe(self) -> dict[str, dict[str, Any]]:
        described: dict[str, dict[str, Any]] = {}
        for key, (value, units) in self.values().items():
            array = np.asarray(value)
            kind = {"f": "number", "i": "integer", "U": "string"}[array.dtype.kind] if array.ndim == 0 else "array"
            described[key] = {"source": "fake", "dtype": kind, "shape": list(array.shape), "units": units}
            described[key]["dtype_numpy"] = "<U1000" if kind == "string" else array.dtype.str
        return described

    def read_configuration(self) -> dict[str, dict[str, Any]]:
        return {}

    def describe_configuration(self) -> dict[str, dict[str, Any]]:
        return {}

    @property
    def hints(self) -> dict[str, list[str]]:
        return {"fields": []}


class FakeSignal(Fake):
    """One settable value."""

    def __init__(self, name: str, notes: Notes, value: Any, low: float = -np.inf, high: float = np.inf) -> None:
        super().__init__(name, notes)
        self.value, self.low, self.high = value, low, high
        self.takes = True

    def values(self) -> Data:
        return {self.name: (self.value, "")}

    def check_value(self, value: float) -> None:
        if not self.low <= value <= self.high:
            raise ValueError(f"{self.name} cannot go to {value}: its limits are {self.low} to {self.high}")

    def set(self, value: Any) -> DoneStatus:
        status = self.notes.note("set", self.name, value)
        if status.success and self.takes:
            self.value = value
        return status


class FakeShutter(FakeSignal):
    """The laser shutter; `prepare` moves it, and a failure of that shows when it is set."""

    def prepare(self, value: int) -> DoneStatus:
        if self.notes.note("prepare", self.name, value).success:
            self.value = value
        return DoneStatus()


class FakeAxis(FakeSignal):
    """An axis; reads under its own name as the real one does."""

    def __init__(self, name: str, key: str, notes: Notes, value: float, low: float, high: float) -> None:
        super().__init__(name, notes, value, low, high)
        self.key = key

    def values(self) -> Data:
        return {self.key: (float(self.value), "")}

    def stop(self, *, success: bool = True) -> None:
        self.notes.raise_if_failing("stop", self.name)


class FakeCounter(Fake):
    """Counts 1 in every phase, 100 more with the laser on; staged before it is triggered."""

    def __init__(self, name: str, notes: Notes, shutter: FakeSignal) -> None:
        super().__init__(name, notes)
        self.preset_time = FakeSignal(f"{name}_preset_time", notes, 0.5, low=1e-3, high=100.0)
        self.staged = False
        self.ends = True
        self.counted_key = ""
        self._shutter = shutter
        self._counts = np.zeros(NUM_PHASES, np.int32)
        self.beside: dict[str, Any] = {}
        """More readings, by data key."""

    def values(self) -> Data:
        more = {key: (value, "") for key, value in self.beside.items()}
        return {f"{self.name}_counts": (self._counts.copy(), "counts"), **more}

    def stage(self) -> list[Any]:
        self.staged = True
        return [self]

    def unstage(self) -> list[Any]:
        self.staged = False
        return [self]

    def trigger(self) -> DoneStatus:
        assert self.staged
        self._counts = np.full(NUM_PHASES, 1 + 100 * self._shutter.value, np.int32)
        status = self.notes.note("trigger", self.name)
        return status if self.ends else PendingStatus()


class FakeDwellLabel(Fake):
    """Label of a dwell in its scan."""

    def __init__(self, notes: Notes) -> None:
        super().__init__("dwell_label", notes)
        for key in ("point_index", "segment", "attempt", "laser_on"):
            setattr(self, key, FakeSignal(key, notes, 0))
        self.quality = FakeSignal("quality", notes, "good")

    def set(self, values: Mapping[str, Any]) -> DoneStatus:
        status = self.notes.note("set", self.name, dict(values))
        for key, value in values.items():
            getattr(self, key).value = value
        return status

    def values(self) -> Data:
        keys = ("point_index", "segment", "attempt", "laser_on", "quality")
        return {key: (getattr(self, key).value, "") for key in keys}


class FakeTiming(Fake):
    """Bunches and laser divider."""

    def __init__(self, notes: Notes, num_bunches: int, divider: int) -> None:
        super().__init__("timing", notes)
        self.num_bunches = FakeSignal("timing_num_bunches", notes, num_bunches)
        self.laser_divider = FakeSignal("timing_laser_divider", notes, divider)
        self.bunch_places = FakeSignal("timing_bunch_places", notes, [])
        self.laser_rate = FakeSignal("timing_laser_rate", notes, 1.303459e6)

    def values(self) -> Data:
        return {"timing_rf_frequency": (351.933984e6, "Hz")}


class FakeRing(Fake):
    """Ring current."""

    current = 102.0

    def values(self) -> Data:
        return {"ring_current": (self.current, "mA")}


@dataclass
class Bench:
    """Soft instruments and what was done to them."""

    notes: Notes
    energy: FakeAxis
    delay: FakeAxis
    shutter: FakeShutter
    counters: tuple[FakeCounter, FakeCounter]
    dwell_label: FakeDwellLabel
    timing: FakeTiming
    ring: FakeRing
    fluence: FakeAxis
    xray_shutter: FakeSignal

    def instruments(self) -> Instruments:
        """What a plan takes."""
        return Instruments(
            energy=self.energy,
            delay=self.delay,
            laser_shutter=self.shutter,
            counters=self.counters,
            dwell_label=self.dwell_label,  # type: ignore[arg-type]
            timing=self.timing,
            readables=(self.ring, self.fluence),
            fluence=self.fluence,
            xray_shutter=self.xray_shutter,
        )

    def sets(self, name: str) -> list[Any]:
        """Values that something was set to, in order."""
        return [value for action, who, value in self.notes.actions if (action, who) == ("set", name)]


def bench(num_bunches: int = 2, divider: int = 5, notes: Notes | None = None) -> Bench:
    """Soft instruments of a beamline."""
    notes = notes or Notes()
    shutter = FakeShutter("shutter", notes, 0)
    return Bench(
        notes=notes,
        energy=FakeAxis("mono", "mono_energy", notes, 13.45, 6.0, 24.0),
        delay=FakeAxis("laser_delay", "laser_delay", notes, 0.0, -1.83e6, 169_780.0),
        shutter=shutter,
        counters=(FakeCounter("fpga", notes, shutter), FakeCounter("i0", notes, shutter)),
        dwell_label=FakeDwellLabel(notes),
        timing=FakeTiming(notes, num_bunches, divider),
        ring=FakeRing("ring", notes),
        fluence=FakeAxis("laser_fluence", "laser_fluence", notes, 8.8, 0.0, 14.0),
        xray_shutter=FakeSignal("xray_shutter", notes, 1),
    )
