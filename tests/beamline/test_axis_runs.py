"""Delay and fluence scans through documents: live, bitwise replay, export."""

from __future__ import annotations

import csv
import dataclasses
import json

import event_model
import numpy as np
import pytest
from typer.testing import CliRunner

from beamline.app.cli import app
from beamline.outputs.export.csv_file import write_csv
from beamline.outputs.export.result import read_result
from beamline.records.runs.job import parse_excluded, plan_job
from beamline.records.runs.replay import replay
from beamline.records.runs.run import RunError
from beamline.records.runs.store import open_runs
from reduction.documents.raw import DocumentError, raw_run
from reduction.errors import ReductionError
from reduction.live.reducer import LiveReducer
from tests.beamline.axis_runs import two_passes
from tests.beamline.raw_scans import MODEL, Acquisition, acquire
from tests.reduction.axis_scans import DELAYS, FLUENCES, photons

CASES = [("laser_delay", "default"), ("laser_delay", "paper"), ("laser_fluence", "default"), ("laser_fluence", "paper")]


def data_of(documents, stream):
    descriptors = {doc["uid"] for name, doc in documents if name == "descriptor" and doc["name"] == stream}
    return [doc["data"] for name, doc in documents if name == "event" and doc["descriptor"] in descriptors]


@pytest.mark.parametrize(("axis", "procedure"), CASES)
def test_live_and_replay_agree_to_the_bit(tmp_path, axis, procedure):
    passes = two_passes(axis, procedure=procedure)
    reduced = acquire(tmp_path, passes)
    store = open_runs("journal", tmp_path, None)
    try:
        runs = store.runs()
        results = replay(store, runs, plan_job(runs, passes[0][0][1]["scan_set"], {}))
    finally:
        store.close()
    # the paper's fluence errors need two passes: the first has an error instead of a trace
    lacking = {0} if (axis, procedure) == ("laser_fluence", "paper") else set()
    for index, result in enumerate(results):
        assert result.agreement is not None and not result.agreement.differences and not result.agreement.missing
        live = reduced[passes[index][0][1]["uid"]]
        assert len(data_of(live, "trace")) == (0 if index in lacking else 1)
        start = passes[index][0][1]
        seen = [data[axis] for data in data_of(live, "points")]
        assert seen == [start["grid"][point] for point in start["visit_order"] for _ in start["pattern"]]
        for name, doc in live:
            event_model.schema_validators[event_model.DocumentNames[name]].validate(doc)
    if lacking:
        assert "scatter of at least two" in reduced[passes[0][0][1]["uid"]][-1][1]["reason"]


def test_traces_hold_the_truth_and_a_fit(tmp_path):
    passes = two_passes("laser_delay")
    last = acquire(tmp_path, passes)[passes[1][0][1]["uid"]]
    trace, fit = data_of(last, "trace")[0], data_of(last, "kinetics")[0]
    light = photons(MODEL, DELAYS, 8.8)
    of_slot = MODEL.slot_of_phase == 0
    contrast = light[:, 1][:, of_slot].mean(axis=1) / light[:, 0][:, of_slot].mean(axis=1) - 1
    pulls = (trace["transient"][0] - contrast + contrast[DELAYS <= -150].mean()) / trace["transient_stddev"][0]
    assert np.sqrt((pulls**2).mean()) < 1 + 4.5 / np.sqrt(2 * DELAYS.size)
    assert trace["dwells"].tolist() == [[4] * DELAYS.size] * 2
    assert fit["fitted"] == 1 and fit["lifetimes"].shape == (3,)
    assert abs(fit["lifetimes"][0] - 120) < 4.5 * fit["lifetimes_stddev"][0]


def test_a_trace_goes_into_a_csv_file(tmp_path):
    passes = two_passes("laser_fluence")
    documents = acquire(tmp_path / "journal", passes)[passes[1][0][1]["uid"]]
    data = data_of(documents, "trace")[0]
    store = open_runs("journal", tmp_path / "journal", "")
    path = write_csv(tmp_path / "trace.csv", read_result(store, store.runs(), documents[0][1]["uid"]))
    lines = path.read_text(encoding="utf-8").splitlines()
    about = [line for line in lines if line.startswith("#")]
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    assert [float(row["laser_fluence_mJ_per_cm2"]) for row in rows] == FLUENCES.tolist()
    assert [float(row["transient_slot0_stddev"]) for row in rows] == data["transient_stddev"][0].tolist()
    assert any("settings_hash" in line for line in about) and any("probe_energy" in line for line in about)


