"""The catalogue holds what was announced, exactly once, despite interruptions."""

from __future__ import annotations

import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from rich.console import Console

from beamline.records.catalogue.client import list_runs, read_stream
from beamline.records.catalogue_writer.lag import catalogue_lag
from beamline.records.catalogue_writer.loop import CatalogueWriter
from beamline.records.catalogue_writer.status import read_status
from beamline.records.journal import repair, run_file, seal
from beamline.studies.demo import _wait_for_catalogue
from tests.beamline.catalogue_writing import Announce, Open, write_catalogue
from tests.beamline.example_runs import events_of, interleaved, raw_run, reduced_run, uid_of_run
from tests.beamline.expected_catalogue import assert_holds, assert_holds_run


def drive(writer: CatalogueWriter, until: Callable[[], bool], timeout: float = 60.0) -> bool:
    """Step a catalogue writer by hand until a condition holds."""
    deadline = time.monotonic() + timeout
    while not until() and time.monotonic() < deadline:
        if not writer.step():
            time.sleep(0.01)
    return until()


def test_raw_and_reduced_runs_come_back_as_announced(
    announce: Announce, tmp_path: Path, catalogue: Path, opened: Open
) -> None:
    runs = raw_run(9, seed=1), reduced_run(4, seed=2), raw_run(0, seed=3)
    announce(list(interleaved(*runs)))
    assert write_catalogue(tmp_path, catalogue)
    client = opened(catalogue)
    assert_holds(client, *runs)
    # As others read it: databroker's first interface, and an xarray dataset.
    header = client.v1[uid_of_run(runs[0])]
    assert [name for name, _ in header.documents()].count("event") == 11
    dataset = client.v3[uid_of_run(runs[0])]["primary"].read()
    assert dataset["fpga_counts"].dims[0] == "time"
    expected = [event["data"]["fpga_counts"] for event in events_of(runs[0], "primary")]
    assert np.array_equal(dataset["fpga_counts"], expected)
    assert_holds(client.v2, *runs)


def test_it_agrees_with_the_writer_of_bluesky(
    announce: Announce, tmp_path: Path, catalogue: Path, opened: Open
) -> None:
    """bluesky-tiled-plugins' TiledWriter, another implementation, stores the same values under the same names."""
    from bluesky_tiled_plugins import TiledWriter

    documents, twin = raw_run(4, seed=1), raw_run(4, seed=1)
    for one, other in zip(events_of(documents, "primary"), events_of(twin, "primary"), strict=True):
        other["time"] = one["time"]
    announce(documents)
    assert write_catalogue(tmp_path, catalogue)
    client = opened(catalogue)
    writer = TiledWriter(client, max_array_size=0)
    for name, doc in twin:
        writer(name, doc)
    ours, theirs = (client.v3[uid_of_run(run)]["primary"] for run in (documents, twin))
    assert set(ours.base) == set(theirs.base)
    assert [spec.name for spec in ours.specs] == [spec.name for spec in theirs.specs]
    one, other = ours.read(), theirs.read()
    assert set(one.variables) == set(other.variables)
    for key in one.variables:
        assert one[key].shape == other[key].shape
        assert np.array_equal(one[key], other[key], equal_nan=one[key].dtype.kind == "f"), key


def test_runs_of_the_next_session_do_not_keep_the_writer_of_the_last_one(
    announce: Announce, tmp_path: Path, catalogue: Path, opened: Open
) -> None:
    """It stores what was there when its session ended, found or not; the next writer stores the rest."""
    last, following = raw_run(3, seed=1), raw_run(3, seed=2)
    announce(last)
    writer = CatalogueWriter(tmp_path, catalogue)
    looks = []

    def a_run_begins() -> bool:
        looks.append(None)
        if len(looks) == 1:
            announce(following)
        return False

    assert writer.until_idle(a_run_begins, new_runs=False)
    writer.close()
    assert_holds(opened(catalogue), last)
    assert write_catalogue(tmp_path, catalogue)
    assert_holds(opened(catalogue), last, following)


def test_a_running_run_can_be_read_while_it_grows(
    announce: Announce, tmp_path: Path, catalogue: Path, opened: Open
) -> None:
    documents = raw_run(6)
    uid = uid_of_run(documents)
    writer = CatalogueWriter(tmp_path, catalogue, linger=0.0)
    client = opened(catalogue)
    for number in range(4, len(documents), 3):
        announce(documents[number - 4 if number == 4 else number - 3 : number])
        writer.until_idle(lambda: False)
        stored = events_of(documents[:number], "primary")
        if stored:
            columns = read_stream(client, uid, "primary")
            assert columns["point_index"].tolist() == [event["data"]["point_index"] for event in stored]
            assert np.array_equal(columns["fpga_counts"], [event["data"]["fpga_counts"] for event in stored])
            assert list_runs(client)[0]["stop"] is None
    announce(documents[number:])
    assert writer.until_idle(lambda: False)
    writer.close()
    assert_holds(client, documents)


def test_few_events_wait_for_more_but_not_for_long(announce: Announce, tmp_path: Path, catalogue: Path) -> None:
    documents = raw_run(3)
    writer = CatalogueWriter(tmp_path, catalogue, linger=0.3)
    announce(documents[:-1])
    assert drive(writer, lambda: bool(writer._runs) and all(run.at_rest for run in writer._runs.values()))
    writer.close()


