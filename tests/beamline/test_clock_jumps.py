"""A clock that jumps by an hour: runs stand, are summed and are compared in the order in which they were measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from beamline.outputs.live_figure.follow import ScanFollower
from beamline.records.runs.find import LAST, find
from beamline.records.runs.job import plan_job
from beamline.records.runs.replay import replay
from beamline.records.runs.store import CatalogueRuns, JournalRuns, RunStore
from tests.beamline.catalogue_writing import write_catalogue
from tests.beamline.example_runs import Documents, uid_of_run
from tests.beamline.raw_scans import acquire, scan_set_of

HOUR = 3600.0
JUMPS = {"back": (0.0, -HOUR, -HOUR), "forward and back": (0.0, HOUR, 0.0), "back twice": (0.0, -HOUR, -2 * HOUR)}


@pytest.fixture(params=JUMPS.values(), ids=JUMPS)
def passes(request: pytest.FixtureRequest, tmp_path: Path) -> list[Documents]:
    """Three passes with their live reduced runs; the clock was wrong by so much in each."""
    taken = scan_set_of(3)
    for documents, error in zip(taken, request.param, strict=True):
        documents[0][1]["time"] += error
    acquire(tmp_path, taken)
    return taken


def assert_in_order(store: RunStore, passes: list[Documents]) -> None:
    order = [uid_of_run(documents) for documents in passes]
    runs = store.runs()
    assert [run.uid for run in runs if run.raw_uid is None] == order
    assert [run.raw_uid for run in runs if run.raw_uid is not None] == order
    assert find(runs, LAST).runs[0].uid == order[-1]
    for name in (*order, passes[0][0][1]["scan_set"]):
        for result in replay(store, runs, plan_job(runs, name, {})):
            assert result.stored is not None and result.agreement is not None and result.agreement.exact, name
            assert [*result.start["accumulates"], result.raw.uid] == order[: order.index(result.raw.uid) + 1]


def test_the_journal_gives_them_in_their_order(passes: list[Documents], tmp_path: Path) -> None:
    assert_in_order(JournalRuns(tmp_path), passes)


def test_passes_without_a_live_result_are_summed_in_their_order(tmp_path: Path) -> None:
    taken = scan_set_of(3)
    taken[1][0][1]["time"] -= HOUR
    acquire(tmp_path, taken)
    order = [uid_of_run(documents) for documents in taken]
    store = JournalRuns(tmp_path)
    runs = [run for run in store.runs() if run.raw_uid is None]
    (result,) = replay(store, runs, plan_job(runs, order[1], {}))
    assert [*result.start["accumulates"], result.raw.uid] == order[:2]


@pytest.mark.long
def test_the_catalogue_gives_them_in_their_order(passes: list[Documents], tmp_path: Path) -> None:
    assert write_catalogue(tmp_path, tmp_path / "catalogue")
    store = CatalogueRuns(tmp_path / "catalogue")
    try:
        assert_in_order(store, passes)
    finally:
        store.close()


def test_the_live_figure_follows_the_scan_set_that_was_measured_last(tmp_path: Path) -> None:
    early, late = scan_set_of(1), scan_set_of(1)
    late[0][0][1].update(time=late[0][0][1]["time"] - HOUR, scan_id=99)
    acquire(tmp_path, [*early, *late])
    starts = [doc for name, doc in ScanFollower(tmp_path).poll() if name == "start"]
    assert {start["scan_set"] for start in starts} == {late[0][0][1]["scan_set"]}
