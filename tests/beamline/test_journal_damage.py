"""Damage costs what was damaged: every whole document is read, what is missing is named, and writing goes on."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest

from beamline.records.journal import Journal, JournalError, read, read_with_problems, repair, run_file, run_files, seal
from beamline.records.journal.fitness import count_events, lacking
from beamline.records.journal.format import frame
from beamline.records.journal.read import RunReader
from tests.beamline.example_runs import Documents, announced, raw_run, reduced_run, same, uid_of_run


def written(root: Path, documents: Documents) -> tuple[Path, list[int]]:
    """The file of a run, and the offset after each of its documents."""
    journal = Journal(root, min_free_bytes=0)
    ends = []
    for name, doc in documents:
        journal(name, doc)
        ends.append(run_file(root, uid_of_run(documents)).stat().st_size)
    journal.close()
    return run_file(root, uid_of_run(documents)), ends


def test_a_single_bit_costs_a_single_document(tmp_path: Path) -> None:
    documents = raw_run(212)
    path, ends = written(tmp_path, documents)
    content = path.read_bytes()
    rng = random.Random(14)
    for _ in range(50):
        position = rng.randrange(ends[1], len(content))
        damaged = bytearray(content)
        damaged[position] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        hit = sum(end <= position for end in ends)
        found, problems = read_with_problems(path)
        kept = [item for number, item in enumerate(documents) if number != hit]
        orphans = documents[hit][0] == "descriptor"
        assert same(found, kept)
        assert len(problems) == 1 and path.name in problems[0]
        assert bool(lacking(found)) == (documents[hit][0] != "stop"), (orphans, hit)


def test_what_is_missing_is_named_by_stream_and_number(tmp_path: Path) -> None:
    documents = raw_run(53)
    path, ends = written(tmp_path, documents)
    content = bytearray(path.read_bytes())
    content[ends[3 + 39] + 200] ^= 4  # documents: start, two descriptors, a baseline, then the events from number 1
    path.write_bytes(content)
    found, _ = read_with_problems(path)
    assert lacking(found) == ["1 of 53 events of primary (number 40)"]
    assert count_events(found)["primary"] == 52
    result = repair(path)
    assert result.lacks == ("1 of 53 events of primary (number 40)",)
    again, problems = read_with_problems(path)
    assert same(again, found)
    assert len(problems) == 1 and str(result.set_aside and result.set_aside.name) in problems[0]


def test_a_lost_descriptor_takes_its_events_along(tmp_path: Path) -> None:
    documents = raw_run(5)
    path, ends = written(tmp_path, documents)
    content = bytearray(path.read_bytes())
    content[ends[1] + 50] ^= 1  # the descriptor of the stream primary
    path.write_bytes(content)
    found, _ = read_with_problems(path)
    assert lacking(found) == [
        "the descriptor of 5 events",
        "5 of 5 events of primary (number 1 to 5)",
    ]
    streams = [doc["name"] for name, doc in read(path) if name == "descriptor"]
    assert streams == ["baseline"]
    assert sum(name == "event" for name, _ in read(path)) == 2


def test_damage_over_many_megabytes_is_passed_over(tmp_path: Path) -> None:
    documents = reduced_run(6, energies=400)
    path, ends = written(tmp_path, documents)
    content = bytearray(path.read_bytes())
    journal_of_others = raw_run(3, seed=2)
    content[ends[3] : ends[3]] = bytes(9_000_000)  # a hole, as a file system may leave
    path.write_bytes(bytes(content) + b"".join(frame(*item) for item in journal_of_others[3:4]))
    found, problems = read_with_problems(path)
    assert same(found[: len(documents)], documents)
    assert "9000000 bytes" in problems[0]


def test_a_writer_that_cuts_back_and_continues_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader's piece holds the half record of before; the next whole one is in it already."""
    documents = raw_run(6)
    path, ends = written(tmp_path, documents)
    content = path.read_bytes()
    stale = bytearray(content)
    stale[ends[4] + 20 : ends[4] + 60] = bytes(40)
    pread, seen = os.pread, []

    def first_stale(descriptor: int, size: int, offset: int) -> bytes:
        seen.append(offset)
        return bytes(stale[offset : offset + size]) if len(seen) <= 2 else pread(descriptor, size, offset)

    reader = RunReader(path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", first_stale)
        found = reader.next_documents()
    found += list(reader.documents())
    assert same(found, documents)
    assert reader.problems == []


def test_a_run_continues_after_damage_was_sealed(tmp_path: Path) -> None:
    documents = raw_run(8)
    path, ends = written(tmp_path, documents[:-1])
    content = bytearray(path.read_bytes())
    content[ends[5] + 100] ^= 1
    path.write_bytes(bytes(content) + frame(*documents[-1])[:-9])
    (sealed,) = seal(tmp_path)
    assert sealed.num_events == {"baseline": 2, "primary": 7}
    stop = read(path)[-1][1]
    assert path.name + ".damaged-1" in stop["reason"]
    assert seal(tmp_path) == []
    journal = Journal(tmp_path, min_free_bytes=0)
    after = raw_run(3, seed=3)
    announced(journal, after)
    journal.close()
    assert same(read(run_file(tmp_path, uid_of_run(after))), after)


UNFIT: list[tuple[str, dict[str, Any], str]] = [
    ("event", {"seq_num": None}, "its seq_num is no number"),
    ("event", {"seq_num": -1}, "its seq_num is no number"),
    ("event", {"time": float("nan")}, "its time is no time"),
    ("event", {"data": 5}, "its data is no mapping"),
    ("stop", {"num_events": {"primary": "many"}}, "its num_events is no mapping of numbers"),
    ("start", {"uid": 7}, "its uid is no text"),
    ("start", {"time": float("inf")}, "its time is no time"),
]


@pytest.mark.parametrize(("name", "change", "why"), UNFIT)
def test_an_unusable_document_is_skipped_by_name(tmp_path: Path, name: str, change: dict[str, Any], why: str) -> None:
    documents = raw_run(3)
    path, _ = written(tmp_path, documents[:1])
    number = next(i for i, (kind, _) in enumerate(documents) if kind == name)
    bad = documents[number][1] | change
    with path.open("ab") as file:
        file.write(frame(name, bad))
        for item in documents[1:]:
            file.write(frame(*item))
    found, problems = read_with_problems(path)
    assert same(found, documents)
    assert len(problems) == 1 and why in problems[0]


def test_rows_of_a_file_are_counted_without_being_listed(tmp_path: Path) -> None:
    documents = raw_run(1)
    descriptor = next(doc["uid"] for name, doc in documents if name == "descriptor")
    rows = {"start": 1, "stop": 500_000_001}
    datum = {"descriptor": descriptor, "seq_nums": rows, "indices": {"start": 0, "stop": 500_000_000}}
    assert count_events([*documents, ("stream_datum", datum)]) == {"baseline": 500_000_000, "primary": 1}


def test_what_is_only_called_like_a_run_is_left_alone(tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_bytes(b"TRXAS-J1 and then what a user wrote")
    root = tmp_path / "root"
    path, _ = written(root, raw_run(2)[:-1])
    folder = root / "journal"
    names = {kind: folder / f"2020-01-01T000000.000_{kind * 8}.trxas" for kind in ("1a", "2b", "3c", "4d")}
    names["1a"].symlink_to(outside)
    names["2b"].symlink_to(root / "not there")
    names["3c"].mkdir()
    os.mkfifo(names["4d"])
    sentences: list[str] = []
    (sealed,) = seal(root, sentences.append)
    assert sealed.path == path
    assert run_files(root) == [path]
    assert len(sentences) == 4 and all(str(each) in "\n".join(sentences) for each in names.values())
    for each in names.values():
        with pytest.raises(JournalError):
            repair(each)
        assert list(RunReader(each).documents()) == []
    assert outside.read_bytes() == b"TRXAS-J1 and then what a user wrote"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["outside.txt", "root"]


def test_a_file_of_another_user_keeps_no_session_from_starting(tmp_path: Path) -> None:
    path, _ = written(tmp_path, raw_run(2)[:-1])
    other, _ = written(tmp_path, raw_run(2, seed=1)[:-1])
    if os.geteuid() == 0:
        os.chown(path, 65534, -1)  # root may open everything
    else:
        path.chmod(0)
    before = path.stat().st_size
    sentences: list[str] = []
    (sealed,) = seal(tmp_path, sentences.append)
    assert sealed.path == other
    assert str(path) in sentences[0]
    assert path.stat().st_size == before
