"""The ledger page: exclusions and their reasons."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from beamline.outputs.live_figure.exclusion_body import LINES, WIDTH, lines_of
from beamline.outputs.live_figure.exclusion_content import (
    BAD,
    COUNTS,
    EMPTY,
    LEFT_OUT,
    PARTIAL,
    RETAKEN,
    UNREDUCED,
    ExclusionContent,
    Reason,
)
from beamline.outputs.live_figure.notebook import figure
from beamline.outputs.live_figure.pages import Page
from beamline.records.runs.run import REPLAYED
from tests.beamline.example_runs import Documents, uid_of_run
from tests.beamline.raw_scans import DWELLS, SEGMENTS, Acquisition, scan_set_of


def book_of(root: Path) -> ExclusionContent:
    page = Page("ledger", root)
    page.look()
    assert isinstance(page.content, ExclusionContent)
    return page.content


def corrupt(documents: Documents, point: int, fault: str, dwells: int = len(SEGMENTS)) -> None:
    """The first dwells of a point are bad."""
    for segment in range(dwells):
        documents[2 + point * len(SEGMENTS) + segment][1]["data"]["quality"] = fault


def test_points_are_in_or_out_and_the_reasons_are_reported(tmp_path: Path) -> None:
    passes = scan_set_of(3, planned=4)
    uids = [uid_of_run(each) for each in passes]
    corrupt(passes[0], 2, "beam lost", dwells=1)
    corrupt(passes[0], 4, "laser not locked")
    again = [
        ("event", {**doc, "data": {**doc["data"], "quality": "good", "attempt": 1}}) for _, doc in passes[0][10:11]
    ]
    with Acquisition(tmp_path) as session:
        session.take(passes[0][:14])
        session.take(again)
        session.take(passes[0][14:])
        session.reducer.exclusions.leave_out(uids[1], 7, "outlier", "+12 standard deviations")
        session.reducer.exclusions.leave_out(uids[0], None, "by hand", "wrong sample")
        session.take(passes[1])
        session.reducer.exclusions.take_back(uids[0])
        session.take(passes[2][:10])
        session.take(passes[2][10:12], reduce=False)
        before = book_of(tmp_path)
        assert (before.states()[0] == LEFT_OUT).all()
        session.take([passes[2][-1]])
    book = book_of(tmp_path)
    states = book.states()
    assert states.shape[0] == 4 and (states[3] == EMPTY).all()
    assert states[0].tolist() == [COUNTS, COUNTS, RETAKEN, COUNTS, BAD] + 7 * [COUNTS]
    assert states[1].tolist() == 7 * [COUNTS] + [LEFT_OUT] + 4 * [COUNTS]
    assert states[2, :3].tolist() == [COUNTS, COUNTS, UNREDUCED] and (states[2, 3:] == EMPTY).all()
    taken = 2 * DWELLS + 1 + 10
    assert book.counts() == (taken - 1 - len(SEGMENTS) - len(SEGMENTS) - 2, taken)
    outlier, lock, beam = book.reasons()
    assert (outlier.what, outlier.decided, outlier.dwells, outlier.points_by_pass) == ("outlier", True, 4, {2: [7]})
    assert (lock.what, lock.note, lock.dwells, lock.points_by_pass) == ("lock", "laser not locked", 4, {1: [4]})
    assert (beam.what, beam.note, beam.dwells, beam.points_by_pass) == ("quality", "beam lost", 1, {1: [2]})

    drawn = figure(tmp_path, page="ledger")
    (axes,) = [each for each in drawn.axes if each.get_xlabel() == "energy of the point / keV"]
    np.testing.assert_array_equal(axes.collections[0].get_array(), states)
    assert axes.get_title(loc="left").startswith(f"{book.counts()[0]} of {taken} dwells are good")
    phrase = "\n".join(text.get_text() for text in drawn.texts)
    assert "4 dwells  decided  +12 standard deviations  [pass 2 point 7]" in phrase
    assert "4 dwells  seen     laser not locked  [pass 1 point 4]" in phrase


def test_an_incomplete_point_and_a_pass_that_was_aborted(tmp_path: Path) -> None:
    (documents,) = scan_set_of(1, planned=2)
    corrupt(documents, 1, "no I0", dwells=2)
    stop = {**documents[-1][1], "exit_status": "abort", "reason": "somebody needed the beam"}
    with Acquisition(tmp_path) as session:
        session.take([*documents[:14], ("stop", stop)])
    book = book_of(tmp_path)
    assert book.states()[0, :4].tolist() == [COUNTS, PARTIAL, COUNTS, EMPTY]
    found = {reason.what: reason.note for reason in book.reasons()}
    assert found["abort"] == "somebody needed the beam" and found["I0"] == "no I0"
    assert "no result" in found  # too little of the grid


def test_a_decision_of_a_later_reduction_counts(tmp_path: Path) -> None:
    """`trxas reduce --leave-out` writes a reduced run beside the live one; its decisions are the newest."""
    (documents,) = scan_set_of(1)
    with Acquisition(tmp_path) as session:
        session.take(documents)
    with Acquisition(tmp_path) as later:
        later.reducer.exclusions.leave_out(uid_of_run(documents), 5, "by hand", "a glitch")
        replayed: Documents = []
        later._keep = None  # type: ignore[method-assign, assignment]
        later.reducer._publish = lambda name, doc: replayed.append((name, dict(doc)))
        for name, doc in documents:
            later.reducer(name, doc)
        replayed[0][1].update({REPLAYED: "journal", "time": documents[0][1]["time"] + 1e4})
        for name, doc in replayed:
            later.journal(name, doc)
    book = book_of(tmp_path)
    assert np.flatnonzero(book.states()[0] == LEFT_OUT).tolist() == [5]
    assert book.counts() == (DWELLS - len(SEGMENTS), DWELLS)  # the replay's dwells are not counted twice


def test_long_reasons_are_cut_and_marked_so() -> None:
    many = {number: list(range(30)) for number in range(1, 20)}
    reasons = [Reason("quality", "word " * 200, False, 7, many), Reason("lock", "x\x1b[2J", False, 1, {1: [2]})] * 9
    lines = lines_of(reasons)
    assert len(lines) == LINES and lines[-1].startswith("... and ")
    assert max(map(len, lines)) <= WIDTH and not any("\x1b" in line for line in lines)
    assert lines_of([]) == ["nothing"]
