"""The logbook: notes and corrections, their files, several writers, and every reader of them."""

from __future__ import annotations

import csv
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest
from typer.testing import CliRunner, Result

from beamline.app import cli
from beamline.outputs.export.about import about
from beamline.outputs.export.result import read_result
from beamline.records.journal import JournalError, read, run_file
from beamline.records.logbook import (
    Correction,
    Corrections,
    LogbookError,
    LogbookReader,
    Note,
    append,
    new_correction,
    new_note,
    read_logbook,
    under_way,
)
from beamline.records.runs.arrays import dataset
from beamline.records.runs.store import CatalogueRuns, JournalRuns
from beamline.session.notes import write_note
from beamline.session.scans.resume import remaining
from tests.beamline.catalogue_writing import write_catalogue
from tests.beamline.example_runs import Documents, uid_of_run
from tests.beamline.raw_scans import Acquisition, acquire, scan_set_of

Run = Callable[..., Result]


@pytest.fixture
def trxas(tmp_path: Path) -> Run:
    """Calls the command line with this test's data root."""

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(cli.app, [*arguments, "--data", str(tmp_path)])

    return call


@pytest.fixture
def scan(tmp_path: Path) -> Documents:
    """A finished pass in the journal of this test."""
    (documents,) = scan_set_of(1)
    acquire(tmp_path, [documents])
    return documents


def note_file(root: Path) -> Path:
    return root / "journal" / f"logbook-{os.geteuid()}.notes"


def correct(root: Path, uid: str, when: float = 1.8e9, **entries: object) -> None:
    append(root, Correction(f"c-{when}", when, "Ada", uid, entries, "mixed up"))


def test_a_note_has_who_when_tags_and_the_run_and_dwell_of_now(tmp_path: Path) -> None:
    (documents,) = scan_set_of(1)
    with Acquisition(tmp_path) as session:
        assert under_way(tmp_path) == ("", 0)
        session.take(documents[: 2 + 9])
        assert under_way(tmp_path) == (uid_of_run(documents), 9)
        note = write_note(tmp_path, "Jet unstable #Jet\nflow up", tags=["flow"], who="Ada")
        session.take(documents[2 + 9 :])
        assert write_note(tmp_path, "between").run == ""
    assert (note.who, note.tags, note.run, note.dwell) == ("Ada", ("jet", "flow"), uid_of_run(documents), 9)
    assert read_logbook(tmp_path).notes[0] == note
    assert "Jet unstable #Jet\nflow up #flow" in str(note) and "dwell 9" in str(note)
    assert write_note(tmp_path, "later", run="last").dwell == len(documents) - 3
    assert [each.text for each in read_logbook(tmp_path).notes] == [note.text, "between", "later"]


def test_many_writers_lose_nothing(tmp_path: Path) -> None:
    """Each opens the file anew, as processes do, and waits for the lock of the others."""

    def write(number: int) -> None:
        for count in range(8):
            append(tmp_path, new_note(f"{number} {count}", who="Ada"))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reader = read_logbook(tmp_path)
    assert sorted(note.text for note in reader.notes) == sorted(f"{n} {c}" for n in range(6) for c in range(8))
    assert reader.problems == []


def test_a_reader_follows_and_a_torn_end_costs_no_later_note(tmp_path: Path, trxas: Run) -> None:
    reader = LogbookReader(tmp_path)
    assert reader.poll() == []
    append(tmp_path, new_note("first"))
    append(tmp_path, new_note("second"))
    assert [note.text for note in reader.poll() if isinstance(note, Note)] == ["first", "second"]
    path = note_file(tmp_path)
    os.truncate(path, path.stat().st_size - 5)  # as a power cut leaves it
    append(tmp_path, new_note("third"))
    again = read_logbook(tmp_path)
    assert [note.text for note in again.notes] == ["first", "third"] and "damaged" in again.problems[0]
    (run,) = scan_set_of(1)
    acquire(tmp_path, [run])
    assert f"{path.name}: 2 documents kept, damage set aside" in trxas("repair").output
    append(tmp_path, new_note("fourth"))
    assert [note.text for note in read_logbook(tmp_path).notes] == ["first", "third", "fourth"]


