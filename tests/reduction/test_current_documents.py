"""Currents of the bunches in raw documents, and the record of a scan that is damaged, stuck or missing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from reduction.counting.current_model import pass_readings
from reduction.counting.currents import CurrentStore
from reduction.counting.phases import Pattern
from reduction.documents.events import dwell_of
from reduction.documents.raw import raw_run
from reduction.errors import DocumentError
from tests.reduction.raw_documents import Bench, Reduced

PATTERN = Pattern(4, 6, 0, 4 * 271554.0)
"""12 phases."""
RECORD = [1.0, 2.0, 3.0, 2.0]


def reading(data: dict[str, Any], settings: dict[str, Any] | None = None, stamp: float = 1002.0) -> Any:
    start = {"uid": "r", "scan_set": "s", "scan_index": 0, "grid": [1.0], "pattern": [1, 0], "edge": "Br_K"}
    start |= {"pump_delay": 100.0, "time": 1000.0, "clock_rate": 10.0, "roles": {"bunch_currents": "bunches"}}
    windows = {"pre_edge": [13.45, 13.46], "integral": [13.46, 13.57]}
    run = raw_run({**start, "settings": {**windows, **(settings or {})}})
    event = {"point_index": 0, "segment": 0, "attempt": 0, "laser_on": 1, "quality": "good", "laser_phase": 0}
    event |= {"i0": 1.0, "i0_time": 2.0, "i0_gain": 1.0, "i0_dark": 0.0}
    event |= {"fpga_counts": np.zeros(12, np.int32), "fpga_gates": np.ones(12, np.int32), **data}
    stamps = {"bunches_record": stamp}
    return dwell_of({"data": event, "seq_num": 1, "time": 1003.0, "timestamps": stamps}, run, PATTERN).currents


def test_a_record_has_the_time_of_its_own_stamp_in_beamline_seconds():
    found = reading({"bunches_record": RECORD})
    assert found.values.tolist() == RECORD and found.time == 20.0 and found.stddev is None


def test_a_monitor_by_phase_is_averaged_over_the_phases_of_each_bunch_and_has_no_age():
    by_phase = np.tile(RECORD, 3) + np.repeat([-0.1, 0.0, 0.1], 4)
    found = reading({"bunches_by_phase": by_phase, "bunches_by_phase_stddev": np.full(12, 0.3)})
    np.testing.assert_allclose(found.values, RECORD)
    np.testing.assert_allclose(found.stddev, 0.3 / np.sqrt(3))
    assert np.isnan(found.time)


def test_settings_may_do_without():
    assert reading({"bunches_record": RECORD}, {"bunch_currents": "off"}) is None
    assert reading({}) is None


@pytest.mark.parametrize("key", ["bunches_record", "bunches_by_phase"])
def test_arrays_of_another_length_are_refused_by_their_key(key):
    with pytest.raises(DocumentError, match=rf"{key} has shape \(5,\)"):
        reading({key: np.ones(5)})


def scan(change: Any) -> Any:
    bench = Bench(24, 4, gates=20_000, spread=0.1, settings=Bench().settings | {"reference": "combined"})
    reduced = Reduced()
    result = reduced.take(bench.a_pass("one", change, roles={"bunch_currents": "bunches"}))
    assert [stop["exit_status"] for stop in reduced.stops()] == ["success"]
    return result


def test_a_damaged_record_costs_no_dwell_and_changes_nothing():
    """A dwell without a usable reading is interpolated between the others."""

    def good(data: dict[str, Any], number: int) -> None:
        data["bunches_record"] = np.full(24, 2.0)

    def damaged(data: dict[str, Any], number: int) -> None:
        data["bunches_record"] = np.full(24, np.nan if number in (3, 20) else 2.0)

    plain = scan(None)
    for change in (good, damaged):
        result = scan(change)
        np.testing.assert_allclose(result.transient, plain.transient, atol=1e-9)
        assert (result.dwells == 2).all()
        assert ("2 readings of the bunches' currents could not be used" in str(result.notes)) == (change is damaged)
        # equal currents are not what these bunches have; the efficiencies hold what is steady
        assert result.bunch_chi_square[0] > 10 and abs(result.bunch_chi_square[2] - 1) < 0.2


def test_a_record_of_other_bunches_is_not_used_and_noted():
    def other(data: dict[str, Any], number: int) -> None:
        data["bunches_record"] = np.full(24, np.nan)

    plain, result = scan(None), scan(other)
    np.testing.assert_array_equal(result.transient, plain.transient)
    assert "48 readings of the bunches' currents could not be used" in str(result.notes)
    assert "these dwells are not divided by them" in str(result.notes) and np.isnan(result.bunch_chi_square[2])


def test_a_pass_without_readings_is_named():
    def good(data: dict[str, Any], number: int) -> None:
        data["bunches_record"] = np.full(24, 2.0)

    bench = Bench(24, 4, gates=20_000, spread=0.1)
    roles = {"bunch_currents": "bunches"}
    result = Reduced().take(bench.a_pass("one", good, roles=roles), bench.a_pass("two", roles=roles, scan_index=1))
    assert "Counts of pass 2 are not divided by currents of the bunches" in str(result.notes)


@pytest.mark.parametrize("reference", ["paper", "shutter", "slots", "combined"])
def test_a_bunch_that_saturates_costs_only_the_slot_that_sees_no_other(reference):
    """Pumped once a turn, each slot sees one bunch."""

    def saturate(data: dict[str, Any], number: int) -> None:
        data["fpga_counts"][3] = data["fpga_gates"][3]

    bench = Bench(9, 9, gates=20_000, spread=0.1, settings=Bench().settings | {"reference": reference})
    result = Reduced().take(bench.a_pass("one", saturate))
    lost = np.isnan(result.transient).all(axis=1)
    assert lost[3] and not lost[:3].any() and not lost[4:8].any()
    assert result.transient_slot_covariance.shape == (9, 9, 12, 12)
    assert "Of 9 slots these have no result, since all their bunches are excluded: 3." in str(result.notes)


def test_a_dwell_between_two_readings_has_the_current_between_them():
    """A dwell from 2 to 3 s, readings at 0 and 10 s; the age is that of their noise, zero at either of them."""
    store = SimpleNamespace(log={0: np.array([[1.0], [3.0]])}, time={0: np.array([0.0, 10.0])})
    middle, came = np.array([[2.5], [9.5]]), np.ones((2, 1), bool)
    found = pass_readings(cast(CurrentStore, store), [0], middle, np.ones((2, 1)), came)
    assert found.moments.mean(axis=1) == pytest.approx([2.5, 9.5])
    current = (found.weight[..., None] * found.log[found.index]).sum(axis=1)[:, 0]
    assert current == pytest.approx([1.5, 2.9])
    assert found.age == pytest.approx([2.5 * 0.75, 9.5 * 0.05], rel=0.2)