def test_passes_over_another_axis_are_not_summed(tmp_path):
    delay, fluence = two_passes("laser_delay")[0], two_passes("laser_fluence")[0]
    fluence[0][1]["scan_set"] = delay[0][1]["scan_set"]
    reduced = acquire(tmp_path, [delay, fluence])
    assert reduced[fluence[0][1]["uid"]][0][1]["accumulates"] == []


def test_a_request_of_the_wrong_kind_is_a_clear_error():
    reducer = LiveReducer(lambda name, doc: None)
    with pytest.raises(ReductionError, match="no scan"):
        reducer.trace()
    for name, doc in two_passes("laser_delay")[0]:
        reducer(name, doc)
    assert reducer.trace().used.all()
    with pytest.raises(ReductionError, match="ask for its trace"):
        reducer.spectrum()


def test_an_unknown_axis_is_refused_by_name():
    start = two_passes("laser_delay")[0][0][1]
    with pytest.raises(DocumentError, match="sample_height"):
        raw_run({**start, "scan_axis": "sample_height", "pump_delay": 0.0})


def test_what_is_excluded_is_stored_replayed_and_revoked(tmp_path):
    """By hand in the session, between two passes; a bad dwell is recorded too."""
    first, second = two_passes("laser_delay")
    second[3][1]["data"]["quality"] = "laser unlocked"
    uid = first[0][1]["uid"]
    with Acquisition(tmp_path) as session:
        session.take(first)
        session.reducer.exclusions.leave_out(uid, 4, note="a bubble")
        session.take(second)
        live = session.reduced[second[0][1]["uid"]]
    (ledger,) = data_of(live, "ledger")
    assert json.loads(ledger["decisions"]) == [{"scan": uid, "point": 4, "reason": "by hand", "note": "a bubble"}]
    (seen,) = json.loads(ledger["seen"])
    assert (seen["reason"], seen["note"], seen["dwells"]) == ("lock", "laser unlocked", 1)
    assert data_of(live, "trace")[0]["dwells"][:, 4].tolist() == [2, 2]
    store = open_runs("journal", tmp_path, None)
    try:
        runs = store.runs()
        job = plan_job(runs, first[0][1]["scan_set"], {})
        again = replay(store, runs, job)
        back = replay(store, runs, dataclasses.replace(job, take_back=tuple(parse_excluded(runs, f"{uid[:12]}:4"))))
        out = replay(store, runs, dataclasses.replace(job, leave_out=tuple(parse_excluded(runs, uid))))
    finally:
        store.close()
    assert all(result.agreement is not None and result.agreement.exact for result in again)
    assert data_of(back[1].documents, "trace")[0]["dwells"][:, 4].tolist() == [4, 4]
    trace = data_of(out[1].documents, "trace")[0]
    assert sorted(set(trace["dwells"].ravel().tolist())) == [1, 2]  # one laser-off dwell was bad
    assert data_of(out[0].documents, "trace") == []
    with pytest.raises(RunError, match="0 raw runs"):
        parse_excluded(runs, "zzz")
    with pytest.raises(RunError, match="has no detector first; it has fpga"):
        parse_excluded(runs, f"{uid}:first")


def test_the_command_excludes_and_revokes(tmp_path):
    passes = two_passes("laser_fluence")
    acquire(tmp_path, passes)
    point, scan_set = f"{passes[0][0][1]['uid'][:12]}:4", passes[0][0][1]["scan_set"]
    run = CliRunner()
    plain = run.invoke(app, ["reduce", scan_set, "--data", str(tmp_path)])
    assert plain.exit_code == 0, plain.output
    without = run.invoke(app, ["reduce", scan_set, "--leave-out", point, "--data", str(tmp_path)])
    assert without.exit_code == 1 and "differ" in without.output  # reported, and nothing is stored without --write
    back = run.invoke(app, ["reduce", scan_set, "--leave-out", point, "--take-back", point, "--data", str(tmp_path)])
    assert back.exit_code == 0, back.output
