"""Top-ups that fill a few bunches in turn, and the fill pattern that shows them."""

from __future__ import annotations

import time

import numpy as np
import pytest

from sim_ioc.physics.storage_ring import RingCurrent
from sim_ioc.physics.world import Slice, World
from sim_ioc.scenario.scenario import RingTruth, parse_scenario
from sim_ioc.timebase.clock import SimulatedClock
from tests.sim_ioc.ca import Channels


def test_a_top_up_fills_its_bunches_with_what_all_have_lost():
    ring = RingTruth(num_bunches=4, topup_bunches=1, topup_interval_s=(100.0, 100.0), lifetime_h=1.0)
    weight = np.array([1.2, 0.8, 1.0, 1.0])
    current = RingCurrent(ring, [1], weight)
    lost = 1 - np.exp(-100 / 3600)
    np.testing.assert_array_equal(current.weight_at(50.0), weight)
    np.testing.assert_allclose(current.weight_at(150.0), (1 - lost) * weight + lost * np.array([4.0, 0.0, 0.0, 0.0]))
    after_two = (1 - lost) * current.weight_at(150.0) + lost * np.array([0.0, 4.0, 0.0, 0.0])
    np.testing.assert_allclose(current.weight_at(250.0), after_two)
    assert current.weight_at(1e4).mean() == pytest.approx(1)
    steady = RingCurrent(RingTruth(num_bunches=4, topup_interval_s=(100.0, 100.0)), [1], weight)
    np.testing.assert_array_equal(steady.weight_at(1e4), weight)


def test_photons_follow_the_charges() -> None:
    ring = {"num_bunches": 12, "topup_bunches": 1, "topup_interval_s": [20.0, 20.0], "lifetime_h": 0.5}
    world = World(parse_scenario({"ring": ring, "laser": {"divider": 4}}), SimulatedClock())
    early, late = (world.photons_per_pulse(Slice(at, at + 1, 13.5), np.ones(1))[0] for at in (1.0, 130.0))
    share = [each / each.mean() for each in (early, late)]
    expected = world.bunch_weight(130.0) / world.bunch_weight(1.0)
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(share[1] / share[0], expected, rtol=1e-3)  # beside it dark counts


def test_the_fill_pattern_is_updated_with_its_noise(default_ioc: Channels) -> None:
    first = np.asarray(default_ioc.get("Mt:S:FillPatternWF"))
    ends = time.monotonic() + 20
    while np.array_equal(later := np.asarray(default_ioc.get("Mt:S:FillPatternWF")), first):
        assert time.monotonic() < ends
        time.sleep(0.02)
    filled = first > 0
    assert filled.sum() == 24 and 1e-4 < np.std(later[filled] / first[filled]) < 1e-2
