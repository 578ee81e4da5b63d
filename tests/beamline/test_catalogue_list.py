"""`trxas list --from catalogue` asks a server without a search for the newest runs, however many there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from beamline.records.runs import store as stores
from beamline.records.runs.store import CatalogueRuns

Ask = Callable[[list[dict[str, Any]]], tuple[CatalogueRuns, list[int | None]]]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Makes a store on a catalogue of these start documents, and lists how many runs it asks for."""

    def make(starts: list[dict[str, Any]]) -> tuple[CatalogueRuns, list[int | None]]:
        asked: list[int | None] = []
        listed = [{"start": start, "stop": {}, "notes": [], "corrections": [], "logbook": []} for start in starts]

        def list_runs(client: Any, newest: int | None = None) -> list[dict[str, Any]]:
            asked.append(newest)
            return listed[-newest:] if newest else listed

        monkeypatch.setattr(stores, "open_catalogue", lambda *_: None)
        monkeypatch.setattr(stores, "list_runs", list_runs)
        monkeypatch.setattr(stores, "search_runs", lambda *_: None)
        return CatalogueRuns("nowhere"), asked

    return make


def measured(count: int, reductions: int) -> list[dict[str, Any]]:
    """Start documents of raw runs, each followed by its reduced runs."""
    documents = []
    for number in range(count):
        documents.append({"uid": f"raw{number}", "time": 100.0 * number, "scan_id": number})
        documents += [
            {"uid": f"reduced{number}-{n}", "time": 100.0 * number + n + 1, "analysis_of": f"raw{number}"}
            for n in range(reductions)
        ]
    return documents


@pytest.mark.parametrize(("reductions", "requests"), [(1, 1), (6, 2)])
def test_no_more_is_asked_for_than_is_shown(ask: Ask, reductions: int, requests: int) -> None:
    store, asked = ask(measured(1000, reductions))
    runs = store.runs(newest=20)
    raw = [run.uid for run in runs if run.raw_uid is None]
    assert len(raw) > 20 and raw[-20:] == [f"raw{number}" for number in range(980, 1000)]
    assert {run.raw_uid for run in runs if run.raw_uid} <= set(raw)
    for uid in raw[-20:]:
        assert sum(run.raw_uid == uid for run in runs) == reductions
    assert len(asked) == requests and all(each is not None and each < 1000 for each in asked)


def test_a_small_catalogue_is_listed_whole(ask: Ask) -> None:
    store, _ = ask([*measured(5, 1), {"uid": "other", "time": 1e6, "analysis_of": "elsewhere"}])
    assert len(store.runs(newest=20)) == len(store.runs()) == 11
