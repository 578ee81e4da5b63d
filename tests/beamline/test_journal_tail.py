"""Readers of the journal may start early, late or in the middle, and always see all documents."""

from __future__ import annotations

import logging
import os
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from beamline.records.journal import Journal, read, run_file, tail
from beamline.records.journal.follow import DirectoryReader
from beamline.records.journal.format import frame
from beamline.records.journal.read import CHUNK, RunReader
from tests.beamline.example_runs import Documents, interleaved, raw_run, reduced_run, same, uid_of_run


class Follower:
    """A following tail in a thread, with the moment at which each document came."""

    def __init__(self, root: Path) -> None:
        self.ended = threading.Event()
        self.documents: dict[str, Documents] = defaultdict(list)
        self.moments: dict[str, float] = {}
        self._thread = threading.Thread(target=self._follow, args=(root,))
        self._thread.start()

    def _follow(self, root: Path) -> None:
        for uid, name, doc in tail(root, follow=True, stop=self.ended):
            self.moments[doc["uid"]] = time.monotonic()
            self.documents[uid].append((name, doc))

    def wait_for(self, condition: Callable[[], bool], timeout: float = 30.0) -> bool:
        deadline = time.monotonic() + timeout
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.002)
        return condition()

    def close(self) -> None:
        self.ended.set()
        self._thread.join(30)
        assert not self._thread.is_alive()


@pytest.fixture
def follow() -> Iterator[Callable[[Path], Follower]]:
    """Starts followers that end with the test, however it ends."""
    started: list[Follower] = []

    def start(root: Path) -> Follower:
        started.append(Follower(root))
        return started[-1]

    yield start
    for follower in started:
        follower.close()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path, min_free_bytes=0)
    yield journal
    journal.close()


def count(follower: Follower) -> int:
    return sum(map(len, list(follower.documents.values())))


@pytest.mark.parametrize("join", [0, 1, 7, 100])
def test_early_and_late_readers_see_the_same_whole(
    journal: Journal, tmp_path: Path, join: int, follow: Callable[[Path], Follower]
) -> None:
    runs = raw_run(12, seed=1), reduced_run(6, energies=5, seed=2), raw_run(3, seed=3)
    everything = list(interleaved(*runs))
    follower = None
    for number, item in enumerate(everything):
        if number == join:
            follower = follow(tmp_path)
        journal(*item)
    follower = follower or follow(tmp_path)
    assert follower.wait_for(lambda: count(follower) == len(everything))
    for documents in runs:
        assert same(follower.documents[uid_of_run(documents)], documents)


def test_a_reader_may_wait_for_a_root_that_is_not_there_yet(tmp_path: Path, follow: Callable[[Path], Follower]) -> None:
    root = tmp_path / "later"
    assert list(tail(root)) == []
    follower = follow(root)
    time.sleep(0.05)
    journal = Journal(root, min_free_bytes=0)
    documents = raw_run(2)
    for item in documents:
        journal(*item)
    journal.close()
    assert follower.wait_for(lambda: count(follower) == len(documents))


def test_new_documents_come_within_50_ms(journal: Journal, tmp_path: Path, follow: Callable[[Path], Follower]) -> None:
    # The median of many documents: one of them may meet a busy processor, most must not.
    follower = follow(tmp_path)
    delays = []
    for documents in (raw_run(20, seed=seed) for seed in range(2)):
        for name, doc in documents:
            journal(name, doc)
            written = time.monotonic()
            assert follower.wait_for(lambda uid=doc["uid"]: uid in follower.moments)  # type: ignore[misc]
            delays.append(follower.moments[doc["uid"]] - written)
    assert statistics.median(delays) < 0.05


def test_waiting_costs_little(journal: Journal, tmp_path: Path) -> None:
    for seed in range(30):
        for item in raw_run(0, seed=seed):
            journal(*item)
    reader = DirectoryReader(tmp_path)
    assert len(list(reader.poll())) == 30 * 6
    began = time.thread_time()
    for _ in range(200):
        assert list(reader.poll()) == []
    # 50 looks a second may take a tenth of a processor at most.
    assert (time.thread_time() - began) / 200 < 0.1 / 50


def test_a_half_written_record_is_waited_for(journal: Journal, tmp_path: Path) -> None:
    documents = raw_run(3)
    for item in documents[:-2]:
        journal(*item)
    journal.close()
    path = run_file(tmp_path, uid_of_run(documents))
    reader = DirectoryReader(path)
    assert len(list(reader.poll())) == len(documents) - 2
    record = frame(*documents[-2])
    with path.open("ab", buffering=0) as file:
        for position in range(len(record) - 1):
            file.write(record[position : position + 1])
            if position < 40 or position % 97 == 0 or position > len(record) - 5:
                assert list(reader.poll()) == []
        file.write(record[-1:])
    ((uid, name, doc),) = reader.poll()
    assert uid == uid_of_run(documents)
    assert same((name, doc), documents[-2])


