"""The announced time to the next top-up against the top-ups that occur."""

from __future__ import annotations

import pytest

from sim_ioc.physics.world import World
from sim_ioc.scenario.scenario import load_scenario
from sim_ioc.timebase.clock import SimulatedClock


def test_the_next_top_up_comes_at_the_announced_time() -> None:
    """The current jumps back to the nominal one then, and not before."""
    world = World(load_scenario(None), SimulatedClock(1.0))
    for now in (0.0, 50.0, 400.0):
        wait = world.seconds_to_topup(now)
        assert 0 < wait <= 120
        then = now + wait
        assert world.current_mA(then - 1e-6) < world.current_mA(now)
        assert world.current_mA(then + 1e-6) == pytest.approx(102.0)
        assert world.current_mA(then - 1.0) < 102.0
