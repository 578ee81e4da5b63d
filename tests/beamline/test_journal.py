"""The journal keeps what it is given, whole, run by run."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from beamline.journal import DiskFullError, Journal, JournalError, UnwritableValueError, read, run_file, run_files, tail
from tests.beamline.example_runs import (
    Documents,
    events_of,
    interleaved,
    raw_run,
    reduced_run,
    same,
    uid_of_run,
)

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def journal(tmp_path: Path) -> Any:
    with_little_room = Journal(tmp_path, min_free_bytes=0)
    yield with_little_room
    with_little_room.close()


def write(journal: Journal, documents: Documents) -> None:
    for name, doc in documents:
        journal(name, doc)


def test_a_run_is_read_as_it_was_written(journal: Journal, tmp_path: Path) -> None:
    documents = raw_run(5)
    write(journal, documents)
    assert same(read(run_file(tmp_path, uid_of_run(documents))), documents)


def test_two_open_runs_and_late_streams_do_not_mix(journal: Journal, tmp_path: Path) -> None:
    raw, reduced = raw_run(6, seed=1), reduced_run(3, energies=4, seed=2)
    write(journal, list(interleaved(raw, reduced)))
    for documents in (raw, reduced):
        assert same(read(run_file(tmp_path, uid_of_run(documents))), documents)
    assert len(run_files(tmp_path)) == 2


def test_pages_and_external_documents_find_their_run(journal: Journal, tmp_path: Path) -> None:
    other = raw_run(1)
    write(journal, other[:-1])  # still open, so that nothing can be guessed
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
    write(journal, documents)
    assert same(read(run_file(tmp_path, start)), documents)
    assert same(read(run_file(tmp_path, uid_of_run(other))), other[:-1])


def test_duplicates_and_wrong_order_are_kept_as_they_came(journal: Journal, tmp_path: Path) -> None:
    start, *rest = raw_run(4)
    *rest, stop = rest
    documents = [start, *reversed(rest), rest[-1], start, stop, stop, rest[-1]]
    write(journal, documents)
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
    write(journal, documents)
    (path,) = run_files(tmp_path)
    assert path.parent == tmp_path / "journal"
    assert same(read(path), documents)


@pytest.mark.parametrize("moment", [0.0, -5.0, float("nan"), float("inf"), 1e300, True, None, "yesterday"])
def test_any_clock_gives_a_file(journal: Journal, tmp_path: Path, moment: Any) -> None:
    documents = raw_run(1)
    documents[0][1]["time"] = moment
    write(journal, documents)
    assert same(read(run_file(tmp_path, uid_of_run(documents))), documents)


def test_names_sort_by_the_time_of_the_start(journal: Journal, tmp_path: Path) -> None:
    runs = [raw_run(0) for _ in range(4)]
    for moment, documents in zip([3.5, 1.25, 86400.0 * 365, 3.499], runs, strict=True):
        documents[0][1]["time"] = moment
        write(journal, documents)
    order = [uid_of_run(runs[i]) for i in (1, 3, 0, 2)]
    assert [path.name.split("_")[1].removesuffix(".trxas") for path in run_files(tmp_path)] == order


def test_a_refused_value_leaves_the_run_as_it_was(journal: Journal, tmp_path: Path) -> None:
    *documents, stop = raw_run(3)
    write(journal, documents)
    name, event = documents[-1]
    bad = event | {"data": event["data"] | {"i0": object()}}
    with pytest.raises(UnwritableValueError, match=r"data\.i0"):
        journal(name, bad)
    journal(*stop)
    assert same(read(run_file(tmp_path, uid_of_run(documents))), [*documents, stop])


def test_a_refused_start_takes_its_stop_with_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    journal = Journal(tmp_path, min_free_bytes=2**62)
    (name, start), *_, stop = raw_run(1)
    with pytest.raises(DiskFullError, match=r"Only .* GB are free in .* make room or lower `min_free_bytes`"):
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


def test_free_space_is_asked_again_at_each_start(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = raw_run(1), raw_run(1)
    free = os.statvfs(journal.directory.parent)
    journal.min_free_bytes = free.f_bavail * free.f_frsize // 2
    write(journal, first)
    journal.min_free_bytes = free.f_bavail * free.f_frsize * 2
    with pytest.raises(DiskFullError):
        journal(*second[0])


def test_another_process_cannot_write_the_same_run(journal: Journal, tmp_path: Path) -> None:
    documents = raw_run(2)
    write(journal, documents[:-1])
    other = Journal(tmp_path, min_free_bytes=0)
    with pytest.raises(JournalError, match="Another process is writing"):
        other(*documents[0])
    write(journal, documents[-1:])
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


class Syncs:
    """Counts calls of os.fsync by the size that the file then had."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sizes: list[int] = []
        self._fsync = os.fsync
        monkeypatch.setattr(os, "fsync", self)

    def __call__(self, descriptor: int) -> None:
        self.sizes.append(os.fstat(descriptor).st_size)
        self._fsync(descriptor)


