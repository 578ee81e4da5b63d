"""Spectra without the laser: the static spectrum with its errors, from the documents of a scan with the laser off."""

from __future__ import annotations

import json

import numpy as np
import pytest

from reduction.errors import ReductionError
from tests.reduction.raw_documents import GRID, STATIC, Bench, Reduced
from tests.reduction.test_absorption import with_chambers
from tests.reduction.test_several_counters import TWO, streams, two_counters


def dark(documents):
    """Documents of a scan without a delay."""
    for name, doc in documents:
        if name == "start":
            del doc["pump_delay"]
        yield name, doc


def bench(**changes):
    return Bench(**{"pattern": (0, 0), **changes})


def truth():
    above = STATIC - STATIC[:3].mean()
    return above / (0.5 * (above[3:-1] + above[4:]).mean())


def without_timing(documents):
    for name, doc in documents:
        if name == "descriptor":
            doc["configuration"] = {}
            del doc["data_keys"]["laser_phase"]
        elif name == "event":
            del doc["data"]["laser_phase"]
        yield name, doc


def test_the_static_spectrum_has_the_errors_of_repeats():
    pulls = []
    for seed in range(40):
        result = Reduced().take(dark(bench(seed=seed, gates=2000).a_pass("a")))
        assert result.used.all()
        pulls.append((result.static - truth()) / result.static_stddev)
    pulls = np.array(pulls)
    assert abs(pulls.mean()) < 3 / np.sqrt(pulls.size)
    assert pulls.std() == pytest.approx(1.0, abs=0.12)  # 480 values, not all independent


def test_what_is_published_has_nothing_of_a_transient():
    reduced = Reduced()
    reduced.take(dark(bench().a_pass("a")))
    (data,) = streams(reduced)["spectrum"]
    assert data["reference"] == "no laser"
    assert not [key for key in data if key.startswith(("transient", "on", "share", "residual"))]
    for key in ("static", "static_stddev", "off"):
        assert np.isfinite(data[key]).all(), key
    assert reduced.stops()[-1]["exit_status"] == "success"
    assert len(streams(reduced)["points"]) == 2 * GRID.size


def test_passes_are_summed_and_the_drift_between_them_is_in_the_errors():
    def thin(data, number):
        data["i0"] *= 1.0 if number < GRID.size else 1.05

    reduced = Reduced()
    documents = [dark(bench(seed=seed, pattern=(0,)).a_pass(uid)) for seed, uid in enumerate("abcd")]
    result = reduced.take(*documents)
    assert result.dwells.tolist() == [[4] * GRID.size, [0] * GRID.size]
    assert np.abs((result.static - truth()) / result.static_stddev).max() < 4
    assert "exclude the noise of the jet" not in str(result.notes)
    single = Reduced().take(dark(bench(pattern=(0,)).a_pass("a")))
    assert "exclude the noise of the jet" in str(single.notes)
    noisy = Reduced().take(*(dark(bench(seed=n, pattern=(0,)).a_pass(uid, thin)) for n, uid in enumerate("abcd")))
    assert noisy.dwell_noise == pytest.approx(result.dwell_noise, abs=2e-3)  # all passes bend alike


def test_a_bad_point_is_missing_and_a_further_pass_brings_it():
    def bad(data, number):
        if data["point_index"] == 5:
            data["quality"] = "beam lost"

    reduced = Reduced()
    result = reduced.take(dark(bench().a_pass("a", bad)))
    assert not result.used[5] and result.provisional == 1
    assert "is missing since there is no good dwell with the laser off: beam lost" in str(result.notes)
    assert reduced.take(dark(bench(seed=2).a_pass("b"))).used.all()


def test_no_good_dwell_at_all_is_one_sentence():
    def bad(data, number):
        data["quality"] = "beam lost"

    reduced = Reduced()
    with pytest.raises(ReductionError, match=r"^no point has a good dwell\. Rejected: beam lost \(12 points\)$"):
        reduced.take(dark(bench().a_pass("a", bad)))
    assert reduced.stops()[-1]["exit_status"] == "fail"


def test_a_pumped_scan_whose_pumped_dwells_are_all_bad_is_not_taken_for_one_without_the_laser():
    def bad(data, number):
        data["quality"] = "laser unlocked" if data["laser_on"] else "good"

    with pytest.raises(ReductionError, match=r"both laser on and laser off\. Rejected: laser unlocked"):
        Reduced().take(Bench().a_pass("a", bad))


def test_no_bunch_timing_is_needed():
    expected = Reduced().take(dark(bench().a_pass("a")))
    result = Reduced().take(without_timing(dark(bench().a_pass("a"))))
    np.testing.assert_allclose(result.static, expected.static, rtol=1e-12)
    np.testing.assert_allclose(result.static_stddev, expected.static_stddev, rtol=1e-9)


def test_two_counters_have_a_spectrum_each_and_agree():
    reduced = Reduced()
    reduced.take(dark(two_counters(bench(), "a")))
    found = streams(reduced)
    assert json.loads(found["detectors"][-1]["quantities"]) == ["static"]
    assert found["detectors"][-1]["p_value"][0] > 1e-3
    errors = [found[name][-1]["static_stddev"].mean() for name in ("spectrum", "spectrum_apd1", "spectrum_apd2")]
    assert errors[0] < errors[1] < errors[2]
    assert set(TWO) == set(json.loads(found["detectors"][-1]["detectors"]))


def test_the_diode_has_its_spectrum():
    reduced = Reduced()
    reduced.take(dark(with_chambers(bench(), "a")))
    (diode,) = streams(reduced)["diode"]
    assert diode["pairs"] == 2 and "transient" not in diode
    np.testing.assert_allclose(diode["static"], truth(), atol=0.02)


def test_align_and_references_of_slots_do_not_stand_in_the_way():
    settings = {**Bench().settings, "reference": "slots", "align": True}
    documents = [dark(bench(seed=n, settings=settings).a_pass(uid)) for n, uid in enumerate("ab")]
    result = Reduced().take(*documents)
    assert np.abs(result.static - truth()).max() < 0.05
    assert "Passes were aligned" in str(result.notes)
