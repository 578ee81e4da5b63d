"""Gates against the pulses that they overlap, by hand and opening by opening; what that does to counts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from sim_ioc.physics.gating import Gate, GateTransmission, gate_transmission
from sim_ioc.physics.world import World
from sim_ioc.scenario.detectors import DetectorTruth
from sim_ioc.scenario.scenario import ScenarioError, parse_scenario
from sim_ioc.timebase.clock import SimulatedClock

BUNCH_NS = 54e3 / 351.933984
PHASES = 120
MARKERS_NS = np.arange(PHASES) * BUNCH_NS
MU = np.random.default_rng(1).uniform(0.05, 2.0, (3, PHASES))
QUIET: dict[str, Any] = {
    "jet": {"thickness_rms": 0.0, "pass_to_pass_rms": 0.0},
    "ring": {"topup_interval_s": [9e5, 1e6], "lifetime_h": 1e6},
    "detector": {"afterpulse": 0.0},
}


def transmission(delay: int, width: int, locked: bool = True) -> GateTransmission:
    return gate_transmission(Gate(delay, width, locked), DetectorTruth(), MARKERS_NS, PHASES * BUNCH_NS)


def world_of(values: dict[str, Any]) -> World:
    return World(parse_scenario(QUIET | values), SimulatedClock())


def mean_of(world: World, start_s: float, end_s: float) -> float:
    result = world.photon_counts(start_s, end_s)
    return float(result.counts.sum() / result.gates.sum())


@pytest.mark.parametrize(
    ("delay", "width", "share"),
    [
        (10, 2, 1.0),  # 40-48 ns: as long as the pulse
        (9, 4, 1.0),
        (0, 10, 0.0),  # shuts when the pulse comes
        (0, 11, 0.5),  # too early by half a pulse
        (11, 3, 0.5),  # too late by half a pulse
        (12, 4, 0.0),
        (10, 1, 0.5),  # too short
    ],
)
def test_a_gate_passes_what_it_overlaps(delay: int, width: int, share: float) -> None:
    found = transmission(delay, width)
    assert found.photons(MU) == pytest.approx(share * MU)
    assert found.offsets == ((0,) if share else ())


def test_a_gate_on_the_neighbouring_bunch_shifts_the_phases() -> None:
    assert transmission(47, 4).photons(MU) == pytest.approx(np.roll(MU, -1, axis=1))  # 188-204 ns, pulse at 193.4-201.4
    assert transmission(86, 4).photons(MU) == pytest.approx(np.roll(MU, -2, axis=1))  # 344-360 ns, pulse at 346.9-354.9


def test_a_gate_that_is_too_wide_takes_the_next_bunch_too() -> None:
    assert transmission(9, 42).photons(MU) == pytest.approx(MU + np.roll(MU, -1, axis=1))  # 36-204 ns
    # 36-196 ns: of the pulse at 193.438 ns the first 2.562 ns
    part = (196 - 40 - BUNCH_NS) / 8
    assert transmission(9, 40).photons(MU) == pytest.approx(MU + part * np.roll(MU, -1, axis=1))
    assert transmission(0, 1000).offsets == tuple(range(26))  # 4 us


def test_a_gate_opens_before_the_pulse_of_a_close_earlier_bunch_has_gone() -> None:
    spacing = 4e3 / 351.933984  # 324 bunches, 11.37 ns: the one before comes at 28.6-36.6 ns
    markers = np.arange(324) * spacing
    found = gate_transmission(Gate(9, 4, True), DetectorTruth(), markers, 324 * spacing)
    assert found.offsets == (-1, 0, 1)
    early = (40 - spacing + 8 - 36) / 8
    assert found.fractions[0, :, 5] == pytest.approx([early, 1.0, (52 - 40 - spacing) / 8])


def test_jitter_of_a_tick_is_averaged_over_the_openings() -> None:
    found = transmission(10, 2, locked=False)  # opens 0-4 ns late: 0 to half of the pulse is cut off
    assert found.fractions.mean() == pytest.approx(0.75)
    mu = MU[:1]
    # mean of exp(-mu (1 - u/8)) over u = 0..4
    silent = 8 / (4 * mu) * (np.exp(-mu / 2) - np.exp(-mu))
    assert 1 - np.exp(-found.photons(mu)) == pytest.approx(1 - silent, rel=1e-3)
    assert transmission(9, 4, locked=False).photons(MU) == pytest.approx(MU)  # a tick on either side is enough


def test_a_gate_against_single_openings() -> None:
    rng, number, mu = np.random.default_rng(2), 200_000, 0.8
    found = transmission(8, 3, locked=False)  # 32-44 ns and up to 4 ns later: the second half of the pulse is cut off
    opens = 32 + 4 * rng.random(number)
    overlap = np.clip(np.minimum(opens + 12, 48) - np.maximum(opens, 40), 0, None) / 8
    hits = np.count_nonzero(rng.random(number) < 1 - np.exp(-mu * overlap))
    p = 1 - math.exp(-float(found.photons(np.full((1, PHASES), mu))[0, 0]))
    assert abs(hits - number * p) < 5 * math.sqrt(number * p * (1 - p))


def test_the_gate_at_start_up_passes_its_own_bunch_alone() -> None:
    for bunches in (24, 48, 81, 108, 162, 324):
        spacing = 1296e3 / 351.933984 / bunches
        gate = Gate.around_the_pulse(DetectorTruth(), spacing)
        found = gate_transmission(gate, DetectorTruth(), np.arange(bunches) * spacing, bunches * spacing)
        assert found.offsets == (0,)
        assert np.all(found.fractions == 1.0)
    assert not Gate.around_the_pulse(DetectorTruth(), BUNCH_NS).locked
    assert Gate.around_the_pulse(DetectorTruth(), 11.37).locked


def test_counts_of_a_neighbouring_gate_are_those_of_the_next_phase() -> None:
    world = world_of({"ring": QUIET["ring"] | {"bunch_spread_rms": 0.2}})
    world.gate.set(10.0, Gate(47, 4, True))
    right, wrong = world.photon_counts(0.0, 10.0), world.photon_counts(10.0, 20.0)
    expected = np.roll(right.counts, -1)
    pull = (wrong.counts - expected) / np.sqrt(2 * expected)
    assert np.abs(pull).max() < 4.5
    assert np.abs((wrong.counts - right.counts) / np.sqrt(2 * right.counts)).max() > 20


def test_dark_counts_grow_with_the_width() -> None:
    world = world_of({"detector": QUIET["detector"] | {"dark_per_gate": 1e-3}})
    world.xray_open.set(-1.0, False)
    world.gate.set(10.0, Gate(9, 16, True))  # four times as wide as at start-up
    narrow, wide = mean_of(world, 0.0, 10.0), mean_of(world, 10.0, 20.0)
    assert narrow == pytest.approx(1 - math.exp(-1e-3), rel=0.02)
    assert wide == pytest.approx(1 - math.exp(-4e-3), rel=0.01)


def test_a_threshold_sweep_of_counts() -> None:
    world = world_of({})
    plateau = mean_of(world, 0.0, 10.0)
    levels = {10.0: 6.0, 20.0: 30.0, 30.0: 50.0, 40.0: 75.0, 50.0: 100.0, 60.0: 150.0, 70.0: 1000.0}
    for when, level in levels.items():
        world.threshold_mV.set(when, level)
    found = {level: mean_of(world, when, when + 10.0) for when, level in levels.items()}
    mu = -math.log(1 - plateau)
    # 1.6 exp(-v^2 / 32) crossings of the noise in 16 ns
    assert found[6.0] == pytest.approx(1 - math.exp(-mu - 1.6 * math.exp(-36 / 32)), rel=5e-3)
    for level in (30.0, 50.0, 75.0):
        assert found[level] == pytest.approx(plateau, rel=8e-3)
    assert found[100.0] == pytest.approx(plateau / 2, rel=0.03)  # pairs, 1 % of the hits, are all counted
    assert found[150.0] < 0.04 * plateau
    assert found[1000.0] == 0


def test_bias_and_temperature_move_the_photon_edge() -> None:
    from sim_ioc.timebase.timeline import Ramp

    world = world_of({})
    world.threshold_mV.set(-1.0, 100.0)
    half = mean_of(world, 0.0, 10.0)
    world.hv_V.set(10.0, Ramp(10.0, 10.0, 380.0, 400.0))
    whole = mean_of(world, 10.0, 20.0)
    world.hv_V.set(20.0, Ramp(20.0, 20.0, 400.0, 360.0))
    none = mean_of(world, 20.0, 30.0)
    assert whole == pytest.approx(2 * half, rel=0.04)
    assert none < 0.1 * half
    warm = world_of({"detector": QUIET["detector"] | {"temperature_swing_K": 4.0, "threshold_mV": 100.0}})
    assert warm.temperature_degC(450.0) == pytest.approx(29.0)
    assert mean_of(warm, 440.0, 460.0) < 0.7 * half  # less gain: more photons stay below


@pytest.mark.parametrize("kind", ["non-paralysable", "paralysable"])
def test_a_dead_pulse_that_reaches_the_next_bunch(kind: str) -> None:
    truth = QUIET["detector"] | {"dead_pulse_ns": 200.0, "dead_time": kind}
    sample = {"mu_white_line": 2.0}
    ring = QUIET["ring"] | {"bunch_spread_rms": 0.0}
    world = world_of({"detector": truth, "sample": sample, "ring": ring})
    free = world_of({"sample": sample, "ring": ring})
    q = mean_of(free, 0.0, 10.0)
    # recorded after a gate without a hit (or, paralysable, without a photon)
    expected = q / (1 + q) if kind == "non-paralysable" else q * (1 - q)
    assert mean_of(world, 0.0, 10.0) == pytest.approx(expected, rel=2e-3)
    result = world.photon_counts(0.0, 1.0)
    assert result.coinc[0].sum() == 0
    assert result.coinc[1].sum() > 0


def test_a_dead_pulse_beyond_the_next_bunch_is_refused_by_name() -> None:
    with pytest.raises(ScenarioError, match=r"detector\.dead_pulse_ns = 400 reaches beyond the next bunch, 153\.4 ns"):
        world_of({"detector": {"dead_pulse_ns": 400.0}})
