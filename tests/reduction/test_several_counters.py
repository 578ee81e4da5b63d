"""Scans with several counters by their documents: data keys, own chains, exclusions, and what is published."""

from __future__ import annotations

import json

import numpy as np
import pytest

from reduction.documents.raw import DocumentError
from reduction.errors import ReductionError
from tests.reduction.raw_documents import CHANGE, GRID, STATIC, Bench, Reduced

TWO = {
    "apd1": {"kind": "counter", "device": "fpga", "apd": "apd"},
    "apd2": {"kind": "counter", "device": "fpga2"},
}


def two_counters(bench, uid, detectors=None, second=0.5, light=0.0, lacks=False, change=None, **start):
    """Documents of a pass with a second counter, which sees this fraction of the light and some of its own."""
    rng = np.random.default_rng([len(uid), 4])
    for name, doc in bench.a_pass(uid, None, **start, **({} if detectors == {} else {"detectors": detectors or TWO})):
        if name == "descriptor" and not lacks:
            doc["data_keys"] |= {key: {"shape": [bench.phases]} for key in ("fpga2_counts", "fpga2_gates")}
            doc["data_keys"]["fpga2_laser_phase"] = {"shape": []}
        if name == "event" and not lacks:
            data = doc["data"]
            mu = second * bench.photons(data["point_index"], data["laser_on"], 0) + light
            data["fpga2_counts"] = rng.binomial(bench.gates, -np.expm1(-mu)).astype(np.int32)
            data["fpga2_gates"] = np.full(bench.phases, bench.gates, np.int32)
            data["fpga2_laser_phase"] = 0
            if change is not None:
                change(data, doc["seq_num"])
        yield name, doc


def truth():
    """The transient of slot 0, normalised as by the settings: pre-edge of the first three points, edge of the rest."""
    spectra = []
    for signal in (STATIC, STATIC * (1 + CHANGE)):
        above = signal - signal[:3].mean()
        spectra.append(above / (0.5 * (above[3:-1] + above[4:]).mean()))
    return spectra[1] - spectra[0]


def streams(reduced):
    names = {doc["uid"]: doc["name"] for name, doc in reduced.published if name == "descriptor"}
    found = {}
    for name, doc in reduced.published:
        if name == "event":
            found.setdefault(names[doc["descriptor"]], []).append(doc["data"])
    return found


def test_each_counter_has_its_result_and_the_combination_the_smallest_error():
    reduced = Reduced()
    result = reduced.take(two_counters(Bench(), "a"), two_counters(Bench(seed=2), "b"))
    found = streams(reduced)
    assert reduced.stops()[-1]["exit_status"] == "success"
    one, two, both = (found[name][-1] for name in ("spectrum_apd1", "spectrum_apd2", "spectrum"))
    np.testing.assert_array_equal(both["transient"], result.transient)
    used = both["used"] == 1
    best, good, poor = ((each["transient_stddev"][0, used] ** 2).mean() for each in (both, one, two))
    assert best < good < poor
    assert found["detectors"][-1]["share"] == pytest.approx([2 / 3, 1 / 3], abs=0.02)
    assert json.loads(found["detectors"][-1]["detectors"]) == ["apd1", "apd2"]
    assert len(found["points"]) == len(found["points_apd1"]) == len(found["points_apd2"]) == 2 * 4 * GRID.size
    np.testing.assert_allclose(
        found["points"][-1]["on"], found["points_apd1"][-1]["on"] + found["points_apd2"][-1]["on"], rtol=1e-12
    )
    assert found["detectors"][-1]["disagrees"] == ""
    assert found["detectors"][-1]["p_value"].min() > 1e-3


def test_one_counter_under_another_name_gives_the_numbers_of_the_counter_without_a_name():
    plain, named = Reduced(), Reduced()
    expected = plain.take(Bench().a_pass("a"))
    result = named.take(Bench().a_pass("a", detectors={"apd1": TWO["apd1"]}))
    np.testing.assert_array_equal(result.transient, expected.transient)
    assert set(streams(named)) == set(streams(plain))
    assert result.notes == expected.notes


def test_each_counter_subtracts_its_own_background():
    own = {**TWO["apd2"], "background_off": [0.02] * 120, "background_on": [0.02] * 120}
    with_it, without = Reduced(), Reduced()
    with_it.take(two_counters(Bench(), "a", {**TWO, "apd2": own}, light=0.02))
    without.take(two_counters(Bench(), "a", light=0.02))
    rate = [streams(each)["points_apd2"][-1]["off"].mean() for each in (with_it, without)]
    assert rate[1] - rate[0] == pytest.approx(0.02 * 6.5e6 / 1e6 * 1e8, rel=1e-6)


def test_a_counter_that_is_left_out_and_taken_back():
    reduced = Reduced()
    both = reduced.take(two_counters(Bench(), "a"))
    reduced.reducer.exclusions.leave_out("a", detector="apd2")
    alone, single = reduced.reducer.result(), Reduced()
    expected = single.take(Bench().a_pass("a"))
    np.testing.assert_array_equal(alone.transient, expected.transient)
    assert "Left out: apd2." in str(alone.notes)
    reduced.reducer.exclusions.leave_out("a", detector="apd1")
    with pytest.raises(ReductionError, match=r"all detectors are left out \(apd1, apd2\): take one of them back"):
        reduced.reducer.result()
    for name in ("apd1", "apd2"):
        reduced.reducer.exclusions.take_back("a", detector=name)
    np.testing.assert_array_equal(reduced.reducer.result().transient, both.transient)
    with pytest.raises(ValueError, match="the whole pass of a of detector apd2 is not left out by a decision"):
        reduced.reducer.exclusions.take_back("a", detector="apd2")