def test_documents_are_synced_within_a_second_and_at_the_stop(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs = Syncs(monkeypatch)
    *documents, stop = raw_run(3)
    write(journal, documents)
    path = run_file(tmp_path, uid_of_run(documents))
    size = path.stat().st_size
    deadline = time.monotonic() + 20
    while size not in syncs.sizes and time.monotonic() < deadline:
        time.sleep(0.01)
    assert size in syncs.sizes
    journal(*stop)
    assert syncs.sizes[-1] == path.stat().st_size > size


def test_a_failed_sync_is_raised_once_and_loses_nothing(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    *documents, last, stop = raw_run(3)
    failed = threading.Event()

    def broken(descriptor: int) -> None:
        failed.set()
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", broken)
        write(journal, documents)
        assert failed.wait(20)
        time.sleep(0.01)
        deadline = time.monotonic() + 20
        while journal._sync._failure is None and time.monotonic() < deadline:
            time.sleep(0.01)
    with pytest.raises(JournalError, match="Input/output error"):
        journal(*last)
    journal(*stop)
    assert same(read(run_file(tmp_path, uid_of_run(documents))), [*documents, last, stop])


class Trickle:
    """An os.write that takes a part, then has no room: what a full disk does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
        self.room = room
        self._write = os.write
        monkeypatch.setattr(os, "write", self)

    def __call__(self, descriptor: int, data: Any) -> int:
        part = bytes(data[: self.room])
        if not part:
            raise OSError(28, "No space left on device")
        self.room -= len(part)
        return self._write(descriptor, part)


@pytest.mark.parametrize("room", [0, 1, 7, 8, 500, 3000])
def test_a_disk_that_fills_leaves_whole_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    journal = Journal(tmp_path, min_free_bytes=0)
    *documents, event, _, stop = raw_run(3)
    write(journal, documents)
    with monkeypatch.context() as patch:
        Trickle(patch, room)
        with pytest.raises(DiskFullError, match=r"No space left on device.*make room"):
            journal(*event)
    assert same(read(run_file(tmp_path, uid_of_run(documents))), documents)
    journal(*stop)  # what the RunEngine says after the error fits into the room of the part
    assert same(read(run_file(tmp_path, uid_of_run(documents))), [*documents, stop])
    journal.close()


@pytest.mark.parametrize("room", [0, 3, 8, 20])
def test_a_disk_that_is_full_at_the_start_leaves_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    journal = Journal(tmp_path, min_free_bytes=0)
    start, *_, stop = raw_run(1)
    with monkeypatch.context() as patch:
        Trickle(patch, room)
        with pytest.raises(DiskFullError):
            journal(*start)
    journal(*stop)
    assert list(tail(tmp_path)) == []
    journal.close()


def test_threads_may_write_at_once(journal: Journal, tmp_path: Path) -> None:
    runs = [raw_run(20, seed=seed) for seed in range(4)]
    barrier = threading.Barrier(len(runs))

    def work(documents: Documents) -> None:
        barrier.wait()
        write(journal, documents)

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
    with pytest.raises(DiskFullError, match="make room"):
        engine(count([det]))
    assert engine.state == "idle"


FILL_UP = """
def fill_up(folder):
    # Another program takes all that is left, to the last byte.
    with (folder / "other").open("wb", buffering=0) as other:
        for size in (4096, 1):
            try:
                while True:
                    other.write(bytes(size))
            except OSError:
                pass
"""

SCAN_ON_A_SMALL_DISK = """
import sys
from pathlib import Path
from bluesky import RunEngine, plan_stubs as bps, preprocessors as bpp
from ophyd import Signal
import numpy as np
from beamline.journal import DiskFullError, Journal, read, run_files

root = Path(sys.argv[1])
engine, journal = RunEngine(), Journal(root, min_free_bytes=0)
engine.subscribe(journal)
counts = Signal(name="counts", value=np.arange(120))

@bpp.run_decorator(md={})
def plan():
    for number in range(5000):
        if number == 50:
            fill_up(root)
        yield from bps.trigger_and_read([counts])

try:
    engine(plan())
except DiskFullError as error:
    print("refused:", error)
(path,) = run_files(root)
documents = read(path)
journal.close()
print(len(documents), documents[-2][0], documents[-1][0], documents[-1][1].get("exit_status"))
print(sum(1 for name, _ in documents if name == "event") == documents[-2][1]["seq_num"])
print(engine.state)
"""

LONG_END_ON_A_SMALL_DISK = """
import sys
from pathlib import Path
from beamline.journal import DiskFullError, Journal, read, run_file
from tests.beamline.example_runs import raw_run, same, uid_of_run

root = Path(sys.argv[1])
journal = Journal(root, min_free_bytes=0)
*documents, event, _, (name, stop) = raw_run(3)
for item in documents:
    journal(*item)
fill_up(root)
try:
    for _ in range(5):  # the last page of a file has some room left
        journal(*event)
        documents.append(event)
except DiskFullError:
    pass
end = (name, stop | {"reason": "long " * 20_000})
journal(*end)
journal.close()
print(same(read(run_file(root, uid_of_run(documents))), [*documents, end]))
"""


def on_a_small_disk(folder: Path, script: str) -> list[str]:
    """Lines that a script prints with a full-able disk of 3 MB as its argument."""
    mount = f"mount -t tmpfs -o size=3m none {folder}"
    namespace = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    if subprocess.run([*namespace, mount], capture_output=True).returncode:
        pytest.skip("this machine does not let a user mount a small disk")
    path = folder.parent / f"{folder.name}.py"
    path.write_text(FILL_UP + script)
    command = f"{mount} && PYTHONPATH={REPOSITORY} exec {sys.executable} -W ignore {path} {folder}"
    done = subprocess.run([*namespace, command], capture_output=True, text=True, cwd=REPOSITORY, timeout=120)
    return done.stdout.splitlines()


def test_a_disk_that_fills_during_a_scan_ends_it_cleanly(tmp_path: Path) -> None:
    refused, counted, complete, state = on_a_small_disk(tmp_path, SCAN_ON_A_SMALL_DISK)
    assert refused.startswith("refused: The journal cannot write")
    assert "No space left on device" in refused
    assert counted.endswith("event stop fail")
    assert int(counted.split()[0]) >= 50
    assert (complete, state) == ("True", "idle")


def test_room_is_kept_back_for_the_end_of_a_run(tmp_path: Path) -> None:
    assert on_a_small_disk(tmp_path, LONG_END_ON_A_SMALL_DISK) == ["True"]


FILL_TO_A_LIMIT = """
import resource, sys
from beamline.journal import DiskFullError, Journal, read, run_file
from tests.beamline.example_runs import raw_run, same, uid_of_run

documents = raw_run(400)
journal = Journal(sys.argv[1], min_free_bytes=0)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_100_000, resource.RLIM_INFINITY))
kept = []
try:
    for item in documents:
        journal(*item)
        kept.append(item)
except DiskFullError as error:
    print(error)
path = run_file(sys.argv[1], uid_of_run(documents))
print(len(kept) > 50, same(read(path), kept), path.stat().st_size < 1_100_000)
"""


def test_a_limit_of_the_system_cuts_between_documents(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FILL_TO_A_LIMIT, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, timeout=120)
    message, verdict = done.stdout.splitlines()
    assert "File too large" in message
    assert verdict == "True True True"


def test_event_arrays_stay_independent_of_the_reader(journal: Journal, tmp_path: Path) -> None:
    documents = raw_run(1)
    write(journal, documents)
    path = run_file(tmp_path, uid_of_run(documents))
    event = events_of(read(path), "primary")[0]
    event["data"]["fpga_counts"][:] = 0  # a reader may work in place
    assert same(read(path), documents)
    assert np.any(events_of(read(path), "primary")[0]["data"]["fpga_counts"])
