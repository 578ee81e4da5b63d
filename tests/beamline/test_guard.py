"""A live reducer that fails at any document: raw data are complete, one message, and the next run is reduced again."""

from __future__ import annotations

import pytest

from beamline.records.journal import Journal, read, run_file
from beamline.session.guard import Guard
from reduction.live.reducer import LiveReducer
from tests.beamline.raw_scans import DWELLS, scan_set_of

LAST = DWELLS + 2
"""Number of a pass's stop document: after start, descriptor and all events."""


class FailsAt:
    """A live reducer that raises at one document of the first run."""

    def __init__(self, number: int) -> None:
        self.reduced: list[tuple[str, dict]] = []
        self._reducer = LiveReducer(lambda name, doc: self.reduced.append((name, dict(doc))))
        self._left = number

    def __call__(self, name, doc):
        if self._left == 0:
            self._left = -1
            raise KeyError(f"lost at a {name}")
        self._left -= 1
        self._reducer(name, doc)


@pytest.mark.parametrize("number", [0, 1, 2, DWELLS // 2, LAST - 1, LAST])
def test_raw_data_are_whole_wherever_the_reducer_fails(tmp_path, number):
    first, second = scan_set_of(1, seed=1)[0], scan_set_of(1, seed=2)[0]
    journal, messages = Journal(tmp_path, min_free_bytes=0), []
    reducer = FailsAt(number)
    guard = Guard(reducer, "live reduction", messages.append)
    for name, doc in first:
        journal(name, doc)
        guard(name, doc)
    assert guard.failure == f"KeyError: 'lost at a {first[number][0]}'"
    assert (
        len(messages) == 1
        and messages[0].startswith("DEGRADED: live reduction failed")
        and "raw data are kept" in messages[0]
    )
    assert [name for name, _ in read(run_file(tmp_path, first[0][1]["uid"]))] == [name for name, _ in first]
    for name, doc in second:
        guard(name, doc)
    assert guard.failure is None and len(messages) == 1
    whole = [doc for name, doc in reducer.reduced if name == "start" and doc["analysis_of"] == second[0][1]["uid"]]
    assert len(whole) == 1
    journal.close()