def test_accounts_have_files_of_their_own_and_links_are_left_alone(tmp_path: Path) -> None:
    append(tmp_path, new_note("mine"))
    other = note_file(tmp_path).with_name("logbook-4294.notes")
    other.write_bytes(note_file(tmp_path).read_bytes())
    (other.parent / "logbook-1.notes").symlink_to("/etc/passwd")
    assert [note.text for note in read_logbook(tmp_path).notes] == ["mine", "mine"]
    mine = note_file(tmp_path)
    mine.unlink()
    mine.symlink_to(other)
    with pytest.raises(JournalError, match="symbolic link"):
        append(tmp_path, new_note("through a link"))


@pytest.mark.parametrize(
    ("text", "tags", "message"),
    [
        (" \n ", (), "empty"), ("x" * 4001, (), "4000 characters, not 4001"), ("x", ["two words"], "no tag"),
        ("x", ["#"], "no tag"), (7, (), "a note is a text"),
    ],
)  # fmt: skip
def test_unusable_notes_are_refused(text: str, tags: list[str], message: str) -> None:
    with pytest.raises(LogbookError, match=message):
        new_note(text, tags=tags)


def test_control_characters_never_reach_a_terminal(tmp_path: Path, trxas: Run) -> None:
    assert trxas("note", "a\x1b[2Jb", "\udce4", "--who", "\x1b]0;x\x07").exit_code == 0
    output = trxas("notes").output
    assert "a [2Jb" in output and "\x1b" not in output


def test_a_missing_root_is_named_and_not_made(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli.app, ["note", "hello", "--data", str(tmp_path / "typo")])
    assert isinstance(result.exception, JournalError) and "no data root" in str(result.exception)
    assert not (tmp_path / "typo").exists()


def test_notes_are_searched_by_word_tag_run_and_time(tmp_path: Path, trxas: Run, scan: Documents) -> None:
    for text, who in (("Jet broke #jet", "Ada"), ("laser realigned", "Max")):
        append(tmp_path, new_note(text, who=who))
    trxas("note", "good", "spot", "--tag", "spot", "--run", "last")

    def found(*arguments: str) -> list[str]:
        return [
            text for text in ("Jet broke", "laser realigned", "good spot") if text in trxas("notes", *arguments).output
        ]

    assert found() == ["Jet broke", "laser realigned", "good spot"]
    assert found("BROKE", "jet") == ["Jet broke"] and found("max") == ["laser realigned"]
    assert found("--tag", "#spot") == ["good spot"] == found("--run", uid_of_run(scan)[:8])
    assert found("--since", "2001-01-01", "--until", "2002-01-01") == []
    assert "No such note among 3" in trxas("notes", "nothing").output


def test_the_last_correction_counts_whatever_the_clock(tmp_path: Path) -> None:
    correct(tmp_path, "r", 1.8e9, sample="B", temperature="80 K")
    correct(tmp_path, "r", 1.7e9, sample="C")  # the clock was set back meanwhile
    correct(tmp_path, "other", sample="X")
    applied = Corrections(read_logbook(tmp_path).corrections).applied({"uid": "r", "sample": "A"})
    assert (applied["sample"], applied["temperature"]) == ("C", "80 K")
    assert applied["corrected"]["sample"].startswith("was 'A', corrected ")
    assert applied["corrected"]["temperature"].startswith("was not recorded") and "mixed up" in str(applied)
    correct(tmp_path, "r", 1.9e9, sample="A", temperature="80 K")
    applied = Corrections(read_logbook(tmp_path).corrections).applied({"uid": "r", "sample": "A"})
    assert list(applied["corrected"]) == ["temperature"]


def test_only_what_users_give_can_be_corrected() -> None:
    assert new_correction("r", {"users": "Ada, Max ,"}).entries == {"users": ["Ada", "Max"]}
    for entries, message in (
        ({"settings": "x"}, "settings: reserved.*sample, users and entries of your own"), ({}, "nothing to correct"),
        ({"sample": "x" * 201}, "200 characters"), ({"uid": "x"}, "uid"), ({"corrected": "x"}, "corrected"),
    ):  # fmt: skip
        with pytest.raises(LogbookError, match=message):
            new_correction("r", entries)


