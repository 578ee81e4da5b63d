"""Pump slots summed in bins of time after the pump."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reduction.counting.accumulate import CountingAccumulator
from reduction.counting.dwell import Dwell
from reduction.counting.phases import Pattern
from reduction.counting.slot_bins import with_bins
from reduction.errors import ReductionError
from reduction.settings import Settings

SETTINGS = Settings(pre_edge=(13.45, 13.46), integral=(13.46, 13.57))
TURNS = 271554.0
FILLS = [(24, 5), (24, 4), (48, 10), (9, 9), (324, 324), (324, 1296), (4, 1420), (24, 1000)]


def pattern(bunches: int, divider: int, laser_phase: int = 0) -> Pattern:
    return Pattern(bunches, divider, laser_phase, bunches * TURNS)


@pytest.mark.parametrize(("bunches", "divider"), FILLS)
def test_every_pump_slot_is_in_one_bin_and_bins_ascend_in_time(bunches, divider):
    binned = with_bins(pattern(bunches, divider), SETTINGS, 100.0)
    assert binned.num_slots == divider if divider <= 12 else 5 < binned.num_slots < 20
    number = np.array(binned.bin_of_slot or range(divider))
    times = binned.pump_slot_delays(100.0)
    assert np.unique(number).tolist() == list(range(binned.num_slots))
    assert (np.diff(number[np.argsort(times)]) >= 0).all()
    np.testing.assert_allclose(
        binned.probe_delays(100.0), [times[number == each].mean() for each in range(binned.num_slots)]
    )
    phases = binned.slot_of_phase(laser_phase=3)
    assert (phases == number[(np.arange(binned.num_phases) - 3) % divider]).all()


def test_logarithmic_bins_have_as_many_in_each_decade_and_the_first_slot_by_itself():
    binned = with_bins(pattern(1, 2000), replace(SETTINGS, slot_bins="log", slots_per_decade=5, before_pump=1.0), 100.0)
    number = np.array(binned.bin_of_slot)
    assert (number == 0).sum() == 1
    since = np.arange(2000)[number > 0]
    edges = [since[number[1:] == each].min() for each in range(1, number.max() + 1)]
    assert len([edge for edge in edges if 10 <= edge < 100]) == 5
    assert len([edge for edge in edges if 100 <= edge < 1000]) == 5


def test_linear_bins_have_the_width():
    settings = replace(SETTINGS, slot_bins="linear", slot_width=1e6)
    binned = with_bins(pattern(24, 24), settings, 100.0)
    times = binned.pump_slot_delays(100.0)
    assert binned.bin_of_slot == tuple(int(time // 1e6) for time in times)


def test_edges_name_the_bins_and_slots_outside_are_in_none():
    settings = replace(SETTINGS, slot_bins="edges", slot_edges=(0.0, 1e3, 1e6, 2e6))
    binned = with_bins(pattern(24, 24), settings, 100.0)
    times = binned.pump_slot_delays(100.0)
    expected = [0 if time < 1e3 else 1 if time < 1e6 else 2 if time < 2e6 else -1 for time in times]
    assert list(binned.bin_of_slot) == expected
    with pytest.raises(ReductionError, match="no pump slot lies between the slot_edges"):
        with_bins(pattern(24, 24), replace(settings, slot_edges=(5e7, 6e7)), 100.0)


def test_slots_right_before_the_pump_are_a_bin_of_their_own_where_the_laser_is_slow():
    slow = with_bins(pattern(24, 240), SETTINGS, 100.0)
    number = np.array(slow.bin_of_slot)
    assert slow.before_pump == tuple(range(216, 240)) == tuple(np.flatnonzero(number == number.max()))
    assert with_bins(pattern(24, 24), SETTINGS, 100.0).before_pump == ()
    late = with_bins(pattern(24, 240), replace(SETTINGS, before_pump=7.4e6), 100.0)
    assert late.before_pump == tuple(range(192, 240))
    early = with_bins(pattern(24, 240), SETTINGS, -100.0)  # slot 0 comes right before the pump then
    assert early.before_pump == (0, *range(217, 240))


def test_slot_0_is_a_bin_of_its_own_where_its_delay_is_scanned():
    settings = replace(SETTINGS, slot_bins="linear", slot_width=1e6)
    binned = with_bins(pattern(24, 48), settings, None)
    assert [slot for slot, number in enumerate(binned.bin_of_slot) if number == 0] == [0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"slot_bins": "some"}, "slot_bins must be one of auto, each, log, linear, edges"),
        ({"slot_bins": "linear"}, "slot_bins 'linear' needs slot_width"),
        ({"slot_bins": "edges"}, "slot_bins 'edges' needs slot_edges"),
        ({"slot_edges": (2.0, 1.0)}, "slot_edges must be two or more ascending times"),
        ({"slots_per_decade": 0}, "slots_per_decade must be a whole number from 1 to 20"),
        ({"slot_width": -1.0}, "slot_width must be a number of ps above 0"),
        ({"before_pump": 0.0}, "before_pump must be a number of ps above 0"),
        ({"bunch_currents": "on"}, "bunch_currents must be one of auto, off"),
        ({"bunch_noise": 2.0}, "bunch_noise must lie between 0 and 1"),
    ],
)
def test_settings_that_mean_nothing_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(SETTINGS, **changes)
    with pytest.raises(ValueError, match=message):
        Settings.from_mapping({**SETTINGS.to_mapping(), **changes})


def test_too_many_slots_are_refused():
    with pytest.raises(ReductionError, match="324 slots are too many to keep the covariance"):
        with_bins(pattern(324, 324), replace(SETTINGS, slot_bins="each"), 100.0)


def test_a_bin_is_the_mean_over_all_its_phases_with_its_error():
    """Against plain numpy, with slots of 1 and of many phases."""
    settings = replace(SETTINGS, slot_bins="edges", slot_edges=(0.0, 1e3, 1e6, 1e7))
    binned = with_bins(pattern(24, 48), settings, 100.0)
    rng = np.random.default_rng(1)
    gates = np.full(48, 4000)
    hits = rng.binomial(gates, 0.3)
    sums = CountingAccumulator(binned, 1, 0.0)
    sums.add(Dwell("a", 0, 0, 0, True, "good", 0.1, hits, gates, 5))
    rows = sums.rows()
    mu = -np.log(1 - hits / gates) - hits / (2 * gates * (gates - hits))
    variance = hits / (gates * (gates - hits))
    slot = np.array(binned.bin_of_slot)[(np.arange(48) - 5) % 48]
    for each in range(3):
        assert rows.slot_mu[0, 0, each] == pytest.approx(mu[slot == each].mean())
        assert rows.slot_var[0, 0, each] == pytest.approx(variance[slot == each].sum() / (slot == each).sum() ** 2)
