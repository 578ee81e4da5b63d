"""Dead time of the elements of an energy-dispersive detector: by hand, and against a drawn renewal process."""

from __future__ import annotations

import numpy as np
import pytest

from reduction.documents.detectors import Detector
from reduction.documents.live_time import live_counts

TICK = 12.5e-9
ELEMENT = Detector("e1", "counter", "sdd.e1", live_time=True, width_error=0.05)


def event(region: float, ticks: float, events: float, resets: float, width: float) -> dict[str, float]:
    values = {"region": region, "ticks": ticks, "events": events, "reset_ticks": resets, "width": width}
    return {f"sdd_e1_{name}": value for name, value in values.items()}


def test_live_time_by_hand() -> None:
    counts = live_counts(event(1000, 100_000, 2000, 500, 19), ELEMENT)  # 2000 events of 20 ticks, 500 of resets
    assert counts.hits.tolist() == [1000] and counts.gates.tolist() == [100_000 - 40_000 - 500]
    assert counts.dead == pytest.approx(0.405)
    assert counts.shift == pytest.approx(0.05 * 40_000 / 59_500)
    assert counts.fault == ""
    full = live_counts(event(10, 100_000, 4600, 500, 19), ELEMENT)
    assert full.fault == "saturated: dead for 92 % of the time"
    assert live_counts(event(10, 100_000, 6000, 0, 19), ELEMENT).gates.tolist() == [0]


def test_the_rate_of_a_renewal_process_is_unbiased_and_its_error_is_that_of_the_counts() -> None:
    rng, rate, dead, seconds, share, repeats = np.random.default_rng(3), 1e6, 40 * TICK, 2e-3, 0.4, 1500
    arrivals = np.cumsum(rng.exponential(1 / rate, (repeats, 2600)) + dead, axis=1)
    events = (arrivals - dead < seconds).sum(axis=1)
    assert events.max() < 2600
    region = rng.binomial(events, share)
    found = [live_counts(event(k, seconds / TICK, n, 0, 39), ELEMENT) for k, n in zip(region, events, strict=True)]
    hits, gates = (np.array([getattr(each, name)[0] for each in found]) for name in ("hits", "gates"))
    measured = hits / (gates * TICK)
    pull = (measured - rate * share) / (measured / np.sqrt(hits))
    assert abs(pull.mean()) < 4 / np.sqrt(repeats)
    assert pull.std() == pytest.approx(1, abs=4 / np.sqrt(2 * repeats))
    naive = np.sqrt(hits) / hits.mean()  # without the dead time a third of the rate is missing
    assert (hits / seconds).mean() < 0.7 * rate * share and naive.mean() < 0.1


def test_the_shift_is_what_another_width_would_give() -> None:
    data = event(1000, 100_000, 2000, 500, 19)
    wider = {**data, "sdd_e1_width": 20 * 1.05 - 1}
    before, after = (live_counts(each, ELEMENT) for each in (data, wider))
    change = (after.hits[0] / after.gates[0]) / (before.hits[0] / before.gates[0]) - 1
    assert before.shift == pytest.approx(change, rel=0.05)