@pytest.mark.long
def test_a_rewind_after_storing_leaves_the_last_event(
    announce: Announce, tmp_path: Path, catalogue: Path, opened: Open
) -> None:
    *documents, stop = raw_run(5)
    announce(documents)
    writer = CatalogueWriter(tmp_path, catalogue, linger=0.0)
    writer.until_idle(lambda: False)
    again = []
    for event in events_of(documents, "primary")[2:]:
        data = event["data"] | {"fpga_counts": event["data"]["fpga_counts"] // 2, "i0": 3.0}
        again.append(("event", event | {"uid": f"{event['uid']}-again", "data": data}))
    announce([*again[:1], *again[1:], stop])
    assert writer.until_idle(lambda: False)
    writer.close()
    assert_holds(opened(catalogue), [*documents, *again, stop])


@pytest.mark.long
def test_documents_after_the_stop_are_stored(announce: Announce, tmp_path: Path, catalogue: Path, opened: Open) -> None:
    *documents, late, stop = raw_run(4)
    announce([*documents, stop])
    writer = CatalogueWriter(tmp_path, catalogue, linger=0.0)
    assert writer.until_idle(lambda: False)
    announce([late, stop])
    assert writer.until_idle(lambda: False)
    writer.close()
    assert_holds(opened(catalogue), [*documents, late, stop])


@pytest.mark.long
def test_an_interrupted_run_is_stored_with_its_seal(
    announce: Announce, tmp_path: Path, catalogue: Path, opened: Open
) -> None:
    from beamline.records.journal import Journal, read

    documents = raw_run(6)
    journal = Journal(tmp_path, min_free_bytes=0)
    for item in documents[:8]:
        journal(*item)
    journal.close()
    writer = CatalogueWriter(tmp_path, catalogue, linger=0.0)
    assert writer.until_idle(lambda: False)
    path = run_file(tmp_path, uid_of_run(documents))
    with path.open("ab") as file:
        file.write(b"half a record")
    assert writer.until_idle(lambda: False)
    seal(tmp_path)
    assert writer.until_idle(lambda: False)
    writer.close()
    assert_holds(opened(catalogue), read(path))
    assert list_runs(opened(catalogue))[0]["stop"]["exit_status"] == "abort"


@pytest.mark.long
def test_what_does_not_fit_is_named_and_stops_nothing(
    announce: Announce, tmp_path: Path, catalogue: Path, opened: Open
) -> None:
    bad, good = raw_run(4, seed=1), raw_run(4, seed=2)
    event = events_of(bad, "primary")[1]
    event["data"]["fpga_counts"] = np.arange(7)
    announce(list(interleaved(bad, good)))
    assert write_catalogue(tmp_path, catalogue)
    status = read_status(tmp_path)
    assert status is not None
    (problem,) = status.left_out[uid_of_run(bad)]
    assert "event 2" in problem and "(7,)" in problem
    client = opened(catalogue)
    assert_holds_run(client, good)
    assert_holds_run(client, [item for item in bad if item[1] is not event])
    assert client[uid_of_run(bad)].metadata["notes"] == [problem]


@pytest.mark.long
def test_a_run_that_tiled_refuses_stops_no_other(
    announce: Announce, tmp_path: Path, catalogue: Path, opened: Open
) -> None:
    refused, good = raw_run(2, seed=1), raw_run(2, seed=2)
    for name, doc in refused:  # two columns that differ in case alone are one to SQL
        for keys in (doc.get("data_keys", {}), doc.get("data", {}), doc.get("timestamps", {})):
            if "i0" in keys:
                keys["I0"] = keys["i0"]
        assert name
    announce(refused)
    announce(good)
    assert not write_catalogue(tmp_path, catalogue)
    status = read_status(tmp_path)
    assert status is not None
    assert list(status.failing) == [uid_of_run(refused)]
    assert status.failing[uid_of_run(refused)]
    assert_holds_run(opened(catalogue), good)


def assert_incomplete(root: Path, catalogue: Path, uid: str, why: str) -> None:
    """`trxas list` and the demo name the run, with the reason."""
    demo, config = StringIO(), Mock(data=Mock(root=root, catalogue_address=catalogue))
    _wait_for_catalogue(config, Console(file=demo, width=1000))
    for sentence in (catalogue_lag(root, catalogue), demo.getvalue()):
        assert "Incomplete in the catalogue" in sentence and uid[:8] in sentence and why in sentence


@pytest.mark.parametrize("to_the_end", [False, True])
def test_a_damaged_file_is_stored_as_far_as_it_is_whole(
    announce: Announce, tmp_path: Path, catalogue: Path, opened: Open, to_the_end: bool
) -> None:
    """A damaged record costs itself alone; where the stop document is damaged too, the run counts as interrupted."""
    documents = raw_run(6)
    announce(documents)
    path = run_file(tmp_path, uid_of_run(documents))
    content = bytearray(path.read_bytes())
    for place in range(-1500, 0) if to_the_end else [-1500]:  # in the last large event
        content[place] ^= 0xFF
    path.write_bytes(content)
    writer = CatalogueWriter(tmp_path, catalogue, linger=0.0)
    writer.until_idle(lambda: False)
    status = read_status(tmp_path)
    assert status is not None
    assert "damaged" in status.left_out[uid_of_run(documents)][0]
    if not to_the_end:  # else the run waits for its seal
        assert_incomplete(tmp_path, catalogue, uid_of_run(documents), "are damaged")
    kept = repair(path).documents
    seal(tmp_path)
    assert writer.until_idle(lambda: False)
    writer.close()
    (held,) = list_runs(opened(catalogue))
    if to_the_end:
        assert held["stop"]["reason"].startswith("interrupted")
    else:
        assert held["stop"] == documents[-1][1]
    assert len(documents) > kept > 3
