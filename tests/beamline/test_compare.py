"""Comparison of stored and replayed runs to the bit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from beamline.records.runs.compare import compare


def run_of(points: list[dict[str, Any]], spectrum: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for stream, events in (("points", points), ("spectrum", spectrum)):
        yield "descriptor", {"uid": stream, "name": stream}
        for number, data in enumerate(events, start=1):
            yield "event", {"descriptor": stream, "seq_num": number, "data": data}


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (1.0, True), (np.float64(1.0), True), (1, False), (np.float32(1.0), False),
        (np.nextafter(1.0, 2.0), False), (float("nan"), False), ([1.0], False), ("1.0", False),
    ],
)  # fmt: skip
def test_comparison_is_to_the_bit(other: Any, same: bool) -> None:
    one, two = ([{"point_index": 0, "rate": value}] for value in (1.0, other))
    assert compare(run_of(one, []), run_of(two, [])).exact is same
    assert compare(run_of(two, []), run_of(one, [])).exact is same


def test_a_key_that_an_earlier_version_did_not_store_is_named_and_no_difference() -> None:
    older, newer = {"point_index": 0, "rate": 1.0}, {"point_index": 0, "rate": 1.0, "provisional": 0}
    agreement = compare(run_of([newer], []), run_of([older], []))
    assert agreement.exact
    assert agreement.added == ("provisional",)
    assert "new since then: provisional" in str(agreement)
    assert not compare(run_of([older], []), run_of([newer], [])).exact


@pytest.mark.parametrize(
    ("key", "now", "reworded"),
    [
        ("notes", "Slot 4 still holds 0.03 of 1e-3.", True), ("notes", "Slot 4 still holds 0.04 of 1e-3.", False),
        ("notes", "Slot 4.", False), ("notes", "", False), ("reference", "Slot 4 still holds 0.03 of 1e-3.", False),
    ],
)  # fmt: skip
def test_only_notes_with_the_same_numbers_count_as_reworded(key: str, now: str, reworded: bool) -> None:
    before = {key: "Slot 4 is left with 0.03 of 1e-3."}
    found = compare(run_of([], [{key: now}]), run_of([], [before]))
    assert found.exact is reworded
    assert found.reworded == ((f"{key} of event 1 in spectrum",) if reworded else ())
    assert (str(found) == "all 1 events agree to the bit (notes worded differently since then: 1)") is reworded


def test_comparison_distinguishes_nan_and_the_sign_of_zero() -> None:
    def of(value: float) -> Iterator[tuple[str, dict[str, Any]]]:
        return run_of([{"point_index": 0, "rate": np.array([value, 2.0])}], [])

    assert compare(of(float("nan")), of(-float("nan"))).exact
    assert not compare(of(0.0), of(-0.0)).exact
    assert not compare(of(0.0), of(float("nan"))).exact
    assert compare(of(0.0), of(float("inf"))).differences == ("rate of event 1 in points",)


def test_a_stored_run_with_more_than_the_replay_differs() -> None:
    event = {"point_index": 0, "rate": 1.0}
    agreement = compare(run_of([event], []), run_of([event, event], []))
    assert agreement.differences == ("points has 2 events stored, 1 replayed",) and not agreement.only_begins
    begins = compare(run_of([event, event], [event]), run_of([event], []))
    assert begins.only_begins and begins.missing == 2 and not begins.exact
