"""Runs of several beamlines and proposals in one catalogue are found by what people know, corrected or noted."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from beamline.records.catalogue.wanted import Wanted
from beamline.records.journal import Journal
from beamline.records.logbook import append, new_correction, new_note
from beamline.records.runs.find import find
from beamline.records.runs.run import Run, RunError, in_order
from beamline.records.runs.search import runs_named, search, search_all
from beamline.records.runs.store import CatalogueRuns, JournalRuns, RunStore
from tests.beamline.catalogue_writing import WITHOUT_PLACE, write_catalogue
from tests.beamline.example_runs import announced, raw_run, reduced_run, uid_of_run

SAMPLES = ("CsPbBr3 batch 4", "CsPbBr3 batch 5", "water 100%", "glass_film")


@dataclass(frozen=True)
class Measured:
    """A data root with journal and catalogue, and the uids of its raw runs and of a reduced one of the last."""

    root: Path
    raw: list[str]
    reduced: str


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory, empty_catalogue: Path) -> Measured:
    """Eight runs of two beamlines and proposals, of scan sets of two, with notes and a correction."""
    root = tmp_path_factory.mktemp("measured")
    journal = Journal(root, min_free_bytes=0)
    raw = []
    for number in range(8):
        about = {
            "beamline_name": ("7-ID-D", "25-ID-C")[number % 2], "proposal": ("GUP-1", "GUP-2")[number // 4],
            "sample": SAMPLES[number % 4], "edge": ("Br K", "Pb L3")[number // 2 % 2], "scan_set": f"set{number // 2}",
        }  # fmt: skip
        documents = raw_run(1, seed=number, **about)
        documents[0][1]["time"] = 1000.0 * (number + 1)
        raw.append(uid_of_run(documents))
        announced(journal, documents)
    result = reduced_run(1, energies=2, seed=9, analysis_of=raw[7])
    announced(journal, result)
    journal.close()
    append(root, new_note("The jet was unstable #jet", run=raw[2], who="Ada"))
    append(root, new_note("refilled the jet", run=raw[6], who="Ada"))
    append(root, new_correction(raw[5], {"sample": "FAPbI3", "proposal": "GUP-3"}))
    assert write_catalogue(root, shutil.copytree(empty_catalogue, root / "catalogue", ignore=WITHOUT_PLACE))
    return Measured(root, raw, uid_of_run(result))


@pytest.fixture(scope="module", params=["journal", "catalogue", "a server without search"])
def store(request: pytest.FixtureRequest, measured: Measured) -> Iterator[RunStore]:
    """The runs where they are kept; the catalogue without the logbook, as another machine reads it."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "a server without search":
            patch.setattr("beamline.records.runs.store.search_runs", lambda *_: None)
        journal = request.param == "journal"
        found = JournalRuns(measured.root) if journal else CatalogueRuns(measured.root / "catalogue")
        yield found
        found.close()


CASES: list[tuple[Wanted, list[int]]] = [
    (Wanted(), [0, 1, 2, 3, 4, 5, 6, 7]),
    (Wanted(beamline="7-id-d"), [0, 2, 4, 6]),
    (Wanted(proposal="GUP-2"), [4, 6, 7]),
    (Wanted(proposal="gup-3"), [5]),
    (Wanted(beamline="25-ID-C", edge="Br K"), [1, 5]),
    (Wanted(edge="Br"), []),
    (Wanted(sample="batch cspbbr3"), [0, 1, 4]),
    (Wanted(sample="FAPbI3"), [5]),
    (Wanted(sample="100%"), [2, 6]),
    (Wanted(sample="_film"), [3, 7]),
    (Wanted(sample="%"), [2, 6]),
    (Wanted(note="jet"), [2, 6]),
    (Wanted(note="#JET ada"), [2]),
    (Wanted(since=3000.0, until=5000.0), [2, 3]),
    (Wanted(uid="set1"), [2, 3]),
]


