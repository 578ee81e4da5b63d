"""Shots through a complete session: files, documents, live reduction; unreadable blocks are named."""

from __future__ import annotations

import re
import shutil

import bluesky.plans as bp
import epics
import h5py
import numpy as np
import pytest
from event_model import DocumentNames, schema_validators

from beamline.records.journal import read, run_file
from beamline.records.shot_files import file as shot_file
from beamline.records.shot_files.dwells import DwellTask, reduce_dwell
from beamline.records.shot_files.file import ShotReader, path_of
from beamline.session.session import start
from reduction.shots.block import BlockError
from reduction.shots.sums import ShotSums
from sim_ioc.instruments.shot_file import ShotFile
from tests.beamline.configurations import ENERGIES, configuration
from tests.beamline.recorded_shots import of, primary
from tests.beamline.shot_files import file_of_shots


def test_rows_are_referenced_and_events_have_their_block_numbers(recorded):
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
    _, desk, messages = recorded
    assert (desk.dwells, desk.disagreeing, desk.guard.failure) == (12, 0, None)
    assert not [sentence for sentence in messages if "digitiser" in sentence or "DEGRADED" in sentence]
    assert desk.last.agrees()
    for name in ("gates", "hits", "previous_hits", "coincidences"):
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
        assert streams.count("primary") == streams.count("shots") == 1
        heights = next(doc for doc in of(documents, "stream_resource") if doc["data_key"] == "digitiser_heights")
        named = [doc["indices"] for doc in of(documents, "stream_datum") if doc["stream_resource"] == heights["uid"]]
        assert [each["start"] for each in named] == [event["data"]["first_block"] for event in events]
        with ShotReader(path_of(heights)) as reader:
            for event in events:
                first, number = event["data"]["first_block"], event["data"]["num_blocks"]
                shots = sum(reader.block(row).shots.size for row in range(first, first + number))
                assert shots == event["data"]["fpga_gates"].sum() > 0
        assert digitiser._staged.value == "no"


def test_a_full_disk_is_reported_and_the_scan_continues(ioc_pool, tmp_path):
    ioc_pool.start(speedup=1.0, prefix="simfull:")
    messages = []
    config = configuration(tmp_path, "simfull:", 1.0, shots={"record": True})
    with start(config, fill_catalogue=False, notify=messages.append) as session:
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
    assert any("dropped" in sentence for sentence in messages)
    assert sum("has stopped writing shots" in sentence for sentence in messages) == 1


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
    ("wrong", "messages"),
    [
        ({"number": [0, 2, 2]}, "holds block 2"),
        ({"num_valid": [1000, 1001, 1000]}, "1001 valid shots"),
        ({"num_valid": [1000, 0, 1000]}, "0 valid shots"),
        ({"first_phase": [0, 999, 80]}, "first phase 999"),
        ({"missing": [0, 7, 0]}, "begins with phase"),
        ({"chunks": False}, "not stored in one piece"),
    ],
)
def test_an_invalid_row_is_named(tmp_path, wrong, messages):
    file_of_shots(tmp_path / "a.h5", **wrong)
    with ShotReader(tmp_path / "a.h5") as reader:
        sums = ShotSums(120, 900)
        with pytest.raises(BlockError, match=messages) as failure:
            for row in range(2):
                sums.add(reader.block(row))
    assert "block 1" in str(failure.value) or "block 0" in str(failure.value)


@pytest.mark.parametrize("kind", ["<u2", ">i2", "<f2"])
def test_rows_of_another_type_are_refused(tmp_path, kind):
    heights = file_of_shots(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        del file["shots/heights"]
        file["shots"].create_dataset("heights", data=np.abs(heights).astype(kind), chunks=(1, 1000))
    with pytest.raises(OSError, match=rf"a\.h5 is not a file of shots: heights is {kind}"):
        ShotReader(tmp_path / "a.h5")


def test_a_file_of_another_pattern_is_refused(tmp_path):
    heights = file_of_shots(tmp_path / "a.h5", rows=2)
    good = reduce_dwell(DwellTask(str(tmp_path / "a.h5"), 0, 2, 120, 900))
    assert not good.left_out and good.counts.shots == heights.size
    wrong = reduce_dwell(DwellTask(str(tmp_path / "a.h5"), 0, 2, 129, 900))
    assert wrong.counts is None
    assert re.search(r"blocks 0 to 1: .*a pattern of 120 phases, the run of 129", wrong.left_out[0])


def test_a_missing_row_is_named(tmp_path):
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
    copy.write_bytes(path.read_bytes()[:8000])  # its writer sets more room aside than its blocks take
    with pytest.raises(OSError, match=r"b\.h5 is truncated: it has \d+ of \d+ bytes"):
        ShotReader(copy)
    writer.close()


def test_a_file_without_shots_is_refused(tmp_path):
    (tmp_path / "text.h5").write_text("no HDF5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["shots"] = 1
    for name in ("text.h5", "other.h5", "none.h5"):
        with pytest.raises(OSError):
            ShotReader(tmp_path / name)
    with pytest.raises(ValueError, match="does not name a file"):
        path_of({"uid": "x", "uri": "https://example.org/a.h5"})
