"""After a crash: every whole document is recovered, the rest is set aside, and cut-off runs are closed by name."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import event_model
import numpy as np
import pytest

from beamline.records.journal import Journal, JournalError, read, repair, run_file, run_files, seal, tail
from beamline.records.journal.format import MAGIC, frame
from tests.beamline.example_runs import Documents, raw_run, same, uid_of_run

REPOSITORY = Path(__file__).parents[2]


def small_run() -> Documents:
    """A run of some hundred bytes, so that every byte can be tried."""
    run = event_model.compose_run(metadata={"plan_name": "count"})
    keys = {"x": {"dtype": "array", "shape": [3], "source": "test", "dtype_numpy": "<i2"}}
    stream = run.compose_descriptor(name="primary", data_keys=keys)
    documents: Documents = [("start", dict(run.start_doc)), ("descriptor", dict(stream.descriptor_doc))]
    for number in range(3):
        array = np.arange(3, dtype="<i2") + number
        documents.append(
            ("event", dict(stream.compose_event(data={"x": array}, timestamps={"x": 1.0}, validate=False)))
        )
    documents.append(("stop", dict(run.compose_stop())))
    return documents


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, Documents, list[int]]:
    """A finished run's file, its documents, and the offset after each document."""
    documents = small_run()
    journal = Journal(tmp_path, min_free_bytes=0)
    path, ends = tmp_path, []
    for name, doc in documents:
        journal(name, doc)
        path = run_file(tmp_path, uid_of_run(documents))
        ends.append(path.stat().st_size)
    journal.close()
    return path, documents, ends


def side_files(path: Path) -> list[Path]:
    return sorted(path.parent.glob("*.damaged-*"))


def test_cut_at_any_byte_every_whole_document_is_recovered(written: tuple[Path, Documents, list[int]]) -> None:
    path, documents, ends = written
    content = path.read_bytes()
    for cut in range(len(content) + 1):
        path.write_bytes(content[:cut])
        whole = sum(end <= cut for end in ends)
        assert same(read(path), documents[:whole])
        result = repair(path)
        assert result.documents == whole
        assert same(read(path), documents[:whole])
        boundary = ends[whole - 1] if whole else (len(MAGIC) if cut >= len(MAGIC) else 0)
        if cut > boundary:
            assert result.set_aside is not None
            assert result.set_aside.read_bytes() == content[boundary:cut]
            result.set_aside.unlink()
        assert side_files(path) == []


def test_any_flipped_byte_costs_one_document_and_nothing_is_deleted(
    written: tuple[Path, Documents, list[int]],
) -> None:
    path, documents, ends = written
    content = path.read_bytes()
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        hit = sum(end <= position for end in ends) if position >= len(MAGIC) else None
        rest = [item for number, item in enumerate(documents) if number != hit]
        events_left = rest if hit != 1 else [item for item in rest if item[0] != "event"]  # without their descriptor
        assert same(read(path), events_left)
        result = repair(path)
        assert result.documents == len(rest)
        assert bool(result.lacks) == (position >= len(MAGIC) and hit != len(documents) - 1)
        assert result.set_aside is not None
        tail_alone = hit == len(documents) - 1
        assert result.set_aside.read_bytes() == bytes(damaged[ends[-2] :] if tail_alone else damaged)
        result.set_aside.unlink()
        again = repair(path)
        assert (again.documents, again.set_aside) == (len(rest), None)
        assert same(read(path), events_left)


def test_a_repaired_file_can_be_appended_to(written: tuple[Path, Documents, list[int]]) -> None:
    path, documents, ends = written
    for cut in (3, ends[1] + 2, ends[2]):
        path.write_bytes(path.read_bytes()[:cut])
        repair(path)
        journal = Journal(path.parent.parent, min_free_bytes=0)
        for item in documents:
            journal(*item)
        journal.close()
        assert same(read(path)[-len(documents) :], documents)


def test_each_repair_keeps_what_earlier_ones_set_aside(written: tuple[Path, Documents, list[int]]) -> None:
    path, _, _ = written
    for text in (b"first", b"second"):
        with path.open("ab") as file:
            file.write(text)
        repair(path)
    assert [side.read_bytes() for side in side_files(path)] == [b"first", b"second"]
    assert run_files(path.parent) == [path]


def test_zeros_after_a_power_cut_are_no_documents(written: tuple[Path, Documents, list[int]]) -> None:
    path, documents, _ = written
    with path.open("ab") as file:
        file.write(bytes(4096))
    assert same(read(path), documents)
    assert repair(path).documents == len(documents)


def test_a_foreign_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal" / f"2020-01-01T000000.000_{'a' * 32}.trxas"
    path.parent.mkdir()
    path.write_bytes(b"something else altogether")
    assert read(path) == []
    with pytest.raises(JournalError, match="does not begin as a journal file"):
        repair(path)
    sentences: list[str] = []
    assert seal(tmp_path, sentences.append) == []
    assert path.read_bytes() == b"something else altogether"
    assert [path.name in sentence for sentence in sentences] == [True]


def test_a_file_in_use_is_not_repaired(tmp_path: Path) -> None:
    documents = small_run()
    journal = Journal(tmp_path, min_free_bytes=0)
    journal(*documents[0])
    with pytest.raises(JournalError, match="still writing"):
        repair(run_file(tmp_path, uid_of_run(documents)))
    assert seal(tmp_path) == []
    journal.close()
    assert len(seal(tmp_path)) == 1