def test_runs_are_found(store: RunStore, measured: Measured) -> None:
    for wanted, numbers in CASES:
        page = search(store, wanted, 20)
        assert [measured.raw.index(run.uid) for run in page.rows] == numbers and page.earlier == 0, wanted
    (run,) = search(store, Wanted(uid=measured.raw[5]), 1).rows
    assert run.start["sample"] == "FAPbI3" and "was 'CsPbBr3 batch 5'" in run.start["corrected"]["sample"]
    assert [note.text for note in search(store, Wanted(note="refilled"), 1).rows[0].notes] == ["refilled the jet"]
    (run,) = search(store, Wanted(uid=measured.reduced[:9].upper()), 1).rows
    assert run.uid == measured.raw[7]


def test_pages_hold_each_run_once_with_its_results(store: RunStore, measured: Measured) -> None:
    pages = [search(store, Wanted(), 3, page) for page in (1, 2, 3, 4)]
    numbers = [[measured.raw.index(run.uid) for run in page.rows] for page in pages]
    assert numbers == [[5, 6, 7], [2, 3, 4], [0, 1], []]
    assert [page.earlier == 0 for page in pages] == [False, False, True, True]
    assert measured.reduced in [run.uid for run in pages[0].runs]
    assert [run.uid for run in search_all(store, Wanted())] == [*measured.raw, measured.reduced]


def test_a_run_is_looked_up_with_its_scan_set_and_its_results(store: RunStore, measured: Measured) -> None:
    few = store.found(Wanted(), 1) is not None
    for name in (measured.raw[7][:8], measured.reduced[:8]):
        runs = runs_named(store, [name])
        assert {*measured.raw[6:], measured.reduced} <= {run.uid for run in runs}
        assert len(runs) == (3 if few else 9)
        assert find(runs, name).runs[0].uid.startswith(name)
    assert find(runs_named(store, ["last"]), "last").runs[0].uid == measured.raw[7]
    with pytest.raises(RunError, match="no run or scan set has a uid that begins with 'unheard-of'"):
        find(runs_named(store, ["unheard-of"]), "unheard-of")


def test_documents_of_a_run_that_was_not_listed_are_corrected(store: RunStore, measured: Measured) -> None:
    assert next(iter(store.documents(measured.raw[5])))[1]["sample"] == "FAPbI3"


def test_a_catalogue_of_an_earlier_version_can_be_searched(measured: Measured, tmp_path: Path) -> None:
    """One without the table of runs gets it at the next start, filled; a run that is removed leaves it."""
    there = shutil.copytree(measured.root / "catalogue", tmp_path / "catalogue", ignore=WITHOUT_PLACE)
    with sqlite3.connect(there / "catalogue.db") as database:
        for name in ("made", "changed", "gone"):
            database.execute(f"drop trigger trxas_runs_{name}_1")
        database.execute("drop table trxas_runs")
        database.execute("create trigger trxas_runs_gone_0 after delete on nodes begin select 1; end")
    store = CatalogueRuns(there)
    assert [run.uid for run in search(store, Wanted(sample="FAPbI3"), 20).rows] == [measured.raw[5]]
    with sqlite3.connect(there / "catalogue.db") as database:
        database.execute("pragma foreign_keys = on")
        database.execute("delete from nodes where key = ?", (measured.raw[5],))
    assert not search(store, Wanted(sample="FAPbI3"), 20).rows
    store.close()
    with sqlite3.connect(there / "catalogue.db") as database:
        count = database.execute("select count(*) from sqlite_master where name = 'trxas_runs_gone_0'").fetchone()
    assert count == (0,)


def test_each_beamline_has_its_own_scan_numbers() -> None:
    """A low number of one beamline does not come after a high one of another that was measured earlier."""
    runs = [
        Run({"uid": "late", "time": 200.0, "scan_id": 5, "beamline_name": "a"}, None),
        Run({"uid": "early", "time": 100.0, "scan_id": 10, "beamline_name": "b"}, None),
    ]
    assert [run.uid for run in in_order(runs)] == ["early", "late"]
    same = [Run({**run.start, "beamline_name": "a"}, None) for run in runs]  # here a clock was set back
    assert [run.uid for run in in_order(same)] == ["late", "early"]
