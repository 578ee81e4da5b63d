"""One dwell that cannot be used costs itself and nothing else, is named, and can be left out or retaken."""

from __future__ import annotations

import numpy as np
import pytest

from reduction.counting.bunches import choose
from reduction.documents.raw import DocumentError
from reduction.errors import ReductionError
from tests.reduction.raw_documents import GRID, Bench, Reduced

BAD = 4 * 4 + 3
"""Number of the dwell that goes wrong: point 4, laser on."""


def only(number, change):
    return lambda data, at: change(data) if at == number else None


def full(data):
    data["fpga_counts"] = data["fpga_gates"].copy()


def most_bunches(data):
    """A hit in every gate of 20 bunches of 24."""
    bad = np.arange(120) % 24 < 20
    data["fpga_counts"] = np.where(bad, data["fpga_gates"], data["fpga_counts"])


def no_gates(data):
    data["fpga_gates"] = np.zeros_like(data["fpga_gates"])
    data["fpga_counts"] = np.zeros_like(data["fpga_counts"])


def missing(data):
    """The same dwell if it had never been taken, by its quality."""
    data["quality"] = "not taken"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (full, "saturated: a hit in every gate"),
        (most_bunches, "most bunches saturated or without gates, only in this dwell"),
        (no_gates, "no gates"),
    ],
)
def test_it_costs_nothing_but_itself(change, fault):
    bench, twin = Bench(), Bench()
    found, expected = Reduced(), Reduced()
    result = found.take(*(bench.a_pass(uid, only(BAD, change) if uid == "b" else None) for uid in "abc"))
    without = expected.take(*(twin.a_pass(uid, only(BAD, missing) if uid == "b" else None) for uid in "abc"))
    for name in ("rate", "transient", "transient_stddev", "static", "dwells", "bunches_out"):
        np.testing.assert_array_equal(getattr(result, name), getattr(without, name))
    assert [stop["exit_status"] for stop in found.stops()] == ["success"] * 3
    assert fault in found.faults() and not result.bunches_out.any()


def test_a_good_retake_brings_it_back():
    bench, twin = Bench(), Bench()
    again = twin.rng.spawn(1)[0].binomial(bench.gates, 0.1, 120).astype(np.int32)

    def retaken(documents):
        """After the bad dwell the same one once more, good."""
        for name, doc in documents:
            yield name, doc
            if name == "event" and doc["seq_num"] == BAD + 1:
                data = {**doc["data"], "attempt": 1, "fpga_counts": again}
                data["fpga_gates"] = np.full(120, bench.gates, np.int32)
                yield name, {**doc, "data": data}

    result = Reduced().take(retaken(bench.a_pass("a", only(BAD, full))))
    expected = Reduced().take(twin.a_pass("a", only(BAD, lambda data: data.update(fpga_counts=again))))
    np.testing.assert_array_equal(result.rate, expected.rate)
    assert result.used.all() and not result.provisional


def test_bunches_come_back_when_the_dwell_that_put_them_out_is_left_out():
    bench, twin = Bench(), Bench()

    def one_bunch(data):
        data["fpga_counts"][31] = data["fpga_gates"][31]  # bunch 7

    def never(data, at):
        if at // 4 == BAD // 4:
            data["quality"] = "not taken"

    found = Reduced()
    result = found.take(bench.a_pass("a"), bench.a_pass("b", only(BAD, one_bunch)))
    assert np.flatnonzero(result.bunches_out).tolist() == [7]
    assert "saturated: 7 (pass 2, point 4, segment 3, laser on)" in str(result.notes)
    found.reducer.exclusions.leave_out("b", 4)
    expected = Reduced().take(twin.a_pass("a"), twin.a_pass("b", never))
    left = found.reducer.result()
    np.testing.assert_array_equal(left.rate, expected.rate)
    assert not left.bunches_out.any() and "saturated" not in str(left.notes)
    found.reducer.exclusions.take_back("b", 4)
    np.testing.assert_array_equal(found.reducer.result().rate, result.rate)


def test_a_point_that_is_missing_is_named_with_its_reason():
    def on_full(data, at):
        if at // 4 == 4 and data["laser_on"]:
            full(data)

    found = Reduced()
    result = found.take(Bench().a_pass("a", on_full))
    assert result.provisional == 1 and not result.used[4]
    why = "13.47 keV is missing since there is no good dwell with the laser on: saturated: a hit in every gate."
    assert why in str(result.notes)


def test_where_nothing_counts_the_reason_is_in_the_error():
    found = Reduced()
    with pytest.raises(ReductionError, match="saturated: a hit in every gate"):
        found.take(Bench().a_pass("a", lambda data, at: full(data)))
    assert "saturated: a hit in every gate" in found.stops()[0]["reason"]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (range(4, 12), "1 of 9 points in the edge-integral window 13.4640-13.5060 keV are good, and 2 are needed"),
        (range(3), "0 of 3 points in the pre-edge window 13.4490-13.4610 keV are good, and 1 are needed"),
    ],
)
def test_a_window_that_lost_its_points_is_named_with_the_reason(bad, message):
    def at_some(data, at):
        if at // 4 in bad:
            no_gates(data)

    found = Reduced()
    with pytest.raises(ReductionError, match=f"{message}: take them again. Rejected: no gates"):
        found.take(Bench().a_pass("a", at_some))
    result = found.take(Bench().a_pass("b"))
    assert result.used.all()


