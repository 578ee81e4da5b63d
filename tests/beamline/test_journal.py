"""The journal stores complete documents, run by run."""

from __future__ import annotations

import logging
import math
import threading
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from beamline.records.journal import (
    DiskFullError,
    Journal,
    JournalError,
    UnwritableValueError,
    read,
    run_file,
    run_files,
)
from tests.beamline.example_runs import (
    Documents,
    announced,
    events_of,
    interleaved,
    raw_run,
    reduced_run,
    same,
    uid_of_run,
)


def test_a_run_is_read_as_it_was_written(journal: Journal, tmp_path: Path) -> None:
    documents = raw_run(5)
    announced(journal, documents)
    assert same(read(run_file(tmp_path, uid_of_run(documents))), documents)


def test_two_open_runs_and_late_streams_do_not_mix(journal: Journal, tmp_path: Path) -> None:
    raw, reduced = raw_run(6, seed=1), reduced_run(3, energies=4, seed=2)
    announced(journal, list(interleaved(raw, reduced)))
    for documents in (raw, reduced):
        assert same(read(run_file(tmp_path, uid_of_run(documents))), documents)
    assert len(run_files(tmp_path)) == 2


def test_pages_and_external_documents_find_their_run(journal: Journal, tmp_path: Path) -> None:
    other = raw_run(1)
    announced(journal, other[:-1])  # still open, so that nothing can be guessed
    start, descriptor, resource, stream = (str(uuid.uuid4()) for _ in range(4))
    documents: Documents = [
        ("start", {"uid": start, "time": 1.0}),
        ("descriptor", {"uid": descriptor, "run_start": start, "name": "shots", "data_keys": {}}),
        ("event_page", {"descriptor": descriptor, "seq_num": [1, 2], "data": {"x": [1, 2]}}),
        ("resource", {"uid": resource, "run_start": start, "spec": "HDF5"}),
        ("datum", {"resource": resource, "datum_id": f"{resource}/0"}),
        ("datum_page", {"resource": resource, "datum_id": [f"{resource}/1"]}),
        ("stream_resource", {"uid": stream, "run_start": start, "data_key": "frames"}),
        ("stream_datum", {"uid": "s/0", "stream_resource": stream, "descriptor": descriptor}),
        ("stream_datum", {"uid": "s/1", "stream_resource": stream, "descriptor": "not announced"}),
        ("stop", {"uid": str(uuid.uuid4()), "run_start": start}),
    ]
    announced(journal, documents)
    assert same(read(run_file(tmp_path, start)), documents)
    assert same(read(run_file(tmp_path, uid_of_run(other))), other[:-1])


def test_duplicates_and_wrong_order_are_kept_as_they_came(journal: Journal, tmp_path: Path) -> None:
    start, *rest = raw_run(4)
    *rest, stop = rest
    documents = [start, *reversed(rest), rest[-1], start, stop, stop, rest[-1]]
    announced(journal, documents)
    assert same(read(run_file(tmp_path, uid_of_run([start]))), documents)
    assert journal.open_runs() == []


def test_a_document_of_no_run_is_refused(journal: Journal) -> None:
    documents = raw_run(2)
    with pytest.raises(JournalError, match="belongs to no open run"):
        journal(*documents[1])
    with pytest.raises(JournalError, match="never seen"):
        journal(*documents[-1])


@pytest.mark.parametrize(
    "uid",
    ["../../etc/passwd", "a/b", "..", "abc", "", "g" * 36, "0" * 65, "01234567\n", "01234567\0", 7, None, "٣" * 36],
)
def test_a_uid_that_could_leave_the_root_is_refused(journal: Journal, tmp_path: Path, uid: Any) -> None:
    before = sorted(tmp_path.parent.rglob("*"))
    with pytest.raises(JournalError, match="hexadecimal"):
        journal("start", {"uid": uid, "time": 1.0})
    assert sorted(tmp_path.parent.rglob("*")) == before


def test_metadata_never_become_part_of_a_path(journal: Journal, tmp_path: Path) -> None:
    documents = raw_run(1, sample="../../../sample", plan_name="../../evil", scan_set="/etc/x")
    documents[0][1]["time"] = "../../../now"
    announced(journal, documents)
    (path,) = run_files(tmp_path)
    assert path.parent == tmp_path / "journal"
    assert same(read(path), documents[1:])  # a start without a time is passed over by name


@pytest.mark.parametrize("moment", [0.0, -5.0, float("nan"), float("inf"), 1e300, True, None, "yesterday"])
def test_any_clock_gives_a_file(journal: Journal, tmp_path: Path, moment: Any) -> None:
    documents = raw_run(1)
    documents[0][1]["time"] = moment
    announced(journal, documents)
    of_use = type(moment) is float and math.isfinite(moment)
    assert same(read(run_file(tmp_path, uid_of_run(documents))), documents if of_use else documents[1:])


