"""Replays of what is incomplete: interrupted passes, a failed live reducer, a set of several sessions."""

from __future__ import annotations

from pathlib import Path

import pytest

from beamline.records.journal import seal
from beamline.records.runs.run import RunError
from tests.beamline.example_runs import events_of, uid_of_run
from tests.beamline.raw_scans import (
    DWELLS,
    ENERGIES,
    Acquisition,
    acquire,
    scan_set_of,
)
from tests.beamline.replays import assert_equal, keep, redo


def test_a_pass_that_was_interrupted_is_reduced_all_the_same(tmp_path: Path) -> None:
    """Killed in the last point: no stop document of the raw run and none of the reduced run, and no spectrum."""
    first, second = scan_set_of(2)
    cut = DWELLS - 2
    with Acquisition(tmp_path) as session:
        session.take(first)
        session.take(second[: 2 + cut])
    uid = uid_of_run(second)
    for sealed in (False, True):
        if sealed:
            assert len(seal(tmp_path)) == 2
        (result,) = redo(tmp_path, uid)
        assert result.new and result.agreement is not None
        assert result.agreement.only_begins and result.agreement.missing == 3
        stop = result.documents[-1][1]
        assert stop["exit_status"] == "abort" and "interrupted" in stop["reason"]
        assert stop["num_events"] == {"points": cut, "spectrum": 1, "honesty": 1, "ledger": 1}
    spectrum = events_of(result.documents, "spectrum")[0]["data"]
    assert spectrum["dwells"][:, :-1].tolist() == [[4] * (ENERGIES.size - 1)] * 2
    assert spectrum["dwells"][:, -1].tolist() == [2, 2]  # of the pass that was cut off within the point, nothing
    keep(tmp_path, [result])
    (again,) = redo(tmp_path, uid)
    assert again.agreement is not None and again.agreement.exact and not again.new


def test_a_pass_that_is_being_written_is_refused_or_excluded(tmp_path: Path) -> None:
    first, second = scan_set_of(2)
    with Acquisition(tmp_path) as session:
        session.take(first)
        session.take(second[:20])
        with pytest.raises(RunError, match="still being measured"):
            redo(tmp_path, uid_of_run(second))
        (result,) = redo(tmp_path, first[0][1]["scan_set"])
        assert result.raw.uid == uid_of_run(first)


def test_what_a_failed_live_reducer_lost_is_completed(tmp_path: Path) -> None:
    """The reducer fails in the middle of the pass; the raw data are whole."""
    (documents,) = scan_set_of(1)
    with Acquisition(tmp_path) as session:
        session.take(documents[:20])
        session.take(documents[20:], reduce=False)
    (result,) = redo(tmp_path, "last")
    assert result.new and result.agreement is not None and result.agreement.missing == DWELLS - 18 + 3
    assert len(events_of(result.documents, "points")) == DWELLS


def test_a_set_resumed_in_another_session_is_summed_as_a_whole(tmp_path: Path) -> None:
    first, second = scan_set_of(2)
    live = {**acquire(tmp_path, [first]), **acquire(tmp_path, [second])}
    one, both = redo(tmp_path, first[0][1]["scan_set"])
    assert one.agreement is not None and one.agreement.exact
    assert both.new and both.start["accumulates"] == [uid_of_run(first)]
    dwells = events_of(both.documents, "spectrum")[0]["data"]["dwells"]
    assert dwells.tolist() == [[4] * ENERGIES.size] * 2
    (alone,) = redo(tmp_path, uid_of_run(second))  # as that session had it
    assert_equal(alone.documents, live[uid_of_run(second)])
    assert alone.agreement is not None and alone.agreement.exact


def test_without_any_live_reduction_earlier_passes_are_summed(tmp_path: Path) -> None:
    passes = scan_set_of(2)
    with Acquisition(tmp_path) as session:
        for documents in passes:
            session.take(documents, reduce=False)
    (result,) = redo(tmp_path, "last")
    assert result.new and result.stored is None
    assert result.start["accumulates"] == [uid_of_run(passes[0])]
