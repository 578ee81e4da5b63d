"""The index of a journal's runs: it is never older than the journal, and never needed."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

from beamline.records.catalogue.wanted import Wanted
from beamline.records.journal import Journal, run_file
from beamline.records.logbook import append, new_note
from beamline.records.runs import journal_runs, run_index
from beamline.records.runs.journal_runs import JournalRuns
from beamline.records.runs.run_index import FILE, RunIndex
from beamline.records.runs.search import search
from tests.beamline.example_runs import announced, raw_run, reduced_run, uid_of_run

seal_module = sys.modules["beamline.records.journal.seal"]
"""The package has a function of the same name."""


def measure(root: Path, number: int) -> list[str]:
    """Some runs with a result each, the one of the first lies between later ones; uids in their order."""
    journal = Journal(root, min_free_bytes=0)
    found = []
    for seed in range(number):
        documents = raw_run(1, seed=seed, sample=f"sample {seed}", scan_id=seed + 1)
        documents[0][1]["time"] = 1000.0 * (seed + 1)
        raw = uid_of_run(documents)
        result = reduced_run(1, energies=2, seed=100 + seed, analysis_of=raw)
        announced(journal, documents)
        announced(journal, result)
        found += [raw, uid_of_run(result)]
    journal.close()
    return found


def opened_by(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Files that a module opens from now on."""
    files: list[Path] = []
    read = module.start_and_stop

    def counted(path: Path) -> object:
        files.append(path)
        return read(path)

    monkeypatch.setattr(module, "start_and_stop", counted)
    return files


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Files that the index opens."""
    return opened_by(run_index, monkeypatch)


def listed(root: Path) -> list[str]:
    return [run.uid for run in search(JournalRuns(root), Wanted(), 100).runs]


def test_only_files_that_changed_are_opened(tmp_path: Path, opened: list[Path]) -> None:
    uids = measure(tmp_path, 3)
    assert listed(tmp_path) == uids and len(opened) == 6
    opened.clear()
    assert listed(tmp_path) == uids and opened == []
    file = run_file(tmp_path, uids[2])
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 1))
    assert listed(tmp_path) == uids and opened == [file]
    run_file(tmp_path, uids[4]).rename(tmp_path / "elsewhere")
    assert listed(tmp_path) == [*uids[:4], uids[5]]


def other_version(whole: bytes) -> bytes:
    """The same database as another version would have written it."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.deserialize(whole)
        database.execute("update about set version = version - 1")
        database.commit()
        return database.serialize()


@pytest.mark.parametrize(
    "changed",
    [lambda whole: b"", lambda whole: b"[]", lambda whole: whole[:-4096], lambda whole: whole[:100], other_version],
    ids=["empty", "no database", "cut off", "its header alone", "another version"],
)
def test_an_index_that_cannot_be_used_is_made_again(
    tmp_path: Path, changed: Callable[[bytes], bytes], opened: list[Path]
) -> None:
    uids = measure(tmp_path, 2)
    listed(tmp_path)
    (tmp_path / FILE).write_bytes(changed((tmp_path / FILE).read_bytes()))
    opened.clear()
    assert listed(tmp_path) == uids and len(opened) == 4
    opened.clear()
    assert listed(tmp_path) == uids and opened == []


def test_a_link_in_its_place_is_neither_read_nor_followed(tmp_path: Path) -> None:
    uids = measure(tmp_path / "here", 1)
    other = tmp_path / "precious"
    other.write_text("precious")
    (tmp_path / "here" / FILE).symlink_to(other)
    assert listed(tmp_path / "here") == uids
    assert other.read_text() == "precious"


def test_without_a_place_for_it_runs_are_listed_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_index, "replace_file", full)
    uids = measure(tmp_path, 2)
    store = JournalRuns(tmp_path)
    assert [run.uid for run in store.runs()] == uids == listed(tmp_path)
    assert not (tmp_path / FILE).exists()