def test_a_point_of_one_counter_alone_may_be_left_out():
    reduced = Reduced()
    reduced.take(two_counters(Bench(), "a"))
    reduced.reducer.exclusions.leave_out("a", 5, detector="apd2")
    assert not reduced.reducer.result().used[5]
    assert "apd2 lacks 4 of 48 dwells" in str(reduced.reducer.result().notes)


def test_saturation_of_one_counter_is_that_counters_alone():
    def saturate(data, number):
        if data["point_index"] == 4:
            data["fpga2_counts"] = data["fpga2_gates"].copy()

    reduced = Reduced()
    result = reduced.take(two_counters(Bench(), "a", change=saturate))
    assert not result.used[4] and result.used.sum() == GRID.size - 1
    assert streams(reduced)["spectrum_apd1"][-1]["used"].all()
    assert "apd2 lacks 4 of 48 dwells" in str(result.notes)
    points = [data for data in streams(reduced)["points"] if data["point_index"] == 4]
    assert points[0]["fault"] == "apd2: saturated: a hit in every gate"


def test_hits_of_one_counter_are_photons_where_pile_up_is_off():
    fractions = []

    def keep(data, number):
        if data["point_index"] == 4 and not data["laser_on"]:
            fractions.append(data["fpga2_counts"] / data["fpga2_gates"])

    own = {**TWO, "apd2": {**TWO["apd2"], "pile_up": False}}
    reduced, corrected = Reduced(), Reduced()
    reduced.take(two_counters(Bench(mu=0.5), "a", own, change=keep))
    corrected.take(two_counters(Bench(mu=0.5), "a"))
    flux = 1e6 / 1e8 / 6.5e6
    hits, photons = (
        next(data for data in streams(each)["points_apd2"][::-1] if data["point_index"] == 4)["off"]
        for each in (reduced, corrected)
    )
    assert hits.mean() == pytest.approx(np.mean(fractions) / flux, rel=1e-9)
    expected = np.array([np.mean([each[slot::5].mean() for each in fractions]) for slot in range(5)])
    variance = np.array([np.mean([(q * (1 - q))[slot::5].mean() for q in fractions]) for slot in range(5)])
    np.testing.assert_allclose(hits, expected / flux, rtol=1e-9)
    stddev = next(data for data in streams(reduced)["points_apd2"][::-1] if data["point_index"] == 4)["off_stddev"]
    counting = np.sqrt(variance / (2 * 24 * 20_000)) / flux
    np.testing.assert_allclose(stddev, np.hypot(counting, hits * 1e-3 / np.sqrt(2)), rtol=1e-6)
    assert photons.mean() > 1.15 * hits.mean()
    np.testing.assert_array_equal(
        streams(reduced)["points_apd1"][-1]["off"], streams(corrected)["points_apd1"][-1]["off"]
    )


def test_after_effects_need_pile_up():
    own = {**TWO, "apd2": {**TWO["apd2"], "pile_up": False, "after_effects": True}}
    with pytest.raises(DocumentError, match="detector apd2: after_effects are corrected together with pile-up"):
        Reduced().take(two_counters(Bench(), "a", own))


def test_a_counter_may_call_fewer_hits_saturated():
    own = {**TWO, "apd2": {**TWO["apd2"], "saturation": 0.01}}
    reduced = Reduced()
    result = reduced.take(two_counters(Bench(), "a", own))
    assert "apd2 had no good dwell with photons: the result is that of apd1." in str(result.notes)
    assert streams(reduced)["points_apd2"][-1]["fault"].startswith("saturated")


def test_a_pass_without_one_counter_is_combined_from_the_other():
    reduced = Reduced()
    result = reduced.take(two_counters(Bench(), "a"), two_counters(Bench(seed=2), "b", lacks=True))
    assert "apd2 has no good dwell in pass 2, which is combined from the others." in str(result.notes)
    assert streams(reduced)["points_apd2"][-1]["fault"] == "apd2 was not read"
    np.testing.assert_allclose(result.transient[0], truth(), atol=0.02)


def test_a_counter_that_disagrees_is_named_in_the_notes():
    def bend(data, number):
        if data["point_index"] > 6:
            data["fpga2_counts"] = (data["fpga2_counts"] * 0.9).astype(np.int32)

    reduced = Reduced()
    result = reduced.take(two_counters(Bench(), "a", change=bend))
    assert "apd1 and apd2 disagree (static: chi-square" in str(result.notes)
    assert streams(reduced)["detectors"][-1]["disagrees"] == "apd1 and apd2"


@pytest.mark.parametrize(
    ("detectors", "message"),
    [
        ({"apd1": TWO["apd1"], "apd2": TWO["apd1"]}, "detectors apd1 and apd2 are both fpga: remove one of them"),
        ({"apd1": {"kind": "counter"}}, "detector apd1 has no device"),
        ({"apd1": {"kind": "camera", "device": "x"}}, "kind is 'camera', not one of counter, boxcar, transmission"),
        ({"apd1": {**TWO["apd1"], "gain": 2}}, "detector apd1 has unknown entries: gain"),
        ({"apd1": {**TWO["apd1"], "saturation": 2}}, "saturation must be hits per gate above 0, up to 1, not 2.0"),
        ({"b": {"kind": "boxcar", "device": "boxcar.box1"}}, "none of them is of kind counter"),
        ({"apd1": {**TWO["apd1"], "after_effects": 1}}, "detector apd1: after_effects must be true or false"),
    ],
)
def test_detectors_that_cannot_be_are_refused_by_name(detectors, message):
    with pytest.raises(DocumentError, match=message.replace("(", r"\(")):
        Reduced().take(two_counters(Bench(), "a", detectors))