def test_a_bunch_that_never_has_gates_is_out_whatever_else_happens():
    """Bunches 0 and 1 are not gated at all; one dwell with most others full as well is out."""

    def ungated(data, at):
        off = np.arange(120) % 24 < 2
        for key in ("fpga_gates", "fpga_counts"):
            data[key] = np.where(off, 0, data[key])
        if at == BAD:
            data["fpga_counts"] = np.where(np.arange(120) % 24 < 22, data["fpga_gates"], data["fpga_counts"])

    result = Reduced().take(Bench().a_pass("a", ungated))
    assert result.bunches_out.tolist() == [2, 2] + 22 * [0]
    assert "without gates: 0, 1" in str(result.notes)


def test_which_bunches_are_out_by_hand():
    """Twelve dwells, four bunches: bunch 0 is bad in seven, so out; three others bad in one dwell put that one out."""
    bad = {(point, 0): np.array([1, 0, 0, 0]) for point in range(6)}
    bad[(6, 0)] = np.array([1, 2, 2, 2])
    found = choose(bad, 12, 4)
    assert found.state.tolist() == [1, 0, 0, 0] and found.dwells == ((6, 0),)
    assert choose({(0, 0): np.array([1, 0, 0, 2])}, 1, 4).state.tolist() == [1, 0, 0, 2]  # nothing to compare with
    assert choose({(0, 0): np.array([0, 1, 1, 0])}, 12, 4).state.tolist() == [0, 1, 1, 0]  # half is not most


def test_a_late_bad_attempt_after_a_good_one_is_reported():
    bench = Bench()

    def corrupted(documents):
        for name, doc in documents:
            yield name, doc
            if name == "event" and doc["seq_num"] == BAD + 1:
                yield name, {**doc, "data": {**doc["data"], "attempt": 1, "quality": "beam lost"}}

    result = Reduced().take(corrupted(bench.a_pass("a")))
    assert "A good dwell was replaced by a later one that is rejected (pass 1, point 4, segment 3): beam lost." in str(
        result.notes
    )
    assert result.dwells[:, 4].tolist() == [2, 1]


@pytest.mark.parametrize("value", [2, -1, 0.5, float("nan")])
def test_a_laser_that_is_neither_on_nor_off_is_refused(value):
    with pytest.raises(DocumentError, match=r"laser_on is .*, neither 0"):
        Reduced().take(Bench().a_pass("a", only(3, lambda data: data.update(laser_on=value))))


def test_passes_at_other_energies_by_the_readback_are_reported():
    def away(data, at):
        data["mono_energy"] += 5e-4

    result = Reduced().take(Bench().a_pass("a"), Bench(seed=2).a_pass("b", away))
    assert "Passes 1 and 2 lie 0.50 eV apart by the energy readback" in str(result.notes)
    honest = Reduced().take(*(Bench(seed=seed).a_pass(f"p{seed}", away) for seed in (1, 2)))
    assert "apart" not in str(honest.notes)  # a readback with another origin
    single = Reduced().take(Bench().a_pass("a", only(BAD, lambda data: data.update(mono_energy=13.4705))))
    assert "1 dwells were up to 0.50 eV from the energy" in str(single.notes) and "point 4, segment 3" in str(
        single.notes
    )


def test_another_grid_under_the_same_scan_set_is_reported():
    found = Reduced()
    found.take(Bench().a_pass("a"))
    result = found.take(Bench(seed=2).a_pass("b", grid=GRID[:10]))
    assert result.energy.size == 10
    assert (
        "1 earlier passes of this scan set are not in the sum, since this one has another grid of 10 points instead"
        " of 12." in str(result.notes)
    )


def test_passes_that_each_lack_a_point_are_compared_at_the_others():
    def lacks(point):
        return lambda data, at: data.update(quality="beam lost") if at // 4 == point else None

    found = Reduced()
    found.take(*(Bench(seed=number).a_pass(f"p{number}", lacks(5 + number)) for number in range(2)))
    diagnosed = [doc["data"] for name, doc in found.published if name == "event" and "off_off" in doc["data"]][-1]
    assert diagnosed["passes"] == 2 and np.isfinite(diagnosed["scatter"][0, 0])
    assert "Diagnosed without 2 points that a pass lacks." in diagnosed["sentences"]


def test_half_a_grid_is_called_provisional_in_the_result_itself():
    """The edge integral of half a grid is another one: by plain numpy, of the expectation."""

    def half(documents):
        for name, doc in documents:
            if name != "event" or doc["data"]["point_index"] < 8:
                yield name, doc

    result = Reduced().take(half(Bench().a_pass("a")))
    assert result.provisional == 1
    assert "Provisional: 4 of 12 points are missing (13.49 to 13.505 keV)" in str(result.notes)
    assert Reduced().take(Bench().a_pass("a")).provisional == 0
