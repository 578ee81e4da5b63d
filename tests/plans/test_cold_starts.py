"""Whole cold starts on the physics of the simulator: right in the end, in time, and what is missing named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from sim_ioc.scenario.scenario import parse_scenario
from tests.plans.cold_beamline import ColdBeamline
from tests.plans.cold_starts import start

FEW = {"thresholds": [5.0, 8.0, 12.0, 20.0, 35.0, 60.0, 90.0, 130.0, 200.0, 350.0]}
RIGHT: dict[str, Any] = {
    "threshold_mV": [45.0, 45.0], "photon_mV": [100.0, 100.0], "gate_delay_ticks": [9, 9], "gate_width_ticks": [4, 4],
    "pulse_arrival_ns": [40.0, 40.0], "offset_eV": [0.0, 0.0],
}  # fmt: skip
"""Ranges of a beamline with nothing wrong but the laser."""


def cold(seed: int, right: bool = False, **changes: Any) -> ColdBeamline:
    return ColdBeamline(parse_scenario({"seed": seed, "cold": RIGHT if right else {}, "transmission": {}, **changes}))


@pytest.mark.parametrize("seeds", [*([seed] for seed in range(6)), pytest.param(range(6, 200), marks=pytest.mark.long)])
def test_cold_starts_end_with_everything_right(seeds: Sequence[int]) -> None:
    """Of six all; of 200 at least 198, and the others name the finding that was not made."""
    ended = [start(seed) for seed in seeds]
    table = "\n".join(each.line() for each in ended if not each.is_right)
    assert sum(not each.is_right for each in ended) <= (2 if len(seeds) > 6 else 0), table


@pytest.mark.parametrize("seed", [2, *(pytest.param(each, marks=pytest.mark.long) for each in (3, 4, 6))])
def test_the_light_of_the_laser_is_looked_for_without_xrays(seed: int) -> None:
    """In a few seconds t0 is known to some ns, anywhere in the period; gate and X-ray shutter are then as before."""
    beamline = cold(seed, right=True, laser={"steering_along_um": 0.0})
    start_fluence = beamline.fluence.value
    gate, begun = (beamline.counter.gate_delay.value, beamline.counter.gate_width.value), beamline.clock.time
    assert abs(beamline.errors()["time_zero"]) > 5e3
    found = beamline.run("coarse_time_zero", dwell=2.0)
    assert beamline.outcome == "set", found.reason
    assert abs(beamline.errors()["time_zero"]) < 300.0 and beamline.clock.time - begun < 400.0
    assert (beamline.counter.gate_delay.value, beamline.counter.gate_width.value) == gate
    assert (beamline.xrays.value, beamline.shutter.value) == (1, 0) and beamline.fluence.value == start_fluence
    dark = [action for action in beamline.notes.actions if action[:2] == ("set", "xray_shutter")]
    assert [value for *_, value in dark] == [0, 1] * 2  # each measurement looks for itself


def test_a_delay_that_runs_backwards_is_named_and_leaves_t0_alone_where_its_sign_cannot_be_set() -> None:
    beamline = ColdBeamline(parse_scenario({"seed": 2, "cold": {**RIGHT, "backwards": [1, 1]}, "transmission": {}}))
    beamline.bench = replace(beamline.bench, delay_sign=None)
    before = beamline.t0.value
    found = beamline.run("coarse_time_zero", dwell=2.0)
    assert found.verdict == "look" and "delays run backwards" in found.reason and found.numbers["sign"][0] == -1
    period, true = beamline.world.model.divider * beamline.world.model.bunch_period_ps, beamline.scenario.delay.t0_ns
    assert abs((found.value - 1e3 * true + 0.5 * period) % period - 0.5 * period) < 300.0
    assert beamline.t0.value == before


def _no_beam(beamline: ColdBeamline) -> None:
    beamline.world.xray_open.set(0.0, False)


def _no_sample(beamline: ColdBeamline) -> None:
    beamline.world.sample_fraction.set(0.0, 0.0)


@pytest.mark.parametrize(
    ("named", "step", "break_it", "changes"),
    [
        ("No beam", "crystal", _no_beam, {}),
        ("No sample", "threshold", _no_sample, {}),
        ("Dead detector", "threshold", None, {"detector": {"is_dead": True}}),
        ("No edge", "energy", None, {"transmission": {"foil_e0_keV": 13.6}}),
        ("Dead laser", "focus", None, {"laser": {"is_blocked": True}}),
    ],
)
def test_commissioning_stops_where_something_is_missing_and_names_it(
    named: str, step: str, break_it: Any, changes: dict[str, Any]
) -> None:
    """Nothing after it is set, and nothing is said to be good that is wrong."""
    ended = start(11, break_it or (lambda _: None), **changes)
    assert ended.end.startswith(f"{step}: not set: its verdict is bad ({named}"), ended.end
    assert ended.wrong == [] and abs(ended.errors["time_zero"]) > 100.0 and ended.minutes < 6.0


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
def test_a_laser_far_beside_the_xrays_is_not_called_dead() -> None:
    """Its light is seen."""
    aside = {**RIGHT, "steering_along_um": [300.0, 300.0]}
    beamline = ColdBeamline(parse_scenario({"seed": 6, "cold": aside, "transmission": {}}))
    before = beamline.t0.value
    found = beamline.run("coarse_time_zero", dwell=1.0)
    assert found.verdict == "bad" and found.reason.startswith("No transient: the detector sees"), found.reason
    assert beamline.t0.value == before and beamline.xrays.value == 1


@pytest.mark.long
def test_a_foil_of_another_element_is_named() -> None:
    beamline = cold(5, right=True, transmission={"foil_e0_keV": 13.6})
    found = beamline.run("energy")
    assert found.verdict == "bad" and found.reason.startswith("No edge"), found.reason
    assert beamline.bench.calibration.value == 0.0  # type: ignore[union-attr]
