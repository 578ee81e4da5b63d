"""Chambers behind the sample: absorbance of the sample by its truth, and the edge of the foil where it is."""

from __future__ import annotations

import numpy as np
import pytest

from reduction.spectra.calibrate import calibrate
from sim_ioc.instruments.scaler import SimScaler
from sim_ioc.physics.transmission import TransmittedBeam
from sim_ioc.physics.world import World
from sim_ioc.scenario.scenario import parse_scenario
from sim_ioc.timebase.clock import SimulatedClock
from sim_ioc.timebase.timeline import Ramp

STEADY = {
    "jet": {"thickness_rms": 0.0, "pass_to_pass_rms": 0.0},
    "ring": {"topup_interval_s": [9e5, 1e6], "lifetime_h": 1e6},
}


def beam_of(**truth: float) -> tuple[World, TransmittedBeam]:
    world = World(parse_scenario({**STEADY, "transmission": {"noise": 0.0, **truth}}), SimulatedClock())
    assert world.scenario.transmission is not None
    return world, TransmittedBeam(world, world.scenario.transmission)


def at(world: World, beam: TransmittedBeam, time_s: float, energy_keV: float) -> tuple[float, float]:
    """Counts of a second at an energy, without dark."""
    world.energy_keV.set(time_s, Ramp(time_s, time_s, energy_keV, energy_keV))
    behind, foil = beam.counts(time_s + 0.1, time_s + 1.1, (0.0, 0.0))
    return behind - 100.0, foil - 100.0


def test_the_absorbance_is_that_of_the_sample() -> None:
    world, beam = beam_of(step=0.05)
    counts = [at(world, beam, 2.0 * n, energy)[0] for n, energy in enumerate((13.45, 13.472, 13.5))]
    expected = 5e5 * np.exp(-0.05 * (0.5 + world.model.static([13.45, 13.472, 13.5])))
    np.testing.assert_allclose(counts, expected, rtol=1e-4)


def test_the_laser_changes_it_by_the_mean_over_all_pulses() -> None:
    world, beam = beam_of(step=1.0)
    off = at(world, beam, 0.0, 13.472)[0]
    world.laser_open.set(2.0, True)
    on = at(world, beam, 2.0, 13.472)[0]
    change = world.model.slot_amplitudes(100.0, 8.8).mean() * float(world.model.transient(13.472))
    assert np.log(off / on) == pytest.approx(change, rel=1e-2)


def test_the_foil_has_its_edge_at_the_true_energy_whatever_the_readback() -> None:
    world, beam = beam_of(foil_e0_keV=13.4737)
    energies = np.round(13.464 + 0.0005 * np.arange(40), 6)
    counts = np.array([at(world, beam, 2.0 * n, energy) for n, energy in enumerate(energies)])
    found = calibrate(energies, np.log(counts[:, 0] / counts[:, 1]), np.full(energies.size, 1e-4), 13.4737)
    assert found.position == pytest.approx(13.4737, abs=5e-5)


def test_the_channels_are_there_only_with_the_table() -> None:
    with_it, _ = beam_of()
    names = {name: SimScaler(world).records["7idd:scaler1"].fields["NM3"].value for name, world in (
        ("with", with_it), ("without", World(parse_scenario(STEADY), SimulatedClock())),
    )}  # fmt: skip
    assert names["with"] == "It" and names["without"] != "It"
