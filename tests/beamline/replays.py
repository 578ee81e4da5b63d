"""Replays of a journal or catalogue, and their comparison by numpy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from beamline.records.journal import Journal
from beamline.records.runs.job import plan_job
from beamline.records.runs.replay import Replayed, replay
from beamline.records.runs.store import open_runs
from tests.beamline.example_runs import Documents, events_of


def redo(
    root: Path, name: str, source: str = "journal", catalogue: Path | None = None, **changes: Any
) -> list[Replayed]:
    store = open_runs(source, root, catalogue or root / "catalogue")
    try:
        runs = store.runs()
        return replay(store, runs, plan_job(runs, name, changes))
    finally:
        store.close()


def keep(root: Path, results: list[Replayed]) -> None:
    journal = Journal(root, min_free_bytes=0)
    for result in results:
        for name, doc in result.documents:
            journal(name, doc)
    journal.close()


def assert_equal(one: Documents, other: Documents) -> None:
    """The same data in the same events, to the bit; by numpy, not by the code under test."""
    for stream in ("points", "spectrum"):
        ours, theirs = events_of(one, stream), events_of(other, stream)
        assert len(ours) == len(theirs)
        for mine, its in zip(ours, theirs, strict=True):
            assert mine["data"].keys() == its["data"].keys()
            for key in mine["data"]:
                a, b = np.asarray(mine["data"][key]), np.asarray(its["data"][key])
                assert a.dtype.kind == b.dtype.kind
                np.testing.assert_array_equal(a, b, err_msg=key)
                if a.dtype.kind == "f":
                    assert np.nan_to_num(a, nan=1.5).tobytes() == np.nan_to_num(b, nan=1.5).tobytes(), key
