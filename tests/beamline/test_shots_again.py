"""Later reduction of shots: as live, from files alone, by one process or many; bit-identical."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import h5py
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from beamline.app.cli import app
from beamline.app.commands.shots import names_of
from beamline.records.journal import read, run_files, uid_of
from beamline.records.runs.run import Run, RunError
from beamline.records.runs.shot_store import ShotStore
from beamline.records.shot_files.dwells import DwellTask, reduce_dwell
from beamline.records.shot_files.file import ShotReader, path_of
from beamline.records.shot_files.live import LiveShots
from beamline.records.shot_files.workers import reduce_dwells
from beamline.records.workers import cluster
from beamline.records.workers.cluster import WorkersError
from beamline.studies.bench import files as bench_files
from tests.beamline.catalogue_writing import write_catalogue
from tests.beamline.recorded_shots import of, primary
from tests.helpers.dask_processes import dask_scheduler, dask_worker


def reduce(root, *options):
    return CliRunner().invoke(app, ["reduce", "last", "--shots", "--data", str(root), *options])


def test_reducing_from_shots_gives_the_live_numbers_again(recorded):
    """To the bit, since shots and counter have the same photons; and with two processes as with one."""
    documents, _, _ = recorded
    root = Path(path_of(of(documents, "stream_resource")[0])).parents[1]
    alone = reduce(root, "--workers", "1")
    assert alone.exit_code == 0, alone.output
    assert "left out" not in alone.output
    two = reduce(root, "--workers", "2")
    assert two.exit_code == 0, two.output
    assert two.output.splitlines()[-1] == alone.output.splitlines()[-1]


class Stored:
    """A store of one run, as the catalogue has it: its events have no uid."""

    name = "stored"

    def __init__(self, documents):
        self._documents = documents

    def documents(self, uid):
        for name, doc in self._documents:
            yield name, {key: value for key, value in doc.items() if name != "event" or key != "uid"}


def test_events_without_uid_get_the_counts_of_their_shots(recorded):
    documents, _, _ = recorded
    counted = [doc["data"] for doc in primary(documents)]
    wrong = [(name, {**doc, "data": {**doc["data"], "fpga_counts": 0}} if name == "event" else doc)
             for name, doc in documents]  # fmt: skip
    store = ShotStore(Stored(wrong), 1000, lambda tasks: [reduce_dwell(task) for task in tasks])
    found = [doc["data"] for doc in primary(list(store.documents("any")))]
    for event, before in zip(found, counted, strict=True):
        np.testing.assert_array_equal(event["fpga_counts"], before["fpga_counts"])


@pytest.mark.parametrize("digitised", [True, False])
def test_shots_are_those_of_the_counter_that_the_digitiser_records(recorded, digitised):
    """The second of two, or by default the first; the other keeps its counts."""
    documents, _, _ = recorded
    entries = {name: {"kind": "counter", "device": device} for name, device in (("a", "other"), ("b", "fpga"))}
    entries["b"] |= {"digitised": True} if digitised else {}
    two = []
    for name, doc in documents:
        if name == "start":
            doc = {**doc, "detectors": entries}
        elif name == "event" and "fpga_counts" in doc["data"]:
            zeros = {f"{device}_{kind}": 0 for device in ("fpga", "other") for kind in ("counts", "gates")}
            doc = {**doc, "data": {**doc["data"], **zeros}}
        two.append((name, doc))
    store = ShotStore(Stored(two), 1000, lambda tasks: [reduce_dwell(task) for task in tasks])
    found = [doc["data"] for doc in primary(list(store.documents("any")))]
    seen, other = ("fpga", "other") if digitised else ("other", "fpga")
    for event, before in zip(found, [doc["data"] for doc in primary(documents)], strict=True):
        np.testing.assert_array_equal(event[f"{seen}_counts"], before["fpga_counts"])
        assert event[f"{other}_counts"] == 0


@pytest.mark.long
def test_from_the_catalogue_shots_give_the_live_numbers_too(recorded, tmp_path, catalogue):
    documents, _, _ = recorded
    root = path_of(of(documents, "stream_resource")[0]).parents[1]
    shutil.copytree(root / "journal", tmp_path / "journal")
    assert write_catalogue(tmp_path, catalogue)
    shutil.rmtree(tmp_path / "journal")
    messages = reduce(tmp_path, "--from", "catalogue", "--workers", "1")
    assert messages.exit_code == 0, messages.output
    assert "left out" not in messages.output and "agree to the bit" in messages.output


def reduce_as_live(root, *options):
    return CliRunner().invoke(app, ["reduce", "last", "--data", str(root), *options])


def test_shots_are_in_the_reduced_run_and_come_back_to_the_bit(recorded):
    documents, desk, _ = recorded
    path = path_of(of(documents, "stream_resource")[0])
    root = path.parents[1]
    raw = of(documents, "start")[0]
    assert raw["shot_threshold"] == 1000
    reduced = next(list(read(each)) for each in run_files(root) if uid_of(each) != raw["uid"])
    assert of(reduced, "start")[0]["analysis_of"] == raw["uid"]
    stream = next(doc for doc in of(reduced, "descriptor") if doc["name"] == "shots")
    events = [doc["data"] for doc in of(reduced, "event") if doc["descriptor"] == stream["uid"]]
    points = next(doc for doc in of(reduced, "descriptor") if doc["name"] == "points")
    counted = [doc["data"] for doc in of(reduced, "event") if doc["descriptor"] == points["uid"]]
    assert len(events) == len(counted) == 12
    for shots, counts, event in zip(events, counted, primary(documents), strict=True):
        assert shots["agrees"] == 1 and shots["shots"] == event["data"]["fpga_gates"].sum()
        # The photon counter and the digitiser have the same photons, so both give the same point.
        for key in ("on", "on_stddev", "off", "difference", "difference_covariance"):
            np.testing.assert_array_equal(shots[key], counts[key])
    np.testing.assert_array_equal(events[-1]["difference"], desk.last.point.difference)
    assert (events[-1]["difference_stddev"] > 0).all() and (events[-1]["height_stddev"] > 0).all()
    again = reduce_as_live(root)
    assert again.exit_code == 0 and "agree to the bit" in again.output, again.output
    moved = path.rename(path.with_suffix(".moved"))
    without = reduce_as_live(root)
    moved.rename(path)
    assert without.exit_code == 0 and "are not reduced again" in without.output and path.name in without.output
    number = [int(re.search(r"all (\d+) events", each.output)[1]) for each in (again, without)]
    assert number[0] == number[1] + 12


EVERY_SECOND_PATTERN = np.where(np.arange(6000) // 120 % 2, 2000, 0).astype(np.int16)
"""Heights of 50 patterns of 120 phases, of which every second one hits: gates that are all hit would not count."""


def test_passes_over_one_grid_are_summed(tmp_path):
    bench_files.write_file(tmp_path / "a.h5", EVERY_SECOND_PATTERN, 1)
    documents, published = bench_files.documents(tmp_path / "a.h5"), []
    live = LiveShots(1000, beside=lambda stream, data, units: published.append(data))
    for uid, scan_set in (("one", "a"), ("two", "a"), ("three", "b")):
        start = documents["start"] | {"uid": uid, "scan_set": scan_set}
        for name, doc in (documents | {"start": start}).items():
            live(name, doc)
        live("stop", {})
    assert [data["dwells_on"] for data in published] == [1, 2, 1]
    assert [data["hits"].sum() for data in published] == [3000] * 3


def test_passes_whose_slots_have_other_delays_are_not_summed(tmp_path):
    """Of 120 bunches one stands apart from a close train: the delays of the slots depend on which bunch is pumped."""
    bench_files.write_file(tmp_path / "a.h5", EVERY_SECOND_PATTERN, 1)
    documents, published = bench_files.documents(tmp_path / "a.h5"), []
    live = LiveShots(1000, beside=lambda stream, data, units: published.append(data))
    places = [0.0, *np.linspace(0.5, 0.9, 119)]
    for uid, laser_phase in (("one", 0), ("two", 0), ("three", 1)):
        timing = documents["descriptor"]["configuration"]["timing"]["data"] | {
            "timing_num_bunches": 120, "timing_laser_divider": 120, "timing_bunch_places": places,
            "timing_laser_phase": laser_phase,
        }  # fmt: skip
        descriptor = documents["descriptor"] | {"configuration": {"timing": {"data": timing}}}
        data = documents["event"]["data"] | {"laser_phase": laser_phase}
        run = documents | {"start": documents["start"] | {"uid": uid}, "descriptor": descriptor}
        for name, doc in (run | {"event": documents["event"] | {"data": data}}).items():
            live(name, doc)
        live("stop", {})
    assert [data["dwells_on"] for data in published] == [1, 2, 1]


def test_a_damaged_block_is_excluded_and_named(recorded, tmp_path):
    documents, _, _ = recorded
    path = path_of(of(documents, "stream_resource")[0])
    other = tmp_path / path.name
    shutil.copy(path, other)
    with h5py.File(other, "r+") as file:
        file["shots/num_valid"][4] = 0
    event = primary(documents)[1]["data"]
    assert event["first_block"] <= 4 < event["first_block"] + event["num_blocks"]
    task = DwellTask(str(other), event["first_block"], event["num_blocks"], 120, 1000)
    damaged, whole = reduce_dwell(task), reduce_dwell(replace(task, path=str(path)))
    assert len(damaged.left_out) == 1 and "block 4: 0 valid shots" in damaged.left_out[0]
    with ShotReader(path) as reader:
        missing = reader.block(4).shots.size
    assert whole.counts.shots - damaged.counts.shots == missing
    nothing = reduce_dwell(replace(task, path=str(tmp_path / "none.h5")))
    last = task.first + task.number - 1
    assert nothing.counts is None and f"none.h5, blocks {task.first} to {last}: " in nothing.left_out[0]


def test_results_come_in_the_order_of_tasks_whatever_the_workers(recorded):
    documents, _, _ = recorded
    path = str(path_of(of(documents, "stream_resource")[0]))
    events = [event["data"] for event in primary(documents)]
    tasks = [DwellTask(path, event["first_block"], event["num_blocks"], 120, 1000) for event in events]
    seen = []
    one = reduce_dwells(tasks, 1, None, lambda done, all_of: seen.append((done, all_of)))
    two = reduce_dwells(tasks, 2, None, lambda done, all_of: None)
    assert seen == [(number, 12) for number in range(1, 13)]
    for here, there, event in zip(one, two, events, strict=True):
        np.testing.assert_array_equal(here.counts.hits, event["fpga_counts"])
        np.testing.assert_array_equal(here.counts.pairs.coincidences, there.counts.pairs.coincidences)
        np.testing.assert_array_equal(here.counts.hits, there.counts.hits)


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setattr(cluster, "SCHEDULER_TIMEOUT", 0.5)
    with pytest.raises(WorkersError, match=r"127\.0\.0\.1:9 does not reply"):
        reduce_dwells([], 1, "tcp://127.0.0.1:9", lambda done, all_of: None)


@pytest.fixture
def scheduler():
    with dask_scheduler() as address:
        yield address


@pytest.mark.long
def test_a_scheduler_and_its_workers_give_the_same_bits(recorded, scheduler, monkeypatch):
    documents, _, _ = recorded
    root = path_of(of(documents, "stream_resource")[0]).parents[1]
    with monkeypatch.context() as patch:
        patch.setattr(cluster, "SCHEDULER_TIMEOUT", 20.0)
        nobody = reduce(root, "--scheduler", scheduler)
        assert isinstance(nobody.exception, WorkersError) and "has no workers" in str(nobody.exception)
    alone = reduce(root, "--workers", "1")
    with dask_worker(scheduler), dask_worker(scheduler):
        there = reduce(root, "--scheduler", scheduler)
    assert there.exit_code == 0, there.output
    assert there.output.splitlines()[-1] == alone.output.splitlines()[-1]


@pytest.mark.long
@pytest.mark.timeout(900)
def test_ten_gigabytes_are_reduced_in_little_memory_to_the_same_bits(tmp_path):
    if shutil.disk_usage(tmp_path).free < 15e9:
        pytest.skip("needs 10 GB of disk")
    command = [sys.executable, "-m", "tests.benchmarks.shots_memory", "--workers", "1", "2", "3"]
    messages = subprocess.run([*command, "--folder", str(tmp_path)], capture_output=True, text=True, check=True).stdout
    print(messages)
    peaks = [float(number) for line in messages.splitlines() for number in re.findall(r"(\d+)(?:,| MB)", line)]
    assert len(peaks) >= 6 and max(peaks) < 300
    assert messages.count("block 3: 0 valid shots") == 3 and messages.endswith("the same bits\n")


def test_a_range_of_time_chooses_scan_sets():
    runs = [
        Run({"uid": f"u{number}", "time": 1000.0 * number, "scan_set": f"s{number // 2}"}, None) for number in range(6)
    ]
    at = datetime.fromtimestamp
    assert names_of(runs, "all", None, None) == ["s0", "s1", "s2"]
    assert names_of(runs, "all", at(2000), at(4000)) == ["s1"]
    assert names_of(runs, "u3", None, None) == ["u3"]
    with pytest.raises(typer.BadParameter, match="with the name all"):
        names_of(runs, "u3", at(0), None)
    with pytest.raises(RunError, match="no scan set began"):
        names_of(runs, "all", at(9000), None)