def test_repair_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no journal file"):
        repair(tmp_path / "x.trxas")
    with pytest.raises(JournalError, match="no journal file"):
        read(tmp_path / "x.trxas")
    assert seal(tmp_path) == []


def test_seal_names_the_run_and_counts_its_events(tmp_path: Path) -> None:
    documents = raw_run(7)
    journal = Journal(tmp_path, min_free_bytes=0)
    for item in documents[:8]:
        journal(*item)
    repeated = documents[7]
    journal("event", repeated[1] | {"uid": "another"})  # retaken after a rewind
    journal.close()
    (sealed,) = seal(tmp_path)
    assert sealed.uid == uid_of_run(documents)
    assert sealed.num_events == {"baseline": 1, "primary": 4}
    assert str(sealed) == f"{sealed.uid[:8]} (energy_scan; 1 baseline, 4 primary)"
    (name, stop) = read(sealed.path)[-1]
    assert name == "stop"
    event_model.schema_validators[event_model.DocumentNames.stop].validate(stop)
    assert stop["exit_status"] == "abort"
    assert stop["reason"].startswith("interrupted")
    assert stop["run_start"] == sealed.uid
    assert stop["num_events"] == sealed.num_events
    assert abs(stop["time"] - time.time()) < 100
    assert seal(tmp_path) == []


def test_seal_leaves_finished_runs_untouched(tmp_path: Path) -> None:
    documents = small_run()
    journal = Journal(tmp_path, min_free_bytes=0)
    for item in (*documents, documents[-2]):  # and an event that came after the stop
        journal(*item)
    journal.close()
    (path,) = run_files(tmp_path)
    before = path.read_bytes()
    assert seal(tmp_path) == []
    assert path.read_bytes() == before


def test_seal_sets_a_half_written_record_aside_first(tmp_path: Path) -> None:
    documents = small_run()
    journal = Journal(tmp_path, min_free_bytes=0)
    for item in documents[:4]:
        journal(*item)
    journal.close()
    (path,) = run_files(tmp_path)
    half = frame(*documents[4])[:-5]
    with path.open("ab") as file:
        file.write(half)
    (sealed,) = seal(tmp_path)
    assert sealed.num_events == {"primary": 2}
    assert same(read(path)[:-1], documents[:4])
    (side,) = side_files(path)
    assert side.read_bytes() == half


def test_a_run_without_a_start_is_no_run(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    folder.mkdir()
    for number, content in enumerate([b"", MAGIC, MAGIC[:3], MAGIC + b"\x05"]):
        (folder / f"2020-01-01T000000.000_{number:032d}.trxas").write_bytes(content)
    sentences: list[str] = []
    assert seal(tmp_path, sentences.append) == seal(tmp_path, sentences.append) == list(tail(tmp_path)) == []
    assert len(sentences) == 2 * 4 and all("no start document that can be read" in each for each in sentences)


def test_a_crafted_length_does_not_exhaust_memory(written: tuple[Path, Documents, list[int]]) -> None:
    path, documents, _ = written
    length = (2**30 - 1).to_bytes(4, "little")
    with path.open("ab") as file:
        file.write(length + zlib.crc32(length).to_bytes(4, "little") + b"x" * 100)
    assert same(read(path), documents)


WRITER = """
import sys
from beamline.records.journal import Journal
from tests.beamline.example_runs import interleaved, raw_run, reduced_run

journal = Journal(sys.argv[1], min_free_bytes=0)
for name, doc in interleaved(raw_run(3000, seed=1), reduced_run(3000, energies=4, seed=2)):
    journal(name, doc)
    print(doc["uid"], flush=True)
"""


def kill_while_writing(root: Path, after: int) -> list[str]:
    """Kill a writer with SIGKILL once it has announced `after` documents; the uids that it announced."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(root)], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    )
    assert process.stdout is not None
    announced = [process.stdout.readline().strip() for _ in range(after)]
    process.send_signal(signal.SIGKILL)
    announced += process.stdout.read().split()
    process.wait()
    process.stdout.close()
    return [uid for uid in announced if len(uid) == 36]


@pytest.mark.parametrize("after", [1, 2, 3, 57, 400])
def test_a_killed_writer_loses_nothing_that_was_announced(tmp_path: Path, after: int) -> None:
    announced = kill_while_writing(tmp_path, after)
    before = {path: read(path) for path in run_files(tmp_path)}
    kept = [doc["uid"] for documents in before.values() for _, doc in documents]
    assert set(announced) <= set(kept)
    assert len(kept) == len(set(kept))
    assert len(kept) <= len(announced) + 1
    sealed = seal(tmp_path)
    assert {run.path for run in sealed} == set(before)
    for path, documents in before.items():
        after_sealing: Any = read(path)
        assert same(after_sealing[:-1], documents)
        assert after_sealing[-1][1]["exit_status"] == "abort"


def test_the_lock_of_a_killed_writer_is_free_though_its_children_live(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys, os, signal\n"
        "from beamline.records.journal import Journal\n"
        "journal = Journal(sys.argv[1], min_free_bytes=0)\n"
        "journal('start', {'uid': 'a' * 32, 'time': 1.0})\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import sys; sys.stdin.read()'], stdin=0, stdout=2)\n"
        "print(child.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    )
    assert process.stdin is not None and process.stdout is not None
    child = int(process.stdout.readline())
    process.wait()
    try:
        os.kill(child, 0)
        assert [run.uid for run in seal(tmp_path)] == ["a" * 32]
    finally:
        process.stdin.close()
        process.stdout.close()