def test_a_run_under_way_is_listed_and_finished_later(tmp_path: Path) -> None:
    journal = Journal(tmp_path, min_free_bytes=0)
    documents = raw_run(1, seed=7)
    announced(journal, documents[:-1])
    store = JournalRuns(tmp_path)
    assert [run.status for run in store.found(Wanted(), 5)[0]] == ["running"]
    announced(journal, documents[-1:])
    assert [run.status for run in store.found(Wanted(), 5)[0]] == ["success"]
    journal.close()
    assert [run.status for run in JournalRuns(tmp_path).found(Wanted(), 5)[0]] == ["success"]


def test_a_file_that_cannot_be_listed_is_named_each_time(tmp_path: Path) -> None:
    (uid, _) = measure(tmp_path, 1)
    file = run_file(tmp_path, uid)
    file.write_bytes(b"something else")
    for _ in range(2):
        store = JournalRuns(tmp_path)
        assert len(store.found(Wanted(), 5)[0]) == 1 and file.name in store.left_alone


def test_the_index_gives_pages_in_the_order_of_all_runs(tmp_path: Path) -> None:
    uids = measure(tmp_path, 5)
    store = JournalRuns(tmp_path)
    pages = [store.found(Wanted(), 2, page) for page in (3, 2, 1)]
    assert [run.uid for runs, _ in pages for run in runs] == uids == [run.uid for run in store.runs()]
    assert [earlier for _, earlier in pages] == [0, 1, 3]
    assert [run.uid for run in store.found(Wanted(sample="sample 3"), 2)[0]] == uids[6:8]


def test_only_the_runs_that_are_asked_for_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uids = measure(tmp_path, 3)
    store = JournalRuns(tmp_path)
    assert [run.uid for run in store.listed()] == uids
    read = opened_by(journal_runs, monkeypatch)
    (found,) = store.where(lambda run: run.start.get("sample") == "sample 1")
    assert found.uid == uids[2] and found.start["plan_name"] and read == [run_file(tmp_path, uids[2])]


def test_a_session_opens_no_run_that_has_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measure(tmp_path, 2)
    journal = Journal(tmp_path, min_free_bytes=0)
    cut_off = raw_run(1, seed=9, scan_id=9)
    for name, doc in cut_off[:-1]:
        journal(name, doc)
    journal.close()
    unstopped = RunIndex(tmp_path).unstopped()
    assert unstopped == [run_file(tmp_path, uid_of_run(cut_off))]
    looked: list[Path] = []
    monkeypatch.setattr(seal_module, "ends_with_stop", lambda path: looked.append(path))
    (sealed,) = seal_module.seal(tmp_path, unstopped=unstopped)
    assert looked == [sealed.path] == [run_file(tmp_path, uid_of_run(cut_off))]
    assert RunIndex(tmp_path).unstopped() == []  # the index follows


def test_files_of_listed_runs_are_not_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measure(tmp_path, 2)
    store = JournalRuns(tmp_path)
    (run, *_), _ = store.found(Wanted(), 1)
    monkeypatch.setattr(journal_runs, "run_file", lambda root, uid: pytest.fail("the folder is searched"))
    assert store.damage(run) == "" and store.num_events(run)
    assert [name for name, _ in store.documents(run.uid)][-1] == "stop"
    assert store.listed() == store.listed()


def test_a_run_or_a_note_that_comes_later_is_listed(tmp_path: Path) -> None:
    uids = measure(tmp_path, 1)
    store = JournalRuns(tmp_path)
    assert [run.uid for run in store.listed()] == uids
    append(tmp_path, new_note("a remark", run=uids[0]))
    assert [note.text for note in store.listed()[0].notes] == ["a remark"]
    journal = Journal(tmp_path, min_free_bytes=0)
    later = raw_run(1, seed=8, scan_id=8)
    announced(journal, later)
    journal.close()
    assert uid_of_run(later) in [run.uid for run in store.listed()]