def test_names_sort_by_the_time_of_the_start(journal: Journal, tmp_path: Path) -> None:
    runs = [raw_run(0) for _ in range(4)]
    for moment, documents in zip([3.5, 1.25, 86400.0 * 365, 3.499], runs, strict=True):
        documents[0][1]["time"] = moment
        announced(journal, documents)
    order = [uid_of_run(runs[i]) for i in (1, 3, 0, 2)]
    assert [path.name.split("_")[1].removesuffix(".trxas") for path in run_files(tmp_path)] == order


def test_a_refused_value_leaves_the_run_as_it_was(journal: Journal, tmp_path: Path) -> None:
    *documents, stop = raw_run(3)
    announced(journal, documents)
    name, event = documents[-1]
    bad = event | {"data": event["data"] | {"i0": object()}}
    with pytest.raises(UnwritableValueError, match=r"data\.i0"):
        journal(name, bad)
    journal(*stop)
    assert same(read(run_file(tmp_path, uid_of_run(documents))), [*documents, stop])


def test_a_refused_start_takes_its_stop_with_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    journal = Journal(tmp_path, min_free_bytes=2**62)
    (name, start), *_, stop = raw_run(1)
    with pytest.raises(DiskFullError, match=r"Only .* GB are free in .* free some space or lower `min_free_bytes`"):
        journal(name, start)
    with caplog.at_level(logging.WARNING):
        journal(*stop)  # the RunEngine closes what it opened
    assert run_files(tmp_path) == []
    assert "refused" in caplog.text
    journal.min_free_bytes = 0
    journal(name, start)
    journal(*stop)
    journal.close()
    assert same(read(run_file(tmp_path, start["uid"])), [(name, start), stop])


def test_another_process_cannot_write_the_same_run(journal: Journal, tmp_path: Path) -> None:
    documents = raw_run(2)
    announced(journal, documents[:-1])
    other = Journal(tmp_path, min_free_bytes=0)
    with pytest.raises(JournalError, match="Another process is writing"):
        other(*documents[0])
    announced(journal, documents[-1:])
    assert same(read(run_file(tmp_path, uid_of_run(documents))), documents)


def test_a_root_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("a file, where the folder should be")
    with pytest.raises(JournalError, match="cannot use"):
        Journal(tmp_path, min_free_bytes=0)(*raw_run(1)[0])


def test_nothing_is_made_before_the_first_document(tmp_path: Path) -> None:
    threads = threading.active_count()
    Journal(tmp_path / "root").close()
    assert not (tmp_path / "root").exists()
    assert threading.active_count() == threads


def test_threads_may_write_at_once(journal: Journal, tmp_path: Path) -> None:
    runs = [raw_run(20, seed=seed) for seed in range(4)]
    barrier = threading.Barrier(len(runs))

    def work(documents: Documents) -> None:
        barrier.wait()
        announced(journal, documents)

    threads = [threading.Thread(target=work, args=(documents,)) for documents in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for documents in runs:
        assert same(read(run_file(tmp_path, uid_of_run(documents))), documents)


def test_the_run_engine_writes_through_it(journal: Journal, tmp_path: Path) -> None:
    from bluesky import RunEngine
    from bluesky.plans import count
    from ophyd.sim import det

    engine = RunEngine(call_returns_result=False)
    seen: Documents = []
    engine.subscribe(journal)
    engine.subscribe(lambda name, doc: seen.append((name, doc)))
    (uid,) = engine(count([det], num=3), sample="x")
    assert same(read(run_file(tmp_path, uid)), seen)
    assert len(events_of(seen, "primary")) == 3


def test_a_refusing_journal_stops_the_scan_with_its_sentence(tmp_path: Path) -> None:
    from bluesky import RunEngine
    from bluesky.plans import count
    from ophyd.sim import det

    engine = RunEngine()
    engine.subscribe(Journal(tmp_path, min_free_bytes=2**62))
    with pytest.raises(DiskFullError, match="free some space"):
        engine(count([det]))
    assert engine.state == "idle"


def test_event_arrays_stay_independent_of_the_reader(journal: Journal, tmp_path: Path) -> None:
    documents = raw_run(1)
    announced(journal, documents)
    path = run_file(tmp_path, uid_of_run(documents))
    event = events_of(read(path), "primary")[0]
    event["data"]["fpga_counts"][:] = 0  # a reader may work in place
    assert same(read(path), documents)
    assert np.any(events_of(read(path), "primary")[0]["data"]["fpga_counts"])
