"""Fill patterns of the simulated ring, and what the counter makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sim_ioc.instruments.ring import fill_pattern
from sim_ioc.physics.truth import ForwardModel
from sim_ioc.scenario.scenario import ScenarioError, load_scenario, parse_scenario
from tests.helpers.ioc_process import IocPool, write_scenario
from tests.sim_ioc.ca import Channels
from tests.sim_ioc.conftest import STEADY

BUCKET_NS = 1e3 / 351.933984


@pytest.mark.parametrize(
    ("name", "pulses", "filled"), [("default", 24, 24), ("hybrid324", 324, 324), ("hybrid", 9, 57)]
)
def test_fill_patterns(name: str, pulses: int, filled: int) -> None:
    scenario = load_scenario(name)
    model = ForwardModel(scenario)
    pattern = fill_pattern(scenario.ring, model.bunch_weight)
    assert (model.num_bunches, np.count_nonzero(pattern)) == (pulses, filled)
    assert pattern.sum() == pytest.approx(scenario.ring.current_mA)
    assert np.std(model.bunch_weight) > 0  # no two bunches alike
    if name == "hybrid":  # 5 % rms from bunch to bunch on top of the charges: none of nine is 3 rms off
        assert pattern[0] == pytest.approx(16.0, rel=0.2)
        assert pattern[561:568].sum() == pytest.approx(10.75, rel=0.2)


def test_the_hybrid_pattern_is_that_of_the_ring() -> None:
    """A bunch of 16 mA alone in 2 x 1.594 us, 86 mA in eight groups of seven, 51 ns between two groups."""
    scenario = parse_scenario({"ring": load_scenario("hybrid").ring.model_dump() | {"bunch_spread_rms": 0.0},
                               "laser": {"divider": 9}})  # fmt: skip
    model = ForwardModel(scenario)
    pattern = fill_pattern(scenario.ring, model.bunch_weight)
    assert pattern[0] == pytest.approx(16.0, rel=1e-9)
    filled = np.flatnonzero(pattern)
    gaps_ns = np.diff([*filled, 1296]) * BUCKET_NS
    assert gaps_ns[0] == gaps_ns[-1] == pytest.approx(1594, abs=1)
    assert sorted({round(gap, 1) for gap in gaps_ns[1:-1]}) == [2.8, 51.1]
    slots_ns = model.slot_delays_ps(0.0) * 1e-3
    assert slots_ns[0] == 0.0
    assert np.diff(slots_ns)[1:] == pytest.approx(24 * BUCKET_NS)
    assert model.laser_rate_hz == pytest.approx(351.933984e6 / 1296)


def test_hybrid_counts_follow_the_charges(ioc_pool: IocPool, tmp_path: Any) -> None:
    ring = load_scenario("hybrid").ring.model_dump() | STEADY["ring"]
    scenario = STEADY | {"ring": ring, "laser": {"divider": 9}, "detector": {"afterpulse": 0.0}}
    ioc = ioc_pool.start(write_scenario(scenario, tmp_path / "hybrid.toml"))
    channels = Channels(ioc)
    arrays = channels.acquire(20.0)
    mu = -np.log(1 - arrays["Counts"] / arrays["Gates"])
    error = np.sqrt(arrays["Counts"]) / arrays["Gates"] / mu.mean()
    assert np.all(np.abs(mu / mu.mean() - np.array([16.0, *[10.75] * 8]) * 9 / 102) < 5 * error)
    channels.close()
    ioc_pool.stop(ioc)


@pytest.mark.parametrize(
    ("ring", "message"),
    [
        ({"num_bunches": 3, "buckets": [0, 10]}, "buckets must have one entry for each of the 3 pulses"),
        ({"num_bunches": 2, "buckets": [10, 0]}, "buckets must ascend"),
        ({"num_bunches": 2, "buckets": [0, 1296]}, "buckets must ascend"),
        ({"num_bunches": 2, "buckets": [0, 3], "group_sizes": [4, 1]}, "leave room for each group"),
        ({"num_bunches": 2, "charges": [1.0, 0.0]}, "charges above 0"),
        ({"num_bunches": 2, "buckets": [0, 100]}, "laser.divider must be a multiple of ring.num_bunches"),
    ],
)
def test_impossible_fill_patterns_are_refused(ring: dict[str, Any], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        parse_scenario({"ring": ring})
