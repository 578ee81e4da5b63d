"""A second APD: its own light, chain and noise, on the same beam; and without it nothing changes."""

from __future__ import annotations

import numpy as np
import pytest

from sim_ioc.beamline import SimBeamline
from sim_ioc.physics.gating import Gate
from sim_ioc.physics.world import World
from sim_ioc.scenario.scenario import ScenarioError, load_scenario, parse_scenario
from sim_ioc.scenario.second_apd import of_second_apd
from sim_ioc.timebase.clock import SimulatedClock

JET_ONLY = {"ring": {"topup_interval_s": [9e5, 1e6], "lifetime_h": 1e6}}
SECOND = {"apd2": {"solid_angle": 0.5, "threshold_mV": 45.0}}


def worlds(**tables):
    first = World(parse_scenario({**JET_ONLY, **SECOND, **tables}), SimulatedClock())
    return first, first.of_second_apd()


def rate(world, start_s, end_s):
    counts = world.photon_counts(start_s, end_s)
    return float(-np.log1p(-counts.counts / counts.gates).mean())


def test_the_default_scenario_has_none_and_serves_no_record_of_it():
    records = SimBeamline(parse_scenario({}), 1.0).records("sim:")
    assert not [name for name in records if "APD2" in name or "FPGA2" in name]
    with pytest.raises(ScenarioError, match=r"no table \[apd2\]"):
        of_second_apd(parse_scenario({}))


def test_counts_of_the_first_are_the_same_to_the_bit_with_and_without_a_second():
    alone = World(parse_scenario(JET_ONLY), SimulatedClock())
    first, second = worlds()
    for start in (0.0, 2.0):
        expected = alone.photon_counts(start, start + 1)
        second.photon_counts(start, start + 1)
        np.testing.assert_array_equal(first.photon_counts(start, start + 1).counts, expected.counts)


def test_both_see_the_same_jet_with_independent_photons():
    """Relative changes from second to second: 5 % of the jet, 0.1 % of counting."""
    first, second = worlds(jet={"thickness_rms": 0.05}, detector={"dark_per_gate": 0.0})
    rates = np.array([[rate(world, t, t + 1) for world in (first, second)] for t in range(0, 60, 3)])
    assert rates[:, 1].mean() / rates[:, 0].mean() == pytest.approx(0.5, rel=0.01)
    relative = rates / rates.mean(axis=0)
    assert relative[:, 0].std() > 0.02
    assert np.corrcoef(relative.T)[0, 1] > 0.98
    assert (relative[:, 0] - relative[:, 1]).std() == pytest.approx(0.0, abs=0.005)
    assert (relative[:, 0] != relative[:, 1]).all()


def test_gate_threshold_and_dead_time_are_its_own():
    first, second = worlds()
    before = rate(first, 0.0, 1.0)
    second.gate.set(2.0, Gate(100, 1, True))
    second.threshold_mV.set(2.0, 300.0)
    assert rate(first, 2.0, 3.0) == pytest.approx(before, rel=0.1)
    assert rate(second, 2.0, 3.0) < 1e-4
    blind = worlds(apd2={"blinding": 0.5, "solid_angle": 1.0})[1]
    pairs = blind.photon_counts(0.0, 1.0)
    after_hit = pairs.coinc[0].sum() / pairs.prev_hits[0].sum()
    assert after_hit == pytest.approx(0.5 * pairs.counts.sum() / pairs.gates.sum(), rel=0.1)


def test_the_shutter_is_shut_for_both():
    first, second = worlds()
    first.xray_open.set(1.0, False)
    assert rate(second, 2.0, 3.0) < 1e-4
    assert rate(first, 2.0, 3.0) < 1e-4


def test_the_packaged_scenario_serves_records_of_both():
    records = SimBeamline(load_scenario("two_apds"), 1.0).records("sim:")
    for name in ("FPGA1:Counts", "FPGA2:Counts", "APD1:Threshold", "APD2:Threshold", "FPGA2:GateDly-1_WIDTH"):
        assert f"sim:7idd:{name}" in records
    assert records["sim:7idd:APD2:Threshold"].value == 45.0
