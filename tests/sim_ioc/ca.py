"""Channel Access for tests: pyepics channels of one simulated beamline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import epicscorelibs.path.pyepics  # noqa: F401 - the Channel Access library that ophyd takes, whoever comes first

import epics  # isort: skip
import numpy as np

from tests.helpers.ioc_process import RunningIoc

TIMEOUT_S = 10.0


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
            pv.disconnect()
