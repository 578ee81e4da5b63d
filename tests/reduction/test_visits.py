"""After an axis was lost a point is repeated from segment 0: the last visit counts, the rest is reported."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reduction.counting.accumulate import CountingAccumulator
from reduction.counting.phases import Pattern
from reduction.counting.visits import INCOMPLETE, RETAKEN
from reduction.diagnostics.exclusions import Entry
from reduction.live.reducer import LiveReducer
from tests.beamline.raw_scans import raw_scan
from tests.reduction.test_kernel import RATE, dwell_at

PATTERN = (1, 0, 0, 1)
OLD, NEW, GATES = np.full(120, 9_000), np.full(120, 5_000), np.full(120, 50_000)
SLIP = "mono_energy is not at the point"


def visit(sums: CountingAccumulator, dwells: int, hits: Any, attempt: int = 0, slips: bool = False) -> list[int]:
    """Dwells from segment 0 on, the last one bad where the energy slips; how many each superseded."""
    return [
        sums.add(
            dwell_at(
                0, segment, bool(PATTERN[segment % 4]), hits, GATES, 0.15, attempt=attempt,
                quality=SLIP if slips and segment == dwells - 1 else "good",
            )
        ).superseded
        for segment in range(dwells)
    ]  # fmt: skip


def test_whatever_was_taken_before_the_last_visit_does_not_count() -> None:
    for first in range(1, 9):
        for second in (4, 8):
            sums, alone = (CountingAccumulator(Pattern(24, 5, 0, RATE), 1, 1e-3) for _ in range(2))
            assert visit(sums, first, OLD, slips=True) == [0] * first
            assert visit(sums, second, NEW, attempt=1)[0] == (first - 1 if first > 1 else 0)
            assert sums.drop_incomplete_points("a", 4) == {}
            visit(alone, second, NEW)
            assert sums.dwells_at(0) == alone.dwells_at(0) == (second // 2, second // 2)
            np.testing.assert_array_equal(sums.result().rate, alone.result().rate)
            np.testing.assert_array_equal(sums.result().covariance, alone.result().covariance)
            assert sums.result().rate[0, 0, 0] == pytest.approx(-np.log(0.9) / 0.15, rel=1e-4)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_a_pass_counts_its_last_visits_where_they_are_whole(lengths: list[int]) -> None:
    sums = CountingAccumulator(Pattern(24, 5, 0, RATE), 1, 1e-3)
    for attempt, dwells in enumerate(lengths):
        visit(sums, dwells, OLD, attempt)
    left_out = sums.drop_incomplete_points("a", 4)
    whole = lengths[-1] % 4 == 0
    assert sum(sums.dwells_at(0)) == (lengths[-1] if whole else 0)
    assert left_out == ({} if whole else {0: lengths[-1]})


def test_a_later_part_of_a_pass_takes_the_place_of_an_earlier_visit() -> None:
    earlier, later = (CountingAccumulator(Pattern(24, 5, 0, RATE), 1, 1e-3) for _ in range(2))
    visit(earlier, 6, OLD)
    visit(later, 4, NEW, attempt=1)
    earlier.merge(later)
    assert earlier.dwells_at(0) == (2, 2)
    np.testing.assert_array_equal(earlier.result().rate, later.result().rate)


def test_what_is_left_out_is_in_the_ledger_with_its_reason() -> None:
    """Point 2 slips in its last dwell and is retaken; point 3 is taken half."""
    documents = raw_scan(1, "set")
    events = [doc for name, doc in documents if name == "event"]
    again = [doc for doc in events if doc["data"]["point_index"] == 2]
    changed: list[tuple[str, dict[str, Any]]] = []
    for name, doc in documents:
        if name == "event" and doc["data"]["point_index"] == 3 and doc["data"]["segment"] > 1:
            continue
        changed.append((name, doc))
        if name == "event" and doc is again[-1]:
            doc["data"]["quality"] = SLIP
            changed += [
                ("event", {**each, "data": {**each["data"], "attempt": 1, "quality": "good"}}) for each in again
            ]
    reduced: list[tuple[str, dict[str, Any]]] = []
    reducer = LiveReducer(lambda name, doc: reduced.append((name, doc)))
    for name, doc in changed:
        reducer(name, doc)
    uid = documents[0][1]["uid"]
    length = len(again)
    assert reducer.exclusions.seen == {
        Entry(uid, 2, "quality", SLIP): 1,
        Entry(uid, 2, "quality", RETAKEN): length - 1,
        Entry(uid, 3, "quality", INCOMPLETE): 2,
    }
    assert reduced[-1][1]["exit_status"] == "success"
