"""A scan recorded by an earlier version gives the numbers that it gave then."""

from __future__ import annotations

import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from beamline.outputs.export.result import read_result
from beamline.outputs.report.numbers import numbers_of
from beamline.records.runs.compare import Document, streams_of
from beamline.records.runs.job import plan_job
from beamline.records.runs.journal_runs import JournalRuns
from beamline.records.runs.replay import replay
from plans.compilation.edges import find_edge
from reduction.documents.covariances import (
    FACTORED,
    OF_ALL,
    OF_SLOTS,
    covariance_between,
    covariance_of_slots,
    slots_with_common,
)
from reduction.documents.streams import RESULT_STREAMS
from reduction.references import dwell_noise

RECORDED = Path(__file__).parents[1] / "data" / "recorded_scan.tar.xz"
SAME = 1e-9
"""Relative difference allowed: processors differ in the last bits of a matrix product; versions may not do more."""
CHANGED = {"residual", "residual_stddev"}
"""What late slots still contain is bounded by a wider family of decays since; nothing of ``paper`` depends on it."""
PASSES = ("f83739c9", "8b32141f")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> JournalRuns:
    root = tmp_path_factory.mktemp("recorded")
    (root / "journal").mkdir()
    with tarfile.open(RECORDED) as archive:
        archive.extractall(root / "journal", filter="data")
    return JournalRuns(root)


@pytest.fixture
def earlier_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """The noise of a single pass from all dwells of one state, that of several from their contrasts, all with the same
    weight: since then from dwells that follow each other, parts of passes, and with weights."""
    weighted = dwell_noise._weighted_excess
    monkeypatch.setattr(dwell_noise, "ENOUGH", sys.maxsize)
    monkeypatch.setattr(dwell_noise, "parts_of_passes", lambda rows: rows.pass_index)
    monkeypatch.setattr(
        dwell_noise,
        "_weighted_excess",
        lambda values, counting, factor, weight: weighted(values, counting, factor, np.where(weight > 0, 1.0, 0.0)),
    )


def numbers(event: Document) -> dict[str, np.ndarray]:
    found = {key: np.asarray(value) for key, value in event.items()}
    return {key: value for key, value in found.items() if value.dtype.kind in "fiu"}


def whole(event: Document) -> dict[str, np.ndarray]:
    """Covariances that are stored as factors, as earlier versions stored them."""
    if FACTORED[0] not in event:
        return {}
    slots = slots_with_common(event)
    return {OF_SLOTS: covariance_of_slots(event), OF_ALL: covariance_between(event, slots)}


@pytest.mark.usefixtures("earlier_noise")
@pytest.mark.parametrize("uid", PASSES)
def test_a_scan_of_an_earlier_version_gives_its_numbers_again(store: JournalRuns, uid: str):
    """Without the drift within passes, which earlier versions did not take out."""
    runs = store.runs()
    compared = 0
    as_now, as_then = (replay(store, runs, plan_job(runs, uid, changes)) for changes in ({}, {"drift": "off"}))
    for again, then in zip(as_now, as_then, strict=True):
        assert again.stored is not None
        before, after = streams_of(store.documents(again.stored.uid)), streams_of(then.documents)
        for stream in ("points", *RESULT_STREAMS):
            for was, now in zip(before.get(stream, []), after.get(stream, []), strict=True):
                is_now = {**numbers(now), **whole(now)}
                for key, value in numbers(was).items():
                    if key in CHANGED:
                        continue
                    np.testing.assert_allclose(is_now[key], value, rtol=SAME, atol=SAME, err_msg=f"{stream} {key}")
                    compared += 1
    assert compared > 100


@pytest.mark.usefixtures("earlier_noise")
@pytest.mark.parametrize("uid", PASSES)
def test_notes_worded_otherwise_are_no_disagreement_of_numbers(store: JournalRuns, uid: str):
    runs = store.runs()
    (stored,) = replay(store, runs, plan_job(runs, uid, {}))
    without_drift = replace(plan_job(runs, uid, {"drift": "off"}), against=stored.stored)
    (again,) = replay(store, runs, without_drift)
    found = again.agreement
    assert found is not None
    assert {"notes of event 1 in boxcar_box1", "notes of event 1 in boxcar_box2"} <= set(found.reworded)
    assert f"notes worded differently since then: {len(found.reworded)}" in str(found)
    assert not [text for text in found.differences if "notes" in text or "sentences" in text]


def test_the_edge_of_a_scan_of_an_earlier_version_is_known(store: JournalRuns):
    """Windows and main feature of bromine come from its entry now, as before."""
    result = read_result(store, store.runs(), PASSES[-1])
    assert tuple(result.start["settings"]["pre_edge"]) == find_edge("Br_K").pre_edge
    shown = [(each.name, each.value) for each in numbers_of(result, {})][:3]
    assert shown == [
        ("slot 0, 100 ps: transient at 13.4720 keV", "(-1.766 +- 0.634) %"),
        ("slot 0, 100 ps: C", "none"),  # of these few energies
        ("slot 0, 100 ps: absolute area", "0.4826 +- 0.0844 eV"),
    ]