def test_every_reader_honours_a_correction_and_the_run_is_untouched(tmp_path: Path, trxas: Run) -> None:
    (documents,) = scan_set_of(1)
    uid = uid_of_run(documents)
    acquire(tmp_path, [documents])
    before = run_file(tmp_path, uid).read_bytes()
    assert "'test sample' -> 'CsPbBr3'" in trxas("correct", uid[:8], "sample=CsPbBr3", "--reason", "mixed up").output
    assert "has these entries already" in trxas("correct", "last", "sample=CsPbBr3").output
    assert len(read_logbook(tmp_path).corrections) == 1
    store = JournalRuns(tmp_path)
    runs = store.runs()
    assert {run.start["sample"] for run in runs} == {"CsPbBr3"}  # raw and reduced
    assert next(iter(store.documents(uid)))[1]["sample"] == "CsPbBr3"
    assert "corrected: sample" in trxas("list").output
    page = " ".join(trxas("show", uid).output.split())
    assert "sample CsPbBr3" in page and "was 'test sample', corrected" in page and "mixed up" in page
    header = about(read_result(store, runs, uid))
    assert header["sample"] == "CsPbBr3" and "was 'test sample'" in header["corrected"]
    assert dataset(store, uid).attrs["sample"] == "CsPbBr3"
    assert trxas("reduce", uid, "--set", "i0_noise=2e-3").exit_code == 0
    newest = JournalRuns(tmp_path).runs()[-1]
    assert read(run_file(tmp_path, newest.uid))[0][1]["sample"] == "CsPbBr3"
    assert run_file(tmp_path, uid).read_bytes() == before


def test_resuming_compares_with_the_corrected_sample(tmp_path: Path) -> None:
    (documents,) = scan_set_of(1, planned=2)
    needs = {
        "scan_axis": "mono_energy",
        "dwell": 1.0,
        "attempts": 3,
        "order": "ascending",
        "visit_order": list(range(12)),
    }
    documents[0][1].update(needs)
    acquire(tmp_path, [documents])
    correct(tmp_path, uid_of_run(documents), sample="CsPbBr3")
    left = remaining(tmp_path, uid_of_run(documents), "CsPbBr3")
    assert left.passes and all("corrected" not in each.start for each in left.passes)


def test_notes_are_in_list_show_table_report_and_exports(tmp_path: Path, trxas: Run, scan: Documents) -> None:
    uid = uid_of_run(scan)
    write_note(tmp_path, "<script>jet</script> unstable #jet", run="last", who="Ada")
    assert '"<script>jet</script> unstable #jet"' in trxas("list").output
    assert "<script>jet</script> unstable #jet" in trxas("show", uid).output
    trxas("correct", uid, "sample=CsPbBr3")
    trxas("list", "--csv", str(tmp_path / "runs.csv"))
    row = next(csv.DictReader((tmp_path / "runs.csv").read_text().splitlines()))
    assert "Ada, at run" in row["notes"] and "was 'test sample'" in json.loads(row["corrected"])["sample"]
    trxas("report", uid, "--out", str(tmp_path / "report.html"))
    page = (tmp_path / "report.html").read_text()
    assert "&lt;script&gt;jet&lt;/script&gt; unstable #jet" in page and "<script" not in page
    assert "Sample: CsPbBr3" in page and "<td>&#39;test sample" not in page and "was &#39;test sample&#39;" in page
    assert trxas("export", uid, "-f", "csv,xdi,nexus", "--out", str(tmp_path / "out")).exit_code == 0
    for ending in (".csv", ".xdi"):
        text = next((tmp_path / "out").rglob(f"*{ending}")).read_text()
        assert "jet</script> unstable #jet" in text and "CsPbBr3" in text
    with h5py.File(next((tmp_path / "out").rglob("*.nxs"))) as file:
        everything = []
        file.visititems(lambda _, item: everything.append(str(item[()])) if isinstance(item, h5py.Dataset) else None)
    assert any("unstable #jet" in each for each in everything)


@pytest.mark.long
def test_the_catalogue_has_corrections_beside_what_was_recorded(
    tmp_path: Path, catalogue: Path, opened: Callable[[Path], Any], scan: Documents
) -> None:
    uid = uid_of_run(scan)
    correct(tmp_path, uid, sample="CsPbBr3")
    assert write_catalogue(tmp_path, catalogue)
    client = opened(catalogue)
    assert client[uid].metadata["start"]["sample"] == "test sample"
    assert {run.start["sample"] for run in CatalogueRuns(catalogue).runs()} == {"CsPbBr3"}  # without the data root
    correct(tmp_path, uid, 1.9e9, sample="CsPbI3")
    with_root = CatalogueRuns(catalogue, root=tmp_path)
    assert {run.start["sample"] for run in with_root.runs()} == {"CsPbI3"}  # before it is copied
    assert write_catalogue(tmp_path, catalogue)
    store = CatalogueRuns(catalogue)
    assert next(iter(store.documents(uid)))[1]["sample"] == "CsPbI3"
    for each in (with_root, store):
        each.close()
