"""A powder at several temperatures before five elements with a dead time: raw documents of its spectra."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plans.compilation.edges import Edge, find_edge
from reduction.spectra.overlay import SpectrumCurve
from reduction.thermal.series import Heated
from reduction.thermal.varshni import Varshni

Array = NDArray[np.float64]

TEMPERATURES = (25.0, 60.0, 140.0, 25.0)
"""degC, in the order of the series, which comes back."""
HOTTEST = 140.0
SLIP = (0.2e-3, 0.6e-3)
"""keV; least and largest error of the energy after a large move (SI 8)."""
STEP_RATE, SCATTERED = 2e5, 8e4
"""Photons per second of one edge step, and beside the region of interest."""
BACKGROUND = 0.3
"""Edge steps."""
SOLID_ANGLE = np.array([1.0, 0.94, 1.08, 0.81, 1.02])
DEAD = np.array([250e-9, 270e-9, 260e-9, 310e-9, 255e-9])
"""s after each event."""
WIDTH_ERROR = 0.05
"""Relative, of the dead time that the electronics reports."""
TICK = 12.5e-9
RESETS = 0.004
"""Share of the time in which the preamplifiers reset."""
COARSER = 2
"""Every so many energies of the edge's grid are measured."""
I0_RATE, I0_NOISE = 1e6, 1e-3


@dataclass
class PowderSeries:
    """One temperature series over an edge.

    Parameters
    ----------
    seed : int
    edge : str
    dwell : float, s
    """

    seed: int
    edge: str = "Br_K"
    dwell: float = 2.0
    slips: Array = field(init=False)
    """keV; true less shown energy at each temperature."""
    kept: float = field(init=False)
    """How much of the expected shift the edge has: the reduction takes half of it, and half as an error."""

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng([7, self.seed])
        size = len(TEMPERATURES)
        self.slips = self._rng.uniform(*SLIP, size) * self._rng.choice([-1.0, 1.0], size)
        self._shown_dead = DEAD * (1 + WIDTH_ERROR * self._rng.standard_normal(DEAD.size))
        self.kept = 0.5 + 0.5 * self._rng.standard_normal()
        self.gap = Varshni(alpha=self.kept * Varshni().alpha)
        self.found: Edge = find_edge(self.edge)
        self.grid = self.found.grid()[::COARSER]

    def absorption(self, energy: Array, temperature: float) -> Array:
        """Edge with a white line; features that come and go with the temperature, and the shift of the gap (keV)."""
        e0, x = self.found.e0, (temperature - TEMPERATURES[0]) / (HOTTEST - TEMPERATURES[0])
        at = energy - 1e-3 * self.gap.shift(temperature, TEMPERATURES[0])
        width = 5e-4 * self.found.core_hole_width
        step = 0.5 + np.arctan((at - e0 + 0.0005) / width) / np.pi
        lines = 0.75 * _line(at, e0 - 0.0005, 0.0035) + (0.12 + 0.01 * x) * _line(at, e0 + 0.022, 0.012)
        main, pre = (0.5 * sum(window) for window in self.found.comparison or ((e0, e0), (e0, e0)))
        changes = 0.015 * np.sqrt(x) * _line(at, pre, 0.0025) + 0.03 * x * _line(at, main, 0.003)
        return np.asarray(step + lines - changes)

    def truth(self) -> list[Heated]:
        """Spectra without noise."""
        found = []
        for temperature, slip in zip(TEMPERATURES, self.slips, strict=True):
            value = BACKGROUND + self.absorption(self.grid + slip, temperature)
            found.append(Heated(temperature, SpectrumCurve(self.grid, value, np.full(value.size, 1e-20))))
        return found

    def documents(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Raw documents of all runs of the series."""
        for number, temperature in enumerate(TEMPERATURES):
            uid = f"{self.seed}-{self.edge}-{number}"
            yield "start", self._start(uid, number, temperature)
            yield "descriptor", _descriptor(uid)
            for point, energy in enumerate(self.grid.tolist()):
                data = self._dwell(point, energy, energy + self.slips[number], temperature)
                yield "event", {"descriptor": f"{uid}-d", "seq_num": point + 1, "data": data}
            yield "stop", {"run_start": uid, "exit_status": "success"}

    def _start(self, uid: str, number: int, temperature: float) -> dict[str, Any]:
        elements = {
            f"e{element}": {
                "kind": "counter", "device": f"sdd.e{element}", "live_time": True, "width_error": WIDTH_ERROR,
            }
            for element in range(1, DEAD.size + 1)
        }  # fmt: skip
        windows = {"pre_edge": list(self.found.pre_edge), "integral": list(self.found.integral), "i0_noise": I0_NOISE}
        return {
            "uid": uid, "scan_set": f"{uid}-set", "series": f"{self.seed}-{self.edge}", "scan_index": 0,
            "scan_axis": "mono_energy", "grid": self.grid.tolist(), "pattern": [0], "edge": self.edge,
            "settings": windows, "detectors": elements, "temperature": temperature, "mode": "sim", "step": number,
            "sample": "powder",
        }  # fmt: skip

    def _dwell(self, point: int, energy: float, true_energy: float, temperature: float) -> dict[str, Any]:
        signal = BACKGROUND + float(self.absorption(np.array([true_energy]), temperature)[0])
        ticks = round(self.dwell / TICK)
        resets = round(ticks * RESETS)
        i0 = I0_RATE * self.dwell * (1 + I0_NOISE * self._rng.standard_normal())
        data = {
            "point_index": point, "segment": 0, "attempt": 0, "laser_on": 0, "quality": "good", "laser_phase": 0,
            "mono_energy": energy, "i0": i0, "i0_time": self.dwell, "i0_gain": 1e8, "i0_dark": 0.0,
        }  # fmt: skip
        for element, (angle, dead, shown) in enumerate(zip(SOLID_ANGLE, DEAD, self._shown_dead, strict=True), start=1):
            inside = angle * STEP_RATE * signal
            rate = inside + angle * SCATTERED * min(signal, 1.0)
            events, region = self._count(rate, inside / rate, dead, (ticks - resets) * TICK)
            values = {"region": region, "events": events, "ticks": ticks, "reset_ticks": resets}
            values["width"] = shown / TICK - 1
            data |= {f"sdd_e{element}_{name}": value for name, value in values.items()}
        return data

    def _count(self, rate: float, share: float, dead: float, seconds: float) -> tuple[float, float]:
        """Events and those in the region, in a time that resets have left: a renewal process with a dead time."""
        expected = rate * seconds / (1 + rate * dead)
        events = round(self._rng.normal(expected, np.sqrt(expected) / (1 + rate * dead)))
        return float(events), float(self._rng.binomial(events, share))


def _line(energy: Array, at: float, fwhm: float) -> Array:
    return np.asarray(2.0 ** (-4 * ((energy - at) / fwhm) ** 2))


def _descriptor(uid: str) -> dict[str, Any]:
    scalars = ("point_index", "segment", "attempt", "laser_on", "quality", "laser_phase", "mono_energy")
    keys = [*scalars, "i0", "i0_time", "i0_gain", "i0_dark"]
    readings = ("region", "events", "ticks", "reset_ticks", "width")
    keys += [f"sdd_e{element}_{name}" for element in range(1, DEAD.size + 1) for name in readings]
    timing = {"timing_num_bunches": 1, "timing_laser_divider": 1, "timing_bunch_rate": 1.0}
    return {
        "uid": f"{uid}-d", "run_start": uid, "name": "primary", "data_keys": {key: {"shape": []} for key in keys},
        "configuration": {"timing": {"data": timing}},
    }  # fmt: skip
