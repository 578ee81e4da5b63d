"""Shots through the whole session: files, documents, live reduction; blocks that cannot be read are named."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import bluesky.plans as bp
import epics
import h5py
import numpy as np
import pytest
import typer
from event_model import DocumentNames, schema_validators
from typer.testing import CliRunner

from beamline.bench import files as bench_files
from beamline.cli import app
from beamline.commands.shots import names_of
from beamline.journal import read, run_file, run_files, uid_of
from beamline.runs.store import Run, RunError
from beamline.session import start
from beamline.shots import file as shot_file
from beamline.shots import workers
from beamline.shots.dwells import DwellTask, reduce_dwell
from beamline.shots.file import ShotReader, path_of
from beamline.shots.live import LiveShots
from beamline.shots.workers import WorkersError, reduce_dwells
from reduction.shots.block import BlockError
from reduction.shots.sums import ShotSums
from sim_ioc.shot_file import ShotFile
from tests.beamline.configurations import ENERGIES, configuration
from tests.beamline.shot_files import file_of_shots


@pytest.fixture(scope="module")
def recorded(ioc_pool, tmp_path_factory):
    """A scan of few points whose shots were written, its documents, and what the session said."""
    ioc = ioc_pool.start(speedup=1.0, prefix="simshots:")
    del ioc
    root, said = tmp_path_factory.mktemp("recorded"), []
    config = configuration(root, "simshots:", 1.0, shots={"record": True})
    with start(config, fill_catalogue=False, tell=said.append) as session:
        session.beamline.digitiser.shots_per_block.set(100_000).wait(5)
        uids = session.RE(session.energy_scan(energies=ENERGIES[:3], dwell=0.05, delay=100.0, passes=1)).run_start_uids
        desk = session.shots
    documents = list(read(run_file(root, uids[0])))
    return documents, desk, said


def of(documents, name):
    return [doc for kind, doc in documents if kind == name]


def primary(documents):
    stream = next(doc["uid"] for doc in of(documents, "descriptor") if doc["name"] == "primary")
    return [doc for doc in of(documents, "event") if doc["descriptor"] == stream]


def test_rows_are_named_and_events_say_which_are_theirs(recorded):
    documents, _, _ = recorded
    streams = {doc["name"]: doc for doc in of(documents, "descriptor")}
    assert all(key["external"] == "STREAM:" for key in streams["shots"]["data_keys"].values())
    events = primary(documents)
    assert len(events) == 12
    rows = 0
    for event in events:
        assert event["data"]["first_block"] == rows
        rows += event["data"]["num_blocks"]
    heights = next(doc for doc in of(documents, "stream_resource") if doc["data_key"] == "digitiser_heights")
    named = [doc for doc in of(documents, "stream_datum") if doc["stream_resource"] == heights["uid"]]
    assert [doc["indices"]["start"] for doc in named] == [event["data"]["first_block"] for event in events]
    assert named[-1]["indices"]["stop"] == rows and named[-1]["seq_nums"]["stop"] == rows + 1
    with ShotReader(path_of(heights)) as reader:
        assert reader.num_rows() == rows
    for name, doc in documents:
        if name in ("stream_resource", "stream_datum"):
            schema_validators[DocumentNames[name]].validate(doc)


def test_shots_are_reduced_live_and_agree_with_the_counter(recorded):
    _, desk, said = recorded
    assert (desk.dwells, desk.disagreeing, desk.guard.failure) == (12, 0, None)
    assert not [sentence for sentence in said if "digitiser" in sentence or "DEGRADED" in sentence]
    assert desk.last.agrees()
    for name in ("gates", "hits", "before", "both"):
        ours, theirs = getattr(desk.last.dwell.pairs, name), getattr(desk.last.counted.pairs, name)
        np.testing.assert_array_equal(ours, theirs)
    assert np.isfinite(desk.last.point.difference).all()
    assert (np.diagonal(desk.last.point.difference_covariance) > 0).all()


def check_plain_counts(session, root):
    """Plans of bluesky itself, whatever they list, record the dwells of the counter once."""
    fpga, digitiser = session.beamline.fpga, session.beamline.digitiser
    fpga.preset_time.set(0.02).wait(5)
    for detectors in ([fpga], [digitiser, fpga], [fpga, digitiser]):
        documents = list(read(run_file(root, session.RE(bp.count(detectors, 2)).run_start_uids[0])))
        events, streams = primary(documents), [doc["name"] for doc in of(documents, "descriptor")]
        assert sorted(streams) == ["primary", "shots"]
        heights = next(doc for doc in of(documents, "stream_resource") if doc["data_key"] == "digitiser_heights")
        named = [doc["indices"] for doc in of(documents, "stream_datum") if doc["stream_resource"] == heights["uid"]]
        assert [each["start"] for each in named] == [event["data"]["first_block"] for event in events]
        with ShotReader(path_of(heights)) as reader:
            for event in events:
                first, number = event["data"]["first_block"], event["data"]["num_blocks"]
                shots = sum(reader.block(row).shots.size for row in range(first, first + number))
                assert shots == event["data"]["fpga_gates"].sum() > 0
        assert digitiser._staged.value == "no"


def test_a_full_disk_is_said_and_the_scan_goes_on(ioc_pool, tmp_path):
    ioc_pool.start(speedup=1.0, prefix="simfull:")
    said = []
    config = configuration(tmp_path, "simfull:", 1.0, shots={"record": True})
    with start(config, fill_catalogue=False, tell=said.append) as session:
        check_plain_counts(session, tmp_path)
        epics.caput("simfull:7idd:DIG1:MinFree", 2**30, wait=True)
        uids = session.RE(session.energy_scan(energies=ENERGIES[:3], dwell=0.02, delay=100.0, passes=1)).run_start_uids
        assert "no room" in session.beamline.digitiser.write_message.get()
        assert session.shots.dwells == 0
    documents = list(read(run_file(tmp_path, uids[0])))
    events = primary(documents)
    assert len(events) == 12 and of(documents, "stop")[0]["exit_status"] == "success"
    assert all(event["data"]["num_blocks"] == 0 and event["data"]["fpga_gates"].sum() > 0 for event in events)
    assert events[0]["data"]["shots_dropped"] == events[0]["data"]["fpga_gates"].sum()
    assert any("dropped" in sentence for sentence in said)
    assert sum("writes no shots any more" in sentence for sentence in said) == 1


def test_a_row_is_read_as_it_was_written(tmp_path):
    heights = file_of_shots(tmp_path / "a.h5", valid=700)
    with ShotReader(tmp_path / "a.h5") as reader:
        block = reader.block(1)
        alone = reader.block(2, with_monitor=False)
    np.testing.assert_array_equal(block.shots, heights[1, :700])
    np.testing.assert_array_equal(block.monitor, heights[1, :700])
    assert (block.number, block.first_phase, block.missing) == (1, 1000 % 120, 0)
    assert alone.monitor is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"number": [0, 2, 2]}, "holds block 2"),
        ({"num_valid": [1000, 1001, 1000]}, "1001 valid shots"),
        ({"num_valid": [1000, 0, 1000]}, "0 valid shots"),
        ({"first_phase": [0, 999, 80]}, "first phase 999"),
        ({"missing": [0, 7, 0]}, "begins with phase"),
        ({"chunks": False}, "not there in one piece"),
    ],
)
def test_a_row_that_cannot_be_is_named(tmp_path, wrong, said):
    file_of_shots(tmp_path / "a.h5", **wrong)
    with ShotReader(tmp_path / "a.h5") as reader:
        sums = ShotSums(120, 900)
        with pytest.raises(BlockError, match=said) as failure:
            for row in range(2):
                sums.add(reader.block(row))
    assert "block 1" in str(failure.value) or "block 0" in str(failure.value)


def test_a_row_that_is_not_there_is_named(tmp_path):
    file_of_shots(tmp_path / "a.h5")
    with ShotReader(tmp_path / "a.h5") as reader, pytest.raises(BlockError, match=r"block 3: a\.h5 has 3 rows"):
        reader.block(3)


def test_a_file_cut_short_gives_no_wrong_number(tmp_path):
    """Wherever it is cut: it cannot be opened, or the rows beyond the cut are refused by name."""
    path = tmp_path / "a.h5"
    heights = file_of_shots(path)
    whole = path.read_bytes()
    refused = 0
    for kept in (len(whole) - 1, len(whole) * 3 // 4, len(whole) // 2, 3000):
        path.write_bytes(whole[:kept])
        try:
            with ShotReader(path) as reader:
                for row in range(3):
                    np.testing.assert_array_equal(reader.block(row).shots, heights[row])
        except (BlockError, OSError) as error:
            assert isinstance(error, OSError) or str(error).startswith("block ")
            refused += 1
    assert refused > 0


def test_a_file_whose_writer_died_and_that_was_cut_short_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(shot_file, "WRITER_PATIENCE", 0.1)
    path, copy = tmp_path / "a.h5", tmp_path / "b.h5"
    writer = ShotFile(path, 1000, 120, 0)
    for _ in range(3):
        writer.append(0, 0, np.ones(1000, np.int16), np.ones(1000, np.int16))
    shutil.copy(path, copy)
    with ShotReader(copy) as reader:
        assert reader.num_rows() == 3 and (reader.block(2).shots == 1).all()
    copy.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(OSError, match=r"b\.h5 is cut short: it has \d+ of \d+ bytes"):
        ShotReader(copy)
    writer.close()


def test_what_is_no_file_of_shots_is_refused(tmp_path):
    (tmp_path / "text.h5").write_text("no HDF5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["shots"] = 1
    for name in ("text.h5", "other.h5", "none.h5"):
        with pytest.raises(OSError):
            ShotReader(tmp_path / name)
    with pytest.raises(ValueError, match="names no file"):
        path_of({"uid": "x", "uri": "https://example.org/a.h5"})


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
        # The photon counter and the digitiser have the same photons, so both say the same of the point.
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


def test_passes_over_one_grid_are_summed(tmp_path):
    bench_files.write_file(tmp_path / "a.h5", np.full(6000, 2000, np.int16), 1)
    documents, published = bench_files.documents(tmp_path / "a.h5"), []
    live = LiveShots(1000, beside=lambda stream, data, units: published.append(data))
    for uid, scan_set in (("one", "a"), ("two", "a"), ("three", "b")):
        start = documents["start"] | {"uid": uid, "scan_set": scan_set}
        for name, doc in (documents | {"start": start}).items():
            live(name, doc)
        live("stop", {})
    assert [data["dwells_on"] for data in published] == [1, 2, 1]
    assert [data["hits"].sum() for data in published] == [6000] * 3


def test_a_damaged_block_is_left_out_and_named(recorded, tmp_path):
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
    assert reduce_dwell(replace(task, path=str(tmp_path / "none.h5"))).counts is None


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
        np.testing.assert_array_equal(here.counts.pairs.both, there.counts.pairs.both)
        np.testing.assert_array_equal(here.counts.hits, there.counts.hits)


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setattr(workers, "SCHEDULER_TIMEOUT", 0.5)
    with pytest.raises(WorkersError, match=r"127\.0\.0\.1:9 does not answer"):
        reduce_dwells([], 1, "tcp://127.0.0.1:9", lambda done, all_of: None)


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
