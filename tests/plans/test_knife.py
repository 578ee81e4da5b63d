"""Knife, lens, filters, foil stage and sign of the delay in findings, on the physics of the simulator."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bluesky import RunEngine

from plans.commissioning.knife import find_knife
from plans.protocols import MissingRoleError
from sim_ioc.scenario.scenario import parse_scenario
from tests.plans.at_once import AtOnce
from tests.plans.cold_beamline import ColdBeamline
from tests.plans.conftest import Documents
from tests.plans.test_cold_starts import RIGHT

TURNED = {**RIGHT, "backwards": [1, 1], "steering_along_um": [0.0, 0.0], "focus_mm": [0.0, 0.0], "filters": [0.0, 0.0]}


@pytest.fixture(scope="module")
def beamline() -> ColdBeamline:
    wrong = {"steering_along_um": [14.0, 14.0], "focus_mm": [7.0, 7.0], "filters": [0.4, 0.4]}
    return ColdBeamline(parse_scenario({"seed": 7, "cold": {**RIGHT, **wrong}, "transmission": {}}))


def test_a_knife_brings_the_laser_onto_the_xrays_and_leaves_the_beams(beamline: ColdBeamline) -> None:
    found = beamline.run("knife")
    assert beamline.outcome == "set", found.reason
    assert abs(beamline.errors()["along"]) < 2.5 and abs(beamline.errors()["across"]) < 2.5
    assert [blade.value for blade in beamline.blades] == [-1000.0, -1000.0] and beamline.shutter.value == 0
    assert found.numbers["xrays_width_along_um"][0] == pytest.approx(5.0, abs=0.2)


def test_the_lens_is_set_to_the_smallest_spot(beamline: ColdBeamline) -> None:
    found = beamline.run("focus")
    assert beamline.outcome == "set", found.reason
    assert abs(beamline.errors()["focus"]) < 4.5 * found.stddev < 2.5
    assert beamline.blades[0].value == -1000.0


def test_filters_are_taken_out_of_a_weak_beam(beamline: ColdBeamline) -> None:
    found = beamline.run("flux", counts=16, dwell=0.25)
    assert (beamline.outcome, beamline.filters.value) == ("set", 0.0), found.reason


def test_the_foil_is_moved_in_and_back(beamline: ColdBeamline) -> None:
    before = beamline.foil_stage.value
    assert not beamline.world.foil_in.at(beamline.clock.now())
    found = beamline.run("energy", most_passes=2)
    assert found.verdict == "good" and beamline.foil_stage.value == before
    sets = [value for action, name, value in beamline.notes.actions if (action, name) == ("set", "foil_stage")]
    assert sets[0] == 10.0 and sets[-1] == before
    beamline.bench = replace(beamline.bench, foils={"Pb_L3": 3.0})
    with pytest.raises(ValueError, match=r"Br_K = POSITION below \[commissioning.foils\]"):
        beamline.run("energy")


def test_a_station_without_a_knife_says_so(beamline: ColdBeamline) -> None:
    used = replace(beamline.bench, knife=())
    with pytest.raises(MissingRoleError, match="no knife of two blades"):
        AtOnce(lambda _: None)(find_knife(used, beamline.judges.knife))


def test_a_delay_that_runs_backwards_is_turned() -> None:
    """And t0 set to where pump and probe coincide; the coordinate of the search stays that of its beginning."""
    one = ColdBeamline(parse_scenario({"seed": 2, "cold": TURNED, "transmission": {}}))
    found = one.run("coarse_time_zero", dwell=2.0)
    assert one.outcome == "set" and one.sign.value == -1.0 and "delays ran backwards" in found.reason
    assert abs(one.errors()["time_zero"]) < 300.0


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_sign_that_is_right_already_stays(sign: float) -> None:
    one = ColdBeamline(
        parse_scenario({"seed": 2, "cold": {**TURNED, "backwards": [(1 - sign) / 2] * 2}, "transmission": {}})
    )
    one.sign.value = sign
    one.t0.value = 1e-9 * one.scenario.delay.t0_ns + 0.2e-9
    one.run("coarse_time_zero", near=500.0, dwell=2.0)
    assert one.outcome == "set" and one.sign.value == sign and abs(one.errors()["time_zero"]) < 300.0


def test_an_overlap_that_begins_with_a_knife_in_a_run_engine(
    beamline: ColdBeamline, engine: RunEngine, documents: Documents
) -> None:
    """Counts behind the knife and those of the transient are events of one stream."""
    beamline.t0.value, beamline.sign.value = 1e-9 * beamline.scenario.delay.t0_ns, beamline.scenario.delay.sign
    engine(beamline.plan("overlap", apply=False, target=5.0, dwell=0.5))
    counts = documents.events()
    assert all("diode" in data for data in counts) and {data["laser_on"] for data in counts[:300]} == {0, 1}
    assert len(counts) > 200 and counts[-1]["laser_on"] == 1
