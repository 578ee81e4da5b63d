"""Bad input: one clear error or a flagged point each, never a wrong number. Whole runs through the live reducer."""

from __future__ import annotations

import copy
import re

import numpy as np
import pytest

from reduction.live.reducer import LiveReducer
from tests.beamline.axis_runs import two_passes
from tests.beamline.raw_scans import MODEL, scan_set_of
from tests.beamline.test_axis_runs import data_of
from tests.reduction.scans import ENERGIES

POINT = 5
"""At the white line; its dwells are events 20 to 23."""


@pytest.fixture(scope="module")
def one_pass():
    (documents,) = scan_set_of(1)
    return documents


def reduce(documents):
    """Reduced documents of one or more passes."""
    seen = []
    reducer = LiveReducer(lambda name, doc: seen.append((name, doc)))
    for name, doc in documents:
        reducer(name, doc)
    return seen


def events(documents):
    return [doc for name, doc in documents if name == "event"]


def corrupted(documents, change, which=lambda data: data["point_index"] == POINT and data["segment"] == 0):
    """The same run with `change` applied to the data of some events."""
    documents = copy.deepcopy(documents)
    for event in events(documents):
        if which(event["data"]):
            change(event["data"])
    return documents


def twice_the_gates(data):
    data["fpga_counts"] = data["fpga_gates"] * 2


def negative(data):
    data["fpga_counts"] = -data["fpga_counts"]


def one_negative(data):
    data["fpga_counts"] = data["fpga_counts"].copy()
    data["fpga_counts"][7] = -1


def i0_not_a_number(data):
    data["i0"] = float("nan")


def no_i0(data):
    data["i0"] = 0.0


def no_i0_time(data):
    data["i0_time"] = 0.0


def no_gates(data):
    data["fpga_counts"], data["fpga_gates"] = data["fpga_counts"] * 0, data["fpga_gates"] * 0


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (twice_the_gates, "hits above gates"), (negative, "hits above gates"), (one_negative, "hits above gates"),
        (i0_not_a_number, "flux not a number"), (no_i0, "no flux"), (no_i0_time, "flux not a number"),
        (no_gates, "no gates"),
    ],
)  # fmt: skip
def test_an_impossible_dwell_is_flagged_and_does_not_count(one_pass, change, fault):
    """The rest is as if the dwell had not been taken."""
    found = reduce(corrupted(one_pass, change))
    flagged = [data for data in data_of(found, "points") if data["fault"]]
    assert [(data["point_index"], data["fault"]) for data in flagged] == [(POINT, fault)]
    (spectrum,) = data_of(found, "spectrum")
    assert spectrum["dwells"][:, POINT].tolist() == [2, 1]
    (good,) = [
        event for event in events(one_pass)
        if event["data"]["point_index"] == POINT and event["data"]["laser_on"] and event["data"]["segment"] != 0
    ]  # fmt: skip
    data = good["data"]
    mu = -np.log1p(-data["fpga_counts"] / data["fpga_gates"])
    flux = (data["i0"] / data["i0_time"] - data["i0_dark"]) / data["i0_gain"] / MODEL.bunch_rate_hz
    expected = mu[MODEL.slot_of_phase == 0].mean() / flux
    assert spectrum["rate"][1, 0, POINT] == pytest.approx(expected, rel=1e-4)  # but for the bias of small counts


def test_a_point_whose_dwells_are_all_bad_is_nan_and_the_rest_stays(one_pass):
    found = reduce(corrupted(one_pass, no_i0, lambda data: data["point_index"] == POINT))
    (spectrum,) = data_of(found, "spectrum")
    assert spectrum["used"].tolist() == [0 if i == POINT else 1 for i in range(ENERGIES.size)]
    assert np.isnan(spectrum["transient"][:, POINT]).all() and np.isfinite(spectrum["transient"][0, 8])


def test_a_saturated_phase_leaves_its_bunch_out_of_everything(one_pass):
    def saturate(data):
        data["fpga_counts"] = data["fpga_counts"].copy()
        data["fpga_counts"][30] = data["fpga_gates"][30]

    found = reduce(corrupted(one_pass, saturate))
    (spectrum,) = data_of(found, "spectrum")
    assert spectrum["bunches_out"].tolist() == [int(bunch == 30 % 24) for bunch in range(24)]
    assert [data["bad_phases"] for data in data_of(found, "points") if data["bad_phases"]] == [1]
    assert np.isfinite(spectrum["transient"][0]).all()


def reason_of(documents) -> str:
    return documents[-1][1]["reason"]


def test_an_empty_pre_edge_is_one_clear_error(one_pass):
    found = reduce(corrupted(one_pass, no_i0, lambda data: data["mono_energy"] <= 13.460))
    assert not data_of(found, "spectrum") and found[-1][1]["exit_status"] == "fail"
    assert re.search(r"0 of \d+ points in the pre-edge window .* 1 are needed: .*Rejected: ", reason_of(found))


def test_a_pre_edge_with_the_laser_on_alone_is_the_same_error(one_pass):
    found = reduce(corrupted(one_pass, no_i0, lambda data: data["mono_energy"] <= 13.460 and not data["laser_on"]))
    assert not data_of(found, "spectrum")
    assert re.search(r"0 of \d+ points in the pre-edge window .* 1 are needed: ", reason_of(found))


def test_passes_over_different_grids_are_not_summed():
    first, second = scan_set_of(2)
    second = copy.deepcopy(second)
    grid = list(second[0][1]["grid"])
    grid[3] += 1e-4
    second[0][1]["grid"] = grid
    found = reduce([*first, *second])
    starts = [doc for name, doc in found if name == "start"]
    assert starts[1]["accumulates"] == []
    assert [data["dwells"].max() for data in data_of(found, "spectrum")] == [2, 2]


def test_fewer_delay_points_than_parameters_give_a_trace_and_no_fit():
    documents = copy.deepcopy(two_passes("laser_delay")[0])
    kept = {0, 6, 9}
    documents = [e for e in documents if e[0] != "event" or e[1]["data"]["point_index"] in kept]
    found = reduce(documents)
    (trace,), (fit,) = data_of(found, "trace"), data_of(found, "kinetics")
    assert trace["used"].sum() == 3
    assert fit["fitted"] == 0 and "fewer than the" in fit["notes"]


def test_errors_from_scatter_of_one_scan_are_one_clear_error():
    (first, _) = two_passes("laser_fluence", procedure="paper")
    found = reduce(first)
    assert not data_of(found, "trace") and "scatter of at least two" in reason_of(found)


def test_one_pass_reports_that_its_scatter_is_not_known(one_pass):
    (diagnosed,) = data_of(reduce(one_pass), "honesty")
    assert "One pass: its scatter is unknown" in diagnosed["sentences"] and np.isnan(diagnosed["scatter"][:, 0]).all()
