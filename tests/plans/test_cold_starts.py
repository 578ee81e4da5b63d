"""Whole cold starts on the physics of the simulator: right in the end, in time, and what is missing named."""

from __future__ import annotations

from typing import Any

import pytest

from sim_ioc.scenario.scenario import parse_scenario
from tests.plans.cold_beamline import STEPS, ColdBeamline

LONGEST = 30.0
"""Minutes of beam: counts, and moves of the energy."""
FEW = {"thresholds": [5.0, 8.0, 12.0, 20.0, 35.0, 60.0, 90.0, 130.0, 200.0, 350.0]}
RIGHT: dict[str, Any] = {
    "threshold_mV": [45.0, 45.0], "photon_mV": [100.0, 100.0], "gate_delay_ticks": [9, 9], "gate_width_ticks": [4, 4],
    "pulse_arrival_ns": [40.0, 40.0], "offset_eV": [0.0, 0.0],
}  # fmt: skip
"""Ranges of a beamline with nothing wrong but the laser."""


def cold(seed: int, right: bool = False, **changes: Any) -> ColdBeamline:
    return ColdBeamline(parse_scenario({"seed": seed, "cold": RIGHT if right else {}, "transmission": {}, **changes}))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 25))
def test_a_cold_start_ends_with_everything_right(seed: int) -> None:
    beamline = cold(seed)
    for step in STEPS:
        found = beamline.run(step)
        assert found.verdict == "good", f"{step}: {found.reason}"
    errors = beamline.errors()
    assert abs(errors["crystal"]) < 1.0
    assert abs(errors["energy"]) < 0.1 and max(abs(errors["along"]), abs(errors["across"])) < 5.0
    assert abs(errors["time_zero"]) < 12.0
    detector, counter = beamline.scenario.detector, beamline.counter
    assert (
        5 * detector.noise_mV < beamline.threshold.value < detector.photon_mV * (1 - 3 * detector.photon_fwhm / 2.355)
    )
    opens, width = (4.0 * getattr(counter, name).value for name in ("gate_delay", "gate_width"))
    assert opens + 4.0 <= detector.pulse_arrival_ns
    assert detector.pulse_arrival_ns + detector.pulse_length_ns <= opens + width
    assert beamline.clock.time < 60 * LONGEST


@pytest.mark.parametrize("cause", ["No beam", "No sample", "Dead detector"])
def test_a_beamline_without_light_is_left_as_it_was(cause: str) -> None:
    beamline = cold(3, detector={"is_dead": cause == "Dead detector"})
    if cause == "No beam":
        beamline.world.xray_open.set(0.0, False)
    if cause == "No sample":
        beamline.world.sample_fraction.set(0.0, 0.0)
    before = beamline.threshold.value
    found = beamline.run("threshold", **FEW)
    assert found.verdict == "bad" and found.reason.startswith(cause), found.reason
    assert beamline.threshold.value == before


@pytest.mark.long
@pytest.mark.parametrize("step", ["coarse_time_zero", "overlap"])
def test_a_dead_laser_is_named(step: str) -> None:
    beamline = cold(4, right=True, laser={"is_blocked": True})
    before = beamline.t0.value, beamline.along.value
    found = beamline.run(step)
    assert found.verdict == "bad" and found.reason.startswith("Dead laser"), found.reason
    assert (beamline.t0.value, beamline.along.value) == before and beamline.shutter.value == 0


@pytest.mark.long
def test_a_foil_of_another_element_is_named() -> None:
    beamline = cold(5, right=True, transmission={"foil_e0_keV": 13.6})
    found = beamline.run("energy")
    assert found.verdict == "bad" and found.reason.startswith("No edge"), found.reason
    assert beamline.bench.calibration.value == 0.0  # type: ignore[union-attr]
