"""The main feature of an edge, from the journal: the largest significant transient of the newest energy scan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from beamline.session.scans import edges
from beamline.session.scans.edges import EdgeBook, largest_transient
from plans.compilation.edges import find_edge
from tests.beamline.shift import SAMPLE, Shift


def test_it_is_where_the_transient_is_largest(shift: Shift, monkeypatch: pytest.MonkeyPatch) -> None:
    data = shift.data("energy", "spectrum")
    transient, stddev = (np.asarray(data[key])[0] for key in ("transient", "transient_stddev"))
    monkeypatch.setattr(edges, "LEAST_SIGMA", float(np.abs(transient / stddev).max()) / 1.5)
    ranked = np.argsort(-np.abs(transient))
    significant = [point for point in ranked if abs(transient[point]) > edges.LEAST_SIGMA * stddev[point]]
    assert largest_transient(shift.root, "Br_K", SAMPLE) == data["energy"][significant[0]]


def test_noise_is_no_feature(shift: Shift, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edges, "LEAST_SIGMA", 1e6)
    with pytest.raises(ValueError, match=r"^the main feature of Br_K is not known: no transient of its newest energy"):
        largest_transient(shift.root, "Br_K", SAMPLE)


def test_another_sample_or_edge_has_none(shift: Shift) -> None:
    for edge, sample in (("Br_K", "another"), ("Fe_K", SAMPLE)):
        with pytest.raises(ValueError, match=rf"^the main feature of {edge} is not known, and no energy scan of"):
            largest_transient(shift.root, edge, sample)


def test_an_entry_comes_first(tmp_path: Path) -> None:
    assert EdgeBook(tmp_path).with_main_feature(find_edge("Br_K"), "any") is find_edge("Br_K")
