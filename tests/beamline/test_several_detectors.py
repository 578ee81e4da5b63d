"""Runs with two counters: what the journal, the files, the report, the figure and the commands show of each."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from matplotlib.figure import Figure
from typer.testing import CliRunner

import beamline
from beamline.app.cli import app
from beamline.outputs.export.result import Result, read_result
from beamline.outputs.export.write import write_results
from beamline.outputs.live_figure.exclusion_content import LEFT_OUT, ExclusionContent
from beamline.outputs.report.numbers import numbers_of
from beamline.records.runs.job import parse_excluded, plan_job
from beamline.records.runs.replay import replay
from beamline.records.runs.run import RunError
from beamline.records.runs.store import open_runs
from beamline.session.scans.background import BackgroundError, background_of_detectors, background_settings
from beamline.session.scans.stopping_rule import PredictedErrorRule
from tests.beamline.example_runs import Documents, data_key, events_of
from tests.beamline.figures import content_of, drawn, followed, panel, words_of
from tests.beamline.raw_scans import GATES, MU, Acquisition, acquire, scan_set_of
from tests.beamline.shift import PLACE

DETECTORS = {"apd1": {"kind": "counter", "device": "fpga"}, "apd2": {"kind": "counter", "device": "fpga2"}}
QUANTITIES = ["static", *(f"slot {slot}" for slot in range(5))]


def two_counters(passes: int, wrong: float = 0.0, **metadata: Any) -> list[Documents]:
    """Passes whose second counter sees half the light; `wrong` bends its spectrum above the white line."""
    found = scan_set_of(passes, detectors=DETECTORS, **metadata)
    rng = np.random.default_rng(17)
    for documents in found:
        for name, doc in documents:
            if name == "event":
                data = doc["data"]
                point = data["point_index"]
                mu = 0.5 * MU[point, data["segment"]] * (1 + wrong * (point > 7))
                hits = rng.binomial(GATES, -np.expm1(-mu)).astype(np.int32)
                more = {
                    "fpga2_counts": hits,
                    "fpga2_gates": np.full(hits.size, GATES, np.int32),
                    "fpga2_laser_phase": 0,
                }
                data |= more
                doc["timestamps"] |= dict.fromkeys(more, 1.0)
        descriptor = documents[1][1]
        descriptor["data_keys"] |= {key: data_key(value) for key, value in more.items()}
    return found


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two_counters")
    acquire(folder, two_counters(2))
    return folder


@pytest.fixture
def result(root: Path) -> Iterator[Result]:
    store = open_runs("journal", root, "")
    yield read_result(store, store.runs(), "last")
    store.close()


def test_the_dataset_has_each_counter_and_the_combination(root: Path) -> None:
    found = beamline.results("last", data=root)
    assert found.detector.values.tolist() == ["combined", "apd1", "apd2"]
    assert found.transient.dims == ("detector", "slot", "energy")
    errors = [
        float(np.nanmean(found.transient_stddev.sel(detector=name, slot=0) ** 2)) for name in found.detector.values
    ]
    assert errors[0] < errors[1] < errors[2]
    assert found.quantity.values.tolist() == QUANTITIES
    assert found.agreement_p_value.min() > 1e-4
    assert found.agreement_freedom.values.tolist() == [10] * 6  # 12 points, less offset and edge integral
    assert "apd1 66 %, apd2 34 %" in found.attrs["detectors"]


def test_files_have_the_columns_of_each_after_those_of_the_combination(result: Result, tmp_path: Path) -> None:
    table, nexus = write_results([result], ["csv", "nexus"], tmp_path, PLACE)
    lines = [line for line in table.read_text().splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(lines))
    for name in ("apd1", "apd2"):
        column = np.array([float(row[f"transient_slot0_{name}"]) for row in rows])
        np.testing.assert_array_equal(column, result.detectors.each[name]["transient"][0])
    np.testing.assert_array_equal([float(row["transient_slot0"]) for row in rows], result.data["transient"][0])
    assert any(line.startswith("# detectors: apd1 66 %, apd2 34 %.") for line in table.read_text().splitlines())
    with h5py.File(nexus) as file:
        group = file["entry/process/detectors"]
        np.testing.assert_array_equal(group["apd2/transient"], result.detectors.each["apd2"]["transient"])
        assert group["apd1/share_of_combination"][()] == pytest.approx(2 / 3, abs=0.02)
        assert group["agreement_slot_0/degrees_of_freedom"][()] == 10


def test_a_boxcar_of_the_entries_has_a_column_and_a_line_of_the_report(tmp_path: Path) -> None:
    entries = {**DETECTORS, "front": {"kind": "boxcar", "device": "box.one"}}
    (documents,) = two_counters(1)
    documents[0][1]["detectors"] = entries
    documents[1][1]["data_keys"] |= {key: data_key(0.5) for key in ("box_one", "box_one_stddev")}
    for name, doc in documents:
        if name == "event":
            photons = float(-np.log1p(-doc["data"]["fpga_counts"] / doc["data"]["fpga_gates"]).mean())
            doc["data"] |= {"box_one": -0.04 * photons, "box_one_stddev": 1e-4}
            doc["timestamps"] |= dict.fromkeys(("box_one", "box_one_stddev"), 1.0)
    acquire(tmp_path / "data", [documents])
    store = open_runs("journal", tmp_path / "data", "")
    found = read_result(store, store.runs(), "last")
    store.close()
    np.testing.assert_array_equal(
        found.detectors.columns("transient")["transient_front"], found.detectors.analogue["front"]["transient"]
    )
    assert {each.name: each.value for each in numbers_of(found, {})}["detector front"] == "2 pairs"
    (nexus,) = write_results([found], ["nexus"], tmp_path, PLACE)
    with h5py.File(nexus) as file:
        assert "transient" in file["entry/process/detectors/front"]
    arrays = beamline.results("last", data=tmp_path / "data", edge_step=True)
    assert arrays.kind.values.tolist() == ["counter"] * 3 + ["boxcar"]
    np.testing.assert_array_equal(
        arrays.transient.sel(detector="front", slot=0), found.detectors.analogue["front"]["transient"]
    )
    assert np.isnan(arrays.transient.sel(detector="front", slot=1)).all()
    assert np.isnan(arrays.norm.sel(detector="front")).all() and np.isfinite(arrays.norm.sel(detector="apd2")).all()
    assert arrays.quantity.values.tolist() == [*QUANTITIES, "front static", "front transient"]
    assert len(repr(arrays).splitlines()) <= 40


def test_xdi_with_two_counters_is_read_back_by_larch(result: Result, tmp_path: Path) -> None:
    from larch.io import read_xdi

    (path,) = write_results([result], ["xdi"], tmp_path, PLACE)
    read = read_xdi(str(path))
    np.testing.assert_allclose(read.transient_slot0_apd2, result.detectors.each["apd2"]["transient"][0], rtol=1e-9)


def test_the_report_has_shares_and_agreement(result: Result) -> None:
    numbers = {each.name: each for each in numbers_of(result, {})}
    assert numbers["detector apd1: share"].value == "66 %"
    assert "of that of the combination" in numbers["detector apd2: share"].remark
    assert "with 10 degrees of freedom" in numbers["agreement of detectors, static: p-value"].remark


def test_the_figure_draws_a_thin_line_for_each_counter(root: Path) -> None:
    scan = followed(root)
    figure, panels = drawn(scan)
    assert content_of(scan).scan.each.names == ["apd1", "apd2"]
    lines = panel(panels, "slot 0")
    for name in ("apd1", "apd2"):
        expected = 100 * scan.each.transient(name, 0, True)
        assert any(np.array_equal(y, expected, equal_nan=True) for _, y in lines if y.size == expected.size), name
    assert "agree (" in words_of(figure).replace("\n  ", " ")
    assert legends(figure) == [["apd1", "apd2"]]


def legends(figure: Figure) -> list[list[str]]:
    """Texts of the legends that name counters."""
    found = [axes.get_legend() for axes in figure.axes if axes.get_legend() is not None]
    texts = [[text.get_text() for text in legend.get_texts()] for legend in found]
    return [each for each in texts if "apd1" in each]


def test_one_counter_draws_and_writes_nothing_more(tmp_path: Path) -> None:
    acquire(tmp_path, scan_set_of(1))
    scan = followed(tmp_path)
    figure, _ = drawn(scan)
    assert scan.each.names == [] and legends(figure) == []
    found = beamline.results("last", data=tmp_path)
    assert found.detector.values.tolist() == ["fpga"] and "quantity" not in found.coords
    assert "detectors" not in found.attrs
    store = open_runs("journal", tmp_path, "")
    alone = read_result(store, store.runs(), "last")
    store.close()
    assert alone.detectors.text == "" and alone.detectors.columns("transient") == {}
    assert not [each.name for each in numbers_of(alone, {}) if "detector" in each.name]


def test_a_counter_is_left_out_by_the_command_and_shown(root: Path) -> None:
    run = CliRunner()
    store = open_runs("journal", root, "")
    runs = store.runs()
    first = next(each for each in runs if each.raw_uid is None)
    assert [entry[1:] for entry in parse_excluded(runs, f"{first.scan_set}:apd2")] == [(-1, "apd2")] * 2
    assert parse_excluded(runs, f"{first.uid}:3:apd2") == [(first.uid, 3, "apd2")]
    with pytest.raises(RunError, match=r"has no detector apd9; it has apd1, apd2"):
        parse_excluded(runs, f"{first.uid}:apd9")
    job = plan_job(runs, str(first.scan_set), {})
    again = replay(store, runs, job)
    store.close()
    assert all(each.agreement is not None and each.agreement.exact for each in again)
    out = run.invoke(app, ["reduce", str(first.scan_set), "--leave-out", f"{first.scan_set}:apd2", "--data", str(root)])
    assert out.exit_code == 1 and "apd2 left out" in out.output, out.output
    page = run.invoke(app, ["show", again[-1].stored.uid[:12], "--data", str(root)])  # type: ignore[union-attr]
    assert "66 % of the combination" in page.output and "for 10 degrees of freedom" in page.output, page.output


def test_a_counter_that_disagrees_is_named_in_the_figure(tmp_path: Path) -> None:
    reduced = acquire(tmp_path, two_counters(1, wrong=0.05))
    (documents,) = reduced.values()
    assert events_of(documents, "detectors")[-1]["data"]["disagrees"] == "apd1 and apd2"
    figure, _ = drawn(followed(tmp_path))
    assert "disagree" in words_of(figure)


def test_a_stopping_rule_follows_the_combination(tmp_path: Path) -> None:
    reduced = acquire(tmp_path, two_counters(1))
    (documents,) = reduced.values()
    rule = PredictedErrorRule(lambda: True, lambda _: None)
    rule.begin("start", {"dwell": 1.0, "target": 1e-3, "scan_index": 0, "passes": 1})
    for name, doc in documents:
        rule.take(name, doc)
    point = events_of(documents, "points")[-1]["data"]
    error = point["difference_stddev"][0] / point["off"][0]
    assert rule(point["point_index"]) == pytest.approx(4 * (error / 1e-3) ** 2 - 4)


def test_the_ledger_names_a_counter_that_is_left_out_and_its_pass_counts(tmp_path: Path) -> None:
    content = ExclusionContent()
    with Acquisition(tmp_path) as session:
        (documents,) = two_counters(1)
        session.reducer.exclusions.leave_out(documents[0][1]["uid"], detector="apd2", note="noisy")
        session.take(documents)
    for name, doc in [*documents, *session.reduced[documents[0][1]["uid"]]]:
        content.take(name, doc)
    assert [(each.what, each.note) for each in content.reasons()] == [("by hand", "apd2, noisy")]
    assert not (content.states() == LEFT_OUT).any()


def test_each_counter_has_the_background_of_its_own_run(tmp_path: Path) -> None:
    (documents,) = two_counters(1, plan_name="background_run")
    acquire(tmp_path, [documents])
    uid = documents[0][1]["uid"]
    found = background_of_detectors(tmp_path, uid, DETECTORS)
    first, second = (np.array(found[name]["background_off"]) for name in ("apd1", "apd2"))
    assert second.mean() / first.mean() == pytest.approx(0.5, rel=0.02)
    assert "i0_dark" not in found["apd1"] and found["apd2"]["device"] == "fpga2"
    assert np.array_equal(background_settings(tmp_path, uid)["background_off"], found["apd1"]["background_off"])
    with pytest.raises(BackgroundError, match="has no 'fpga9_counts': it was taken without this counter"):
        background_of_detectors(tmp_path, uid, {"apd9": {"kind": "counter", "device": "fpga9"}})
