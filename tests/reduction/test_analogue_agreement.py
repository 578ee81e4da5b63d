"""Analogue detectors against the counters: p-values, what disagrees and is named, what is left out and taken back."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest

from reduction.boxcar.agreement import agreement_with_counters
from reduction.boxcar.scan import BoxcarRows
from reduction.counting.dwell import Dwell
from reduction.counting.kernels import EMPTY
from reduction.counting.rows import DwellRows
from reduction.documents.analogue import AnalogueStore
from reduction.documents.detectors import Detector
from reduction.errors import ReductionError
from tests.reduction.raw_documents import CHANGE, STATIC, Bench, Reduced
from tests.reduction.test_absorption import BOTH, with_chambers
from tests.reduction.test_several_counters import streams

ENTRIES = {**BOTH, "front": {"kind": "boxcar", "device": "box.one"}, "late": {"kind": "boxcar", "device": "box.two"}}
ENTRIES["late"]["slot"] = 4
del ENTRIES["foil1"]
PHOTONS = 0.1 * STATIC


def rows_of(rng, bend=0.0, jet=0.0, passes=2, pattern=(1, 0, 0, 1), offset=0.0, light=0.0):
    """Dwells of a counter with two slots and of a boxcar that sees the first; `bend` moves its pumped dwells.

    The counter sees `light` of the laser alone.
    """
    laser = np.tile(pattern, passes)
    points, number = STATIC.size, laser.size
    truth = PHOTONS[:, None, None] * (1 + laser[:, None] * CHANGE[:, None, None] * [1.0, 0.4])
    thickness = np.exp(jet * rng.standard_normal((points, number)))
    mu = truth * thickness[..., None] + light * laser[:, None]
    counts = mu + 1e-3 * np.sqrt(mu) * rng.standard_normal(mu.shape)
    volts = -0.04 * thickness * truth[..., 0] * (1 + bend * laser * (np.arange(points)[:, None] > 6)) + offset
    volts += 2e-5 * np.sqrt(truth[..., 0]) * rng.standard_normal(volts.shape)
    state = np.broadcast_to(laser, (points, number)).astype(np.int8)
    index, flux = np.repeat(np.arange(passes), len(pattern)), np.ones((points, number))
    shift = np.zeros((*mu.shape, 0))
    counting = DwellRows(index, state, flux, flux, counts, 1e-6 * mu, shift)
    return BoxcarRows(index, state, -volts, np.zeros_like(volts)), counting


def test_p_values_are_uniform_where_they_agree_whatever_the_jet_does():
    rng, found = np.random.default_rng(5), []
    for _ in range(300):
        agreement = agreement_with_counters(*rows_of(rng, jet=0.02, offset=-0.001, light=0.002), slot=0)
        found.append(agreement.p_value)
        assert agreement.freedom.tolist() == [STATIC.size - 2, STATIC.size - 1]
    assert kstest(np.array(found)[:, 1], "uniform").pvalue > 1e-3
    assert (np.array(found)[:, 0] > 0.01).mean() > 0.97  # the drift that is assumed makes it cautious


def test_readings_of_a_bad_dwell_and_of_a_clipped_boxcar_do_not_count():
    """Of four dwells the second is saturated and the third clipped; a good retake of the second counts again."""
    boxcar, store = Detector("front", "boxcar", "box.one"), AnalogueStore(1)
    keys = [boxcar.key(name) for name in ("value", "stddev", "overload")]
    store.use({"data_keys": keys}, (boxcar,))
    hits, gates = np.full(120, 10), np.full(120, 1000)

    def take(segment, counts, overload, attempt=0):
        dwell = Dwell("a", 0, segment, attempt, segment in (0, 3), "good", 2.0, counts, gates, 0)
        store.take(dwell, dict(zip(keys, (-0.04 - 0.01 * segment, 0.001, overload), strict=True)), 1e6)

    for segment in range(4):
        take(segment, gates if segment == 1 else hits, int(segment == 2))
    order = DwellRows(
        np.zeros(4, int), np.array([[1, 0, 0, 1]], np.int8), np.ones((1, 4)), np.ones((1, 4)), np.ones((1, 4, 1)),
        np.ones((1, 4, 1)), np.zeros((1, 4, 1, 0)),
    )  # fmt: skip
    found = store.rows(boxcar, ["a"], np.zeros((1, 4), np.bool_), order)
    np.testing.assert_allclose(found.signal[0], [0.02, np.nan, np.nan, 0.035])
    take(1, hits, 0, attempt=1)
    found = store.rows(boxcar, ["a"], np.zeros((1, 4), np.bool_), order)
    np.testing.assert_allclose(found.signal[0], [0.02, 0.025, np.nan, 0.035])
    assert found.state.tolist() == [[1, 0, EMPTY, 1]]


def test_a_boxcar_that_sees_another_transient_disagrees():
    found = agreement_with_counters(*rows_of(np.random.default_rng(1), bend=0.01), slot=0)
    assert found.disagrees
    assert found.sentence("front").startswith("front disagrees with the counters (transient: chi-square")
    assert found.p_value[0] > 1e-3  # the static spectrum is right
    other = agreement_with_counters(*rows_of(np.random.default_rng(1)), slot=1)
    assert other.disagrees  # it sees slot 0


def test_single_dwells_and_too_few_points_are_not_compared():
    rng = np.random.default_rng(1)
    with pytest.raises(ReductionError, match="single dwells do not show the noise"):
        agreement_with_counters(*rows_of(rng, passes=1, pattern=(1, 0)), slot=0)
    boxcar, counting = rows_of(rng)
    boxcar.signal[3:] = np.nan
    with pytest.raises(ReductionError, match="3 points are too few"):
        agreement_with_counters(boxcar, counting, slot=0)


def with_boxcars(bench, uid, wrong=0.0, detectors=None, **start):
    """Documents of a pass with a boxcar on slot 0 and one on slot 4, a diode, and a counter."""
    rng = np.random.default_rng([len(uid), 9])
    for name, doc in with_chambers(bench, uid, detectors=detectors or ENTRIES, **start):
        if name == "descriptor":
            doc["data_keys"] |= {
                f"box_{which}{end}": {"shape": []} for which in ("one", "two") for end in ("", "_stddev")
            }
        if name == "event":
            data, point = doc["data"], doc["data"]["point_index"]
            mean = CHANGE[point] * np.mean(0.4 ** np.arange(5))  # the diode sees all slots
            light = 1e6 * 0.3 * np.exp(-0.02 * STATIC[point] * (1 + data["laser_on"] * mean))
            data["it"] = light * (1 + 1e-5 * rng.standard_normal()) + 500.0
            for which, slot in (("one", 0), ("two", 4)):
                mu = PHOTONS[point] * (1 + data["laser_on"] * CHANGE[point] * 0.4**slot)
                mu *= 1 + wrong * data["laser_on"] * (point > 7)
                data[f"box_{which}"] = -0.04 * mu * (1 + 1e-3 * rng.standard_normal())
                data[f"box_{which}_stddev"] = 1e-5
        yield name, doc


def test_each_analogue_detector_is_compared_and_one_that_disagrees_is_named_in_the_result():
    good, bad = Reduced(), Reduced()
    result = good.take(with_boxcars(Bench(), "a"), with_boxcars(Bench(seed=2), "bb"))
    for name in ("front", "late", "diode"):
        (data,) = streams(good)[name][-1:]
        assert data["compared"] == 1 and data["agreement_p_value"].min() > 1e-3, name
        assert data["sentence"].startswith(f"{name} agrees with the counters")
    assert "disagree" not in str(result.notes)
    result = bad.take(with_boxcars(Bench(), "a", wrong=0.05), with_boxcars(Bench(seed=2), "bb", wrong=0.05))
    assert "front disagrees with the counters (transient" in str(result.notes)
    assert "diode" not in str(result.notes)


def test_a_boxcar_is_left_out_and_taken_back_like_a_counter():
    reduced = Reduced()
    before = reduced.take(with_boxcars(Bench(), "a", wrong=0.05))
    for name in ("front", "late"):
        reduced.reducer.exclusions.leave_out("a", detector=name)
    alone = reduced.reducer.result()
    assert "disagrees" not in str(alone.notes) and "Left out: front, late." in str(alone.notes)
    np.testing.assert_array_equal(alone.transient, before.transient)
    for name in ("front", "late"):
        reduced.reducer.exclusions.take_back("a", detector=name)
    assert reduced.reducer.result().notes == before.notes


def test_a_point_of_a_boxcar_alone_is_left_out():
    reduced = Reduced()
    reduced.reducer.exclusions.leave_out("a", 5, detector="front")
    result = reduced.take(with_boxcars(Bench(), "a"))
    assert result.used.all()
    used = {name: streams(reduced)[name][-1]["used"] for name in ("front", "late")}
    assert used["front"][5] == 0 and used["late"].all()


@pytest.mark.parametrize("slot", [5, 7])
def test_a_slot_that_is_not_there_is_a_sentence(slot):
    reduced = Reduced()
    reduced.take(with_boxcars(Bench(), "a", detectors={**ENTRIES, "front": {**ENTRIES["front"], "slot": slot}}))
    assert streams(reduced)["front"][-1]["sentence"] == (
        f"front is not compared with the counters: there is no slot {slot}, they are 0 to 4."
    )
