"""A cold beamline: settings that are wrong at start-up, drawn from ranges by the seed of the scenario."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from sim_ioc.scenario.sample import ScenarioTable

_COLD_STREAM = 15  # separates these draws from all other random numbers of the scenario

Range = tuple[float, float]


class ColdTruth(ScenarioTable):
    """Ranges that the settings at start-up are drawn from, and the truth that they miss."""

    threshold_mV: Range = (3.0, 400.0)
    photon_mV: Range = (60.0, 180.0)
    photon_fwhm: Range = (0.18, 0.28)
    gate_delay_ticks: Range = (0, 160)
    gate_width_ticks: Range = (2, 12)
    pulse_arrival_ns: Range = (20.0, 130.0)
    window_deg: Range = (0.0, 359.0)
    """Of both boxcars, which have the same."""
    t0_bunches: Range = (-0.9, 2.9)
    """By how many times between two bunches t0 is off."""
    steering_along_um: Range = (-25.0, 25.0)
    steering_across_um: Range = (-25.0, 25.0)
    """Of the two motors that steer the laser, where its spot meets that of the X-rays."""
    offset_eV: Range = (-3.0, 3.0)
    backlash_eV: Range = (0.1, 0.6)
    crystal_urad: Range = (-12.0, 12.0)
    phase: Range = (0, 4)
    """First pumped bunch."""
    fluence_mJ_cm2: Range = (5.0, 8.8)
    """Of the laser at start-up: its attenuator is anywhere."""
    focus_mm: Range = (-10.0, 10.0)
    """Of the lens of the laser, where its spot is smallest; the lens is at 0."""
    filters: Range = (0.0, 1.0)
    """Absorbance of the filters before I0."""
    foil_stage_mm: Range = (-20.0, 4.0)
    """Of the stage of the foil, which is in the beam at 10."""
    knife_along_um: Range = (-100.0, 100.0)
    knife_across_um: Range = (-100.0, 100.0)
    """Of the blades, where they halve the X-rays."""
    parallax_along_um: Range = (0.0, 0.6)
    parallax_across_um: Range = (0.0, 0.6)
    """Of the laser between knife and sample: mean and standard deviation."""
    backwards: Range = (0, 1)
    """1 where a larger delay is earlier."""


LOGARITHMIC = ("threshold_mV", "photon_mV")
WHOLE = ("gate_delay_ticks", "gate_width_ticks", "phase", "backwards")
NORMAL = ("parallax_along_um", "parallax_across_um")
TABLES = {
    "detector": (
        "threshold_mV",
        "photon_mV",
        "photon_fwhm",
        "gate_delay_ticks",
        "gate_width_ticks",
        "pulse_arrival_ns",
    ),
    "laser": ("steering_along_um", "steering_across_um", "phase", "fluence_mJ_cm2", "focus_mm"),
    "monochromator": ("offset_eV", "backlash_eV", "crystal_urad"),
}
"""Where each number belongs."""


def drawn(values: dict[str, Any]) -> dict[str, Any]:
    """The values of a scenario with those of its table ``[cold]`` drawn, if it has one."""
    if values.get("cold") is None:
        return values
    cold = ColdTruth.model_validate(values["cold"])
    rng = np.random.default_rng([int(values["seed"]), _COLD_STREAM])
    numbers = {name: _draw(rng, name, getattr(cold, name)) for name in ColdTruth.model_fields}
    found = {**values, "cold": cold.model_dump()}
    for table, names in TABLES.items():
        found[table] = {**values[table], **{name: numbers[name] for name in names}}
    found["attenuator"] = {**values["attenuator"], "start": numbers["filters"]}
    found["foil_stage"] = {**values["foil_stage"], "start_mm": numbers["foil_stage_mm"]}
    blades = {f"{name}_um": numbers[f"knife_{name}_um"] for name in ("along", "across")}
    found["knife"] = {**values["knife"], **blades, **{name: numbers[name] for name in NORMAL}}
    found["boxcar"] = {**values["boxcar"], "window_start_deg": (numbers["window_deg"],) * 2}
    found["delay"] = {
        **values["delay"],
        "t0_ns": values["delay"]["t0_ns"] + numbers["t0_bunches"] * _spacing_ns(values),
        "sign": 1 - 2 * int(numbers["backwards"]),
    }
    laser = found["laser"]
    found["laser"] = {**laser, "phase": laser["phase"] % laser["divider"], "light_follows_delay": True}
    return found


def _draw(rng: np.random.Generator, name: str, limits: Range) -> float:
    low, high = limits
    if name in LOGARITHMIC:
        return float(math.exp(rng.uniform(math.log(low), math.log(high))))
    if name in NORMAL:
        return float(rng.normal(low, high))
    if name in WHOLE:
        return int(rng.integers(int(low), int(high), endpoint=True))
    return float(rng.uniform(low, high))


def _spacing_ns(values: Mapping[str, Any]) -> float:
    ring = values["ring"]
    return float(ring["harmonic"] / ring["num_bunches"] * 1e3 / ring["rf_MHz"])
