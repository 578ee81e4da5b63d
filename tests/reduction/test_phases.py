"""Phases, bunches and slots against the definition, spelt out crossing by crossing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reduction.counting.phases import Pattern
from reduction.documents.events import dwell_of
from reduction.documents.patterns import pattern_of
from reduction.documents.raw import EVENT_KEYS, DocumentError, raw_run


@pytest.mark.parametrize(("bunches", "divider", "first"), [(24, 5, 0), (24, 5, 3), (324, 4, 1), (6, 4, 2)])
def test_phases_follow_the_crossings(bunches, divider, first):
    pattern = Pattern(bunches, divider, first, 6.5e6)
    seen = []
    since_pump = -first % divider
    for crossing in range(3 * bunches * divider):
        seen.append((crossing % bunches, since_pump))
        since_pump = (since_pump + 1) % divider
    period = next(n for n in range(1, len(seen)) if seen[n:] == seen[:-n])
    assert pattern.num_phases == period
    assert pattern.bunch_of_phase().tolist() == [bunch for bunch, _ in seen[:period]]
    assert pattern.slot_of_phase().tolist() == [slot for _, slot in seen[:period]]
    assert pattern.slots_share_bunches == (len({b for b, s in seen if s == 0}) == bunches)


def test_probe_delays_of_the_experiment():
    pattern = Pattern(24, 5, 0, 351.933984e6 * 24 / 1296)
    np.testing.assert_allclose(pattern.probe_delays(10_100)[:2] / 1000, [10.1, 163.538], atol=1e-3)
    assert pattern.probe_delays(-1000).argmax() == 0


def test_impossible_patterns_are_refused():
    for values in ((0, 5, 0, 1.0), (24, 0, 0, 1.0), (24, 5, 0, 0.0)):
        with pytest.raises(ValueError, match="must be"):
            Pattern(*values)


BUCKETS = (0, 564, 588, 612, 636, 660, 684, 708, 732)
"""Middles of the pulses of a hybrid fill in 1296 buckets: one bunch alone, then eight groups, 24 buckets apart."""
BUCKET = 1e12 / 351.933984e6
HYBRID = tuple(bucket / 1296 for bucket in BUCKETS)
TURNS = 351.933984e6 / 1296


@pytest.mark.parametrize("pumped", [0, 1, 8])
def test_in_a_hybrid_fill_slots_have_the_delays_of_their_bunches(pumped):
    """Time from a bunch to those that follow it, counted in buckets round the ring."""
    pattern = Pattern(9, 9, pumped, 9 * TURNS, HYBRID)
    assert not pattern.evenly_spaced
    following = [(BUCKETS[(pumped + s) % 9] - BUCKETS[pumped]) % 1296 for s in range(9)]
    np.testing.assert_allclose(pattern.probe_delays(100.0), 100.0 + np.array(following) * BUCKET, atol=1e-3)
    assert pattern.probe_delays(-100.0)[0] == pytest.approx(1296 * BUCKET - 100.0)


def test_bins_of_slots_weigh_as_many_phases_as_they_have():
    pattern = replace(Pattern(24, 240, 0, 24 * TURNS), bin_of_slot=60 * (0,) + 180 * (1,))
    np.testing.assert_allclose(pattern.slot_weight(), [0.5, 1.5])


def test_even_places_change_nothing():
    with_positions = Pattern(24, 5, 3, 24 * TURNS, tuple(np.arange(24) / 24))
    without = Pattern(24, 5, 0, 24 * TURNS)
    assert with_positions.evenly_spaced and with_positions.has_slots_of(without)
    np.testing.assert_allclose(with_positions.probe_delays(250.0), without.probe_delays(250.0), atol=1e-6)


def test_what_has_other_slots_is_not_summed():
    pattern = Pattern(9, 9, 0, 9 * TURNS, HYBRID)
    assert pattern.has_slots_of(Pattern(9, 9, 0, 9 * TURNS, HYBRID))
    assert not pattern.has_slots_of(Pattern(9, 9, 1, 9 * TURNS, HYBRID))
    assert not pattern.has_slots_of(Pattern(9, 9, 0, 9 * TURNS))
    assert not pattern.has_slots_of(Pattern(9, 3, 0, 9 * TURNS))


@pytest.mark.parametrize(
    ("divider", "positions", "message"),
    [
        (3, HYBRID, "divider 3 a slot has several delays after the pump"),
        (5, HYBRID, "divider 5 a slot has several delays"),
        (9, HYBRID[:8], "8 bunches have a position, and num_bunches is 9"),
        (9, HYBRID[::-1], "bunch_positions must ascend"),
        (9, (*HYBRID[:8], 1.0), "bunch_positions must ascend"),
    ],
)
def test_fills_in_which_slots_mean_nothing_are_refused(divider, positions, message):
    with pytest.raises(ValueError, match=message):
        Pattern(9, divider, 0, 9 * TURNS, positions)


def test_two_trains_alike_may_be_pumped_in_turn():
    """Uneven, but from each of the two pumped bunches the ring looks the same."""
    pattern = Pattern(6, 3, 0, 6 * TURNS, (0.0, 0.1, 0.2, 0.5, 0.6, 0.7))
    np.testing.assert_allclose(pattern.probe_delays(0.0), np.array([0.0, 0.1, 0.2]) * 1e12 / TURNS)


def test_documents_carry_the_places():
    keys = {"fpga_counts": {"shape": [9]}, "fpga_gates": {"shape": [9]}}
    keys |= {key: {"shape": []} for key in EVENT_KEYS if key not in keys}
    timing = {"timing_num_bunches": 9, "timing_laser_divider": 9, "timing_bunch_rate": 9 * TURNS}

    def read(**more):
        configuration = {"timing": {"data": {**timing, **more}}}
        return pattern_of({"uid": "d", "data_keys": keys, "configuration": configuration})

    assert read(timing_laser_phase=2, timing_bunch_places=list(HYBRID)) == Pattern(9, 9, 2, 9 * TURNS, HYBRID)
    assert read().evenly_spaced
    with pytest.raises(DocumentError, match="fill pattern showed no bunch when the run began"):
        read(timing_bunch_places=[])
    with pytest.raises(DocumentError, match="8 bunches have a position"):
        read(timing_bunch_places=list(HYBRID[1:]))


def quality(pattern, laser_phase, before=None):
    """Of a dwell that ended with the laser at this phase, the dwell before with it at another."""
    settings = {"pre_edge": [13.45, 13.46], "integral": [13.46, 13.57]}
    start = {"uid": "r", "scan_set": "s", "scan_index": 0, "grid": [1.0], "pattern": [1, 0], "edge": "Br_K"}
    run = raw_run({**start, "pump_delay": 100.0, "settings": settings})
    data = {"point_index": 0, "segment": 0, "attempt": 0, "laser_on": 1, "quality": "good", "laser_phase": laser_phase}
    data |= {"i0": 1.0, "i0_time": 1.0, "i0_gain": 1.0, "i0_dark": 0.0}
    phases = pattern.num_phases
    data |= {"fpga_counts": np.zeros(phases, np.int32), "fpga_gates": np.ones(phases, np.int32)}
    return dwell_of({"data": data, "seq_num": 1}, run, pattern, before).quality


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        (
            Pattern(9, 9, 0, 9 * TURNS, HYBRID),
            "laser at phase 1, not at 0 as when the run began: slots have other delays",
        ),
        (Pattern(9, 9, 0, 9 * TURNS), "laser at phase 1, not at 0 as when the run began: slots have other bunches"),
        (Pattern(24, 4, 0, 24 * TURNS), "laser at phase 1, not at 0 as when the run began: slots have other bunches"),
        (Pattern(24, 5, 0, 24 * TURNS), "good"),
    ],
)
def test_a_dwell_counts_only_where_slots_have_the_bunches_and_delays_that_the_run_began_with(pattern, fault):
    assert quality(pattern, 0, before=0) == quality(pattern, pattern.divider, before=pattern.divider) == "good"
    assert quality(pattern, 1, before=1) == fault


@pytest.mark.parametrize("pattern", [Pattern(24, 5, 0, 24 * TURNS), Pattern(24, 4, 0, 24 * TURNS)])
def test_a_dwell_in_which_the_laser_slipped_does_not_count(pattern):
    assert quality(pattern, 4, before=None) == "good"  # nothing is known of before
    assert quality(pattern, 4, before=0) == "laser slipped from phase 0 to 4 within this dwell or just before it"