def test_a_run_that_is_moved_away_while_it_is_written_is_not_listed(tmp_path: Path) -> None:
    """The root of the data, or the folder of its journal: both have the one index."""
    uids = measure(tmp_path, 1)
    unended = raw_run(1, seed=8, scan_id=8)
    journal = Journal(tmp_path, min_free_bytes=0)
    announced(journal, unended[:-1])
    journal.close()
    stores = [JournalRuns(tmp_path), JournalRuns(tmp_path / "journal")]
    file = run_file(tmp_path, uid_of_run(unended))
    with file.open("rb") as written:
        fcntl.flock(written, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for store in stores:
            assert {run.uid for run in store.listed()} == {*uids, uid_of_run(unended)}
        file.unlink()
        for store in stores:
            assert [run.uid for run in store.listed()] == uids
    assert [each.parent for each in tmp_path.rglob(FILE)] == [tmp_path]


def settle(root: Path) -> None:
    """Give the journal's folder a change long ago, after which an index of it is trusted, and make the index."""
    os.utime(root / "journal", (1e9, 1e9))
    listed(root)


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Data roots whose files are all looked for."""
    roots: list[Path] = []
    look = run_index.run_states
    monkeypatch.setattr(run_index, "run_states", lambda root, odd: [roots.append(root), look(root, odd)][1])
    return roots


def test_while_no_file_comes_or_goes_none_is_looked_for(tmp_path: Path, states: list[Path]) -> None:
    uids = measure(tmp_path, 3)
    settle(tmp_path)
    states.clear()
    store = JournalRuns(tmp_path)
    assert [run.uid for run in store.found(Wanted(), 1)[0]] == uids[4:] and RunIndex(tmp_path).unstopped() == []
    assert (
        [run.uid for run in store.named([uids[2][:9].upper()])]
        == uids[2:4]
        == [run.uid for run in store.named([uids[3]])]
    )
    assert states == []
    run_file(tmp_path, uids[0]).rename(tmp_path / "elsewhere")
    assert {run.uid for run in search(JournalRuns(tmp_path), Wanted(), 9).runs} == {*uids[1:]} and states


def test_a_settled_index_notices_files_of_its_page_and_unfinished_ones(tmp_path: Path, states: list[Path]) -> None:
    uids = measure(tmp_path, 2)
    journal = Journal(tmp_path, min_free_bytes=0)
    cut_off = raw_run(1, seed=9, scan_id=9)
    for name, doc in cut_off[:-1]:
        journal(name, doc)
    journal.close()
    settle(tmp_path)
    file = run_file(tmp_path, uid_of_run(cut_off))
    states.clear()
    assert RunIndex(tmp_path).unstopped() == [file] and states == []
    seal_module.seal(tmp_path)  # another process, without this index
    os.utime(tmp_path / "journal", (1e9, 1e9))
    assert RunIndex(tmp_path).unstopped() == [] and states
    ended = run_file(tmp_path, uids[2])
    ended.write_bytes(ended.read_bytes()[:-3])  # in its place: the folder does not change
    settled = RunIndex(tmp_path)
    assert len(settled.page(9, 1)[0]) == 5 and settled.unstopped() == [ended]


def test_an_index_from_before_a_restart_of_the_machine_is_not_trusted(
    tmp_path: Path, states: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    uids = measure(tmp_path, 1)
    settle(tmp_path)
    file = run_file(tmp_path, uids[0])
    file.write_bytes(file.read_bytes()[:-3])
    assert RunIndex(tmp_path).unstopped() == []  # nothing has told it
    monkeypatch.setattr(run_index, "BOOT", tmp_path / "boot")
    (tmp_path / "boot").write_text("another")
    os.utime(tmp_path / "journal", (1e9, 1e9))
    assert RunIndex(tmp_path).unstopped() == [file]


def test_a_folder_that_has_just_changed_is_looked_through(tmp_path: Path, states: list[Path]) -> None:
    measure(tmp_path, 1)
    listed(tmp_path)
    states.clear()
    listed(tmp_path)
    assert states  # a file that comes within the same tick of the clock would not change the folder's time
