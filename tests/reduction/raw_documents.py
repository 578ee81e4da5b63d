"""Raw documents of photon-counting energy scans drawn by plain numpy: another model than the simulator's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import lcm
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.live.reducer import LiveReducer
from reduction.live.scan_result import Result

GRID = np.round(13.450 + 0.005 * np.arange(12), 6)
STATIC = np.array([0.5, 0.5, 0.5, 0.6, 1.8, 1.4, 1.5, 1.45, 1.5, 1.5, 1.45, 1.5])
CHANGE = np.array([0.0, 0.0, 0.0, 0.03, -0.03, 0.02, -0.01, 0.01, 0.0, 0.0, 0.0, 0.0])
"""Of slot 0 with the laser on, relative; the other slots keep what decays by 0.4 from slot to slot."""
SETTINGS = {"pre_edge": [13.449, 13.461], "integral": [13.464, 13.506], "reference": "paper", "i0_noise": 1e-3}
Change = Callable[[dict[str, Any], int], None]


@dataclass
class Bench:
    """A beamline whose scans are documents."""

    bunches: int = 24
    divider: int = 5
    mu: float = 0.1
    gates: int = 20_000
    """Of each phase and dwell."""
    spread: float = 0.0
    """Relative standard deviation of the bunches' charges."""
    laser_only: float = 0.0
    """Photons a pulse in slot 0 with the laser on."""
    pattern: tuple[int, ...] = (1, 0, 0, 1)
    seed: int = 1
    settings: dict[str, Any] = field(default_factory=lambda: dict(SETTINGS))

    def __post_init__(self) -> None:
        self.phases = lcm(self.bunches, self.divider)
        self.rng = np.random.default_rng(self.seed)
        self.charge = 1 + self.spread * np.random.default_rng(99).standard_normal(self.bunches)
        self.charge /= self.charge.mean()

    def photons(self, point: int, laser: int, laser_phase: int) -> NDArray[np.float64]:
        """Mean photons a pulse of each phase."""
        phase = np.arange(self.phases)
        slot = (phase - laser_phase) % self.divider
        mu = self.mu * STATIC[point] * (1 + laser * CHANGE[point] * 0.4**slot)
        return mu * self.charge[phase % self.bunches] + laser * self.laser_only * (slot == 0)

    def a_pass(self, uid: str, change: Change | None = None, laser_phase: int = 0, **start: Any) -> Iterator[Any]:
        """Documents of one pass; `change` alters the data of each event, by its number."""
        grid = start.pop("grid", GRID)
        begin = {"uid": uid, "scan_set": "set", "scan_index": 0, "grid": list(grid), "pattern": list(self.pattern)}
        begin |= {"edge": "Br_K", "pump_delay": 100.0, "settings": self.settings, "scan_axis": "mono_energy", **start}
        yield "start", begin
        yield "descriptor", self._descriptor(uid, laser_phase)
        number = 0
        for point in range(len(grid)):
            for segment, laser in enumerate(self.pattern):
                data = self.dwell(point, segment, laser, laser_phase, float(grid[point]))
                if change is not None:
                    change(data, number)
                number += 1
                yield "event", {"descriptor": f"{uid}-d", "seq_num": number, "data": data}
        yield "stop", {"run_start": uid, "exit_status": "success"}

    def dwell(self, point: int, segment: int, laser: int, laser_phase: int, energy: float) -> dict[str, Any]:
        """Data of one event."""
        hits = self.rng.binomial(self.gates, -np.expm1(-self.photons(point, laser, laser_phase)))
        return {
            "point_index": point, "segment": segment, "attempt": 0, "laser_on": laser, "quality": "good",
            "laser_phase": laser_phase, "mono_energy": energy, "i0": 1e6, "i0_time": 1.0, "i0_gain": 1e8,
            "i0_dark": 0.0, "fpga_counts": hits.astype(np.int32),
            "fpga_gates": np.full(self.phases, self.gates, np.int32),
        }  # fmt: skip

    def _descriptor(self, uid: str, laser_phase: int) -> dict[str, Any]:
        scalars = ("point_index", "segment", "attempt", "laser_on", "quality", "laser_phase", "mono_energy")
        keys: dict[str, Any] = {key: {"shape": []} for key in (*scalars, "i0", "i0_time", "i0_gain", "i0_dark")}
        keys |= {key: {"shape": [self.phases]} for key in ("fpga_counts", "fpga_gates")}
        timing = {"timing_num_bunches": self.bunches, "timing_laser_divider": self.divider}
        timing |= {"timing_bunch_rate": 6.5e6, "timing_laser_phase": laser_phase}
        configuration = {"timing": {"data": timing}}
        return {
            "uid": f"{uid}-d", "run_start": uid, "name": "primary", "data_keys": keys, "configuration": configuration,
        }  # fmt: skip


@dataclass
class Reduced:
    """A reducer, with all that it published."""

    published: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reducer = LiveReducer(lambda name, doc: self.published.append((name, dict(doc))))

    def take(self, *passes: Iterator[Any]) -> Result:
        """The result after these passes."""
        for documents in passes:
            for name, doc in documents:
                self.reducer(name, doc)
        return self.reducer.result()

    def stops(self) -> list[dict[str, Any]]:
        """Stop documents."""
        return [doc for name, doc in self.published if name == "stop"]

    def faults(self) -> list[str]:
        """Of all points published so far."""
        return [doc["data"]["fault"] for name, doc in self.published if name == "event" and "fault" in doc["data"]]