def test_a_record_that_is_truncated_and_rewritten_is_read_once(journal: Journal, tmp_path: Path) -> None:
    documents = raw_run(3)
    for item in documents[:5]:
        journal(*item)
    journal.close()
    path = run_file(tmp_path, uid_of_run(documents))
    reader = DirectoryReader(path)
    assert len(list(reader.poll())) == 5
    size = path.stat().st_size
    with path.open("ab") as file:
        file.write(frame(*documents[5])[:30])
    assert list(reader.poll()) == []
    os.truncate(path, size)
    assert list(reader.poll()) == []
    with path.open("ab") as file:
        file.write(frame(*documents[6]))
    ((_, name, doc),) = reader.poll()
    assert same((name, doc), documents[6])


def test_damage_costs_one_document_and_is_reported_once(
    journal: Journal, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    damaged, whole = raw_run(3, seed=1), raw_run(3, seed=2)
    for item in interleaved(damaged, whole):
        journal(*item)
    path = run_file(tmp_path, uid_of_run(damaged))
    content = bytearray(path.read_bytes())
    content[-700] ^= 0xFF
    path.write_bytes(content)
    reader = DirectoryReader(tmp_path)
    reader.LOOK_AGAIN = 0.0  # type: ignore[misc]
    with caplog.at_level(logging.WARNING):
        items = [item for _ in range(5) for item in reader.poll()]
    found = [(name, doc) for uid, name, doc in items if uid == uid_of_run(damaged)]
    lost = next(number for number, item in enumerate(damaged) if not same(item, found[number]))
    assert same(found, damaged[:lost] + damaged[lost + 1 :])
    assert [(name, doc["uid"]) for uid, name, doc in items if uid == uid_of_run(whole)] == [
        (name, doc["uid"]) for name, doc in whole
    ]
    assert caplog.text.count("are damaged") == 1
    with caplog.at_level(logging.WARNING):
        assert same(read(path), found)


def test_documents_after_the_stop_are_followed_too(
    journal: Journal, tmp_path: Path, follow: Callable[[Path], Follower]
) -> None:
    documents = raw_run(2)
    follower = follow(tmp_path)
    for item in documents:
        journal(*item)
    assert follower.wait_for(lambda: count(follower) == len(documents))
    journal(*documents[-2])
    assert follower.wait_for(lambda: count(follower) == len(documents) + 1)


def test_runs_larger_than_a_piece_are_read_whole(journal: Journal, tmp_path: Path) -> None:
    big, small = reduced_run(2, energies=400, seed=1), raw_run(1000, seed=2)
    for documents in (big, small):
        for item in documents:
            journal(*item)
        assert run_file(tmp_path, uid_of_run(documents)).stat().st_size > CHUNK
        assert same(read(run_file(tmp_path, uid_of_run(documents))), documents)


def test_a_file_of_several_pieces_has_grown_until_all_are_read(journal: Journal, tmp_path: Path) -> None:
    documents = raw_run(1000)
    for item in documents:
        journal(*item)
    reader = RunReader(run_file(tmp_path, uid_of_run(documents)))
    assert 0 < len(reader.next_documents()) < len(documents)
    assert reader.grown()
    assert len(list(reader.documents())) > 0
    assert not reader.grown()
    assert reader.seen_size == reader.path.stat().st_size


def test_a_run_made_within_the_grain_of_time_stamps_is_found(journal: Journal, tmp_path: Path) -> None:
    first, second = raw_run(1, seed=1), raw_run(1, seed=2)
    for item in first:
        journal(*item)
    reader = DirectoryReader(tmp_path)
    assert len(list(reader.poll())) == len(first)
    stamp = journal.directory.stat().st_mtime_ns
    for item in second:
        journal(*item)
    os.utime(journal.directory, ns=(stamp, stamp))  # as on a file system that counts in coarse steps
    assert {uid for uid, _, _ in reader.poll()} == {uid_of_run(second)}


def test_only_the_newest_of_the_runs_that_are_there(journal: Journal, tmp_path: Path) -> None:
    runs = [raw_run(1, seed=seed) for seed in range(4)]
    for number, documents in enumerate(runs[:3]):
        documents[0][1]["time"] = 1e9 + number
        for item in documents:
            journal(*item)
    assert {uid for uid, _, _ in tail(tmp_path, newest=1)} == {uid_of_run(runs[2])}
    assert {uid for uid, _, _ in tail(tmp_path, newest=0)} == set()
    reader = DirectoryReader(tmp_path, newest=0)
    assert list(reader.poll()) == []
    for item in runs[3]:
        journal(*item)
    assert {uid for uid, _, _ in reader.poll()} == {uid_of_run(runs[3])}


def test_a_function_may_end_a_tail(journal: Journal, tmp_path: Path) -> None:
    for item in raw_run(5):
        journal(*item)
    seen: list[str] = []
    for _, name, _ in tail(tmp_path, follow=True, stop=lambda: len(seen) == 3):
        seen.append(name)
    assert len(seen) == 3


def test_an_hour_of_clock_jump_hides_no_run(journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = DirectoryReader(tmp_path)
    clock = time.time
    for jump in (0.0, 3600.0, -3600.0):
        monkeypatch.setattr(time, "time", lambda jump=jump: clock() + jump)
        documents = raw_run(1)
        for item in documents:
            journal(*item)
        assert [(name, doc["uid"]) for _, name, doc in reader.poll()] == [(n, d["uid"]) for n, d in documents]
