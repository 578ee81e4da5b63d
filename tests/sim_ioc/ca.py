"""Channel Access for tests: pyepics channels of one simulated beamline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import epicscorelibs.path.pyepics  # noqa: F401 - the Channel Access library that ophyd takes, whoever comes first

import epics  # isort: skip
import numpy as np

from tests.helpers.ioc_process import RunningIoc
from tests.helpers.pvs import release

TIMEOUT_S = 10.0
ENERGY, READBACK, MOVING = "7ida:BraggEAO", "7ida:BraggERdbkAO", "7ida:KohzuMoving"
ACQUIRE, COUNTS = "7idd:FPGA1:Acquire", "7idd:FPGA1:Counts"


class Channels:
    """PVs of a simulated beamline by their names without prefix, connected when first used."""

    def __init__(self, ioc: RunningIoc) -> None:
        self.ioc = ioc
        self._pvs: dict[tuple[str, bool], epics.PV] = {}

    def pv(self, suffix: str, monitored: bool = False) -> epics.PV:
        """A connected PV."""
        key = (suffix, monitored)
        if key not in self._pvs:
            pv = epics.PV(self.ioc.name(suffix), auto_monitor=monitored, form="ctrl")
            assert pv.wait_for_connection(TIMEOUT_S), f"{pv.pvname} does not connect"
            self._pvs[key] = pv
        return self._pvs[key]

    def get(self, suffix: str, **options: Any) -> Any:
        """Present value, read from the server."""
        value = self.pv(suffix).get(use_monitor=False, timeout=TIMEOUT_S, **options)
        assert value is not None, f"no value of {suffix}"
        return value

    def put(self, suffix: str, value: Any) -> None:
        """Put with completion."""
        done = self.pv(suffix).put(value, wait=True, timeout=TIMEOUT_S)
        assert done == 1, f"the put of {value!r} to {suffix} did not complete: {done}"

    def raw_put(self, suffix: str, value: Any) -> None:
        """Put without completion, as the bluntest client does."""
        epics.ca.put(self.pv(suffix).chid, value, wait=False)
        epics.ca.flush_io()

    def wait(self, suffix: str, wanted: Callable[[Any], bool]) -> Any:
        """Poll until a value is as wanted."""
        deadline = time.monotonic() + TIMEOUT_S
        while not wanted(value := self.get(suffix)):
            assert time.monotonic() < deadline, f"{suffix} stays at {value!r}"
            time.sleep(0.005)
        return value

    def acquire(self, seconds: float) -> dict[str, np.ndarray[Any, np.dtype[np.int32]]]:
        """Count photons for a time in beamline seconds; every array of the counter."""
        self.put("7idd:FPGA1:PresetTime", seconds)
        self.put("7idd:FPGA1:Acquire", 1)
        names = ("Counts", "Gates", "PairGates", "PairCounts", "PrevHits", "Coinc")
        return {name: np.asarray(self.get(f"7idd:FPGA1:{name}")) for name in names}

    def close(self) -> None:
        """Disconnect."""
        for pv in self._pvs.values():
            release(pv)


class Record:
    """Values of PVs in the order in which they came."""

    def __init__(self, channels: Channels, *suffixes: str) -> None:
        self.events: list[tuple[float, str, Any]] = []
        self._pvs = []
        for suffix in suffixes:
            pv = epics.PV(channels.ioc.name(suffix), auto_monitor=True, callback=self._callback(suffix))
            assert pv.wait_for_connection(10)
            self._pvs.append(pv)
        for suffix in suffixes:  # the first event of a monitor tells what is, not what happens
            self._wait(suffix, lambda _: True)
        self.events.clear()

    def _callback(self, suffix: str) -> Any:
        return lambda value=None, **_: self.events.append((time.monotonic(), suffix, value))

    def wait_for(self, suffix: str, value: Any) -> float:
        return self._wait(suffix, lambda seen: bool(seen == value))

    def _wait(self, suffix: str, wanted: Callable[[Any], bool]) -> float:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            for when, name, seen in list(self.events):
                if name == suffix and wanted(seen):
                    return when
            time.sleep(0.002)
        raise AssertionError(f"{suffix} never became what is waited for: {self.events}")

    def values(self, suffix: str) -> list[Any]:
        return [value for _, name, value in self.events if name == suffix]

    def close(self) -> None:
        for pv in self._pvs:
            release(pv)


def move(channels: Channels, energy_keV: float) -> None:
    """Set the energy and wait until the axis rests."""
    channels.put(ENERGY, energy_keV)
    channels.wait(MOVING, lambda moving: moving == 0)
