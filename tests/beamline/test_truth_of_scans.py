"""Scans on the simulated beamline give the scenario back: spectra and traces with pulls, lifetimes, linear range.

The truth is that of the forward model, computed directly; of energy scans it goes through the same chain without noise.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from beamline.session.session import Session, start
from beamline.studies.expectation import ask_expectation, expected_spectrum
from plans.compilation.grid import delay_grid
from reduction.traces.delay import DelayScan
from reduction.traces.fluence import FluenceScan
from reduction.traces.kinetics.fit import fit_traces
from reduction.traces.kinetics.scan_fit import fit_scan
from reduction.traces.linear_range import saturation, straight_line
from sim_ioc.physics.truth import ForwardModel
from sim_ioc.scenario.scenario import load_scenario
from tests.beamline.configurations import configuration
from tests.helpers.ioc_process import write_scenario

SPEEDUP = 400.0
ENERGY = 13.472
SCENARIO = {
    "jet": {"thickness_rms": 0.0, "pass_to_pass_rms": 0.0},
    "sample": {"mu_white_line": 0.6, "br_k": {"transient_fraction": -0.06}},  # three times the default
    "laser": {"background_per_gate": 0.0},
    "delay": {"drift_ps_per_h": 0.0},
    "i0": {"noise": 1e-4},
    "monochromator": {"repeatability_eV": 0.0},  # 10 meV fake 0.4 % of the step on the edge, beyond counting errors
    "kinetics": {"fresh_spot": True},  # as the fitted model has it
    # On a fast clock a moment of the computer is seconds of beam: counter and I0 do not see the same of a top-up.
    "ring": {"topup_interval_s": [9e5, 1e6], "lifetime_h": 1e6},
}
LIFETIMES = (120.0, 900.0)
"""ps; of the default scenario."""


@pytest.fixture(scope="module")
def shift(ioc_pool: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Session, ForwardModel]]:
    """A session on a quiet simulated beamline of this file, and its forward model."""
    folder: Path = tmp_path_factory.mktemp("truth")
    scenario = write_scenario(SCENARIO, folder / "scenario.toml")
    ioc = ioc_pool.start(scenario, SPEEDUP)
    config = configuration(folder, ioc.prefix, SPEEDUP, reduction={"i0_noise": 1e-4})
    with start(config, fill_catalogue=False, notify=lambda _: None) as session:
        assert isinstance(session, Session)
        yield session, ForwardModel(load_scenario(scenario))
    ioc_pool.stop(ioc)


@pytest.mark.long
def test_a_drift_of_time_zero_is_found(ioc_pool: Any, tmp_path: Path) -> None:
    """15 ps/h; on this clock the beamline is hours old when the rise is measured."""
    scenario = write_scenario(SCENARIO | {"delay": {"drift_ps_per_h": 15.0}}, tmp_path / "scenario.toml")
    ioc = ioc_pool.start(scenario, SPEEDUP)
    config = configuration(tmp_path, ioc.prefix, SPEEDUP, reduction={"i0_noise": 1e-4})
    with start(config, fill_catalogue=False, notify=lambda _: None) as session:
        assert isinstance(session, Session)
        session.RE(session.energy_scan(energies=[13.46, 13.472], dwell=400.0, passes=4))  # 210 minutes go by
        delays = delay_grid(step=25.0, logarithmic=12)
        session.RE(session.scans.plans["delay_scan"](energies=ENERGY, delays=delays, dwell=30.0, pattern=(1, 0)))
        trace = session.reducer.trace()
    ioc_pool.stop(ioc)
    assert isinstance(trace, DelayScan)
    fixed, fit = fit_traces([trace.trace()], tail="offset"), fit_scan(trace.trace())
    assert fit.time_zero < -30.0 < -4.5 * fit.time_zero_stddev  # the drift makes delays longer: the rise comes early
    assert fixed.chi_square > 2 * fit.chi_square


def contrast(model: ForwardModel, delay: float, fluence: float) -> float:
    """True on - off of slot 0 relative to off."""
    slot = (np.arange(model.num_bunches * model.divider) - model.laser_phase) % model.divider == 0
    on, off = (np.ravel(model.mu(ENERGY, delay, fluence, laser_on=on))[slot].mean() for on in (True, False))
    return float(on / off - 1)


def check_pulls(pulls: np.ndarray) -> None:
    """Root of the mean square within 4.5 standard errors of 1; the points share an offset, which only narrows them."""
    assert 1 - 4.5 / np.sqrt(2 * pulls.size) < np.sqrt((pulls**2).mean()) < 1 + 4.5 / np.sqrt(2 * pulls.size)


def test_an_energy_scan_gives_static_and_transient_spectra_back(
    shift: tuple[Session, ForwardModel], tmp_path: Path
) -> None:
    """Pulls of the transients of two slots, and of the static spectrum, at the points of the edge integral."""
    session, _ = shift
    energies = [13.450, 13.455, 13.460, 13.4675, 13.470, 13.472, 13.4745, 13.4765, 13.485, 13.497, 13.508, 13.54, 13.57]
    session.RE(session.energy_scan(energies=energies, delay=100.0, dwell=20.0, pattern=(1, 0), passes=2))
    spectrum = session.reducer.spectrum()
    scenario = write_scenario(SCENARIO, tmp_path / "scenario.toml")
    truth = expected_spectrum(ask_expectation(scenario, spectrum.energy, 100.0, 8.8), session.reducer.settings)
    above = slice(3, None)
    check_pulls(((spectrum.transient - truth.transient) / spectrum.transient_stddev)[:2, above].ravel())
    check_pulls(((spectrum.static - truth.static) / spectrum.static_stddev)[above])
    feature = energies.index(ENERGY)
    assert abs(truth.transient[0, feature]) > 10 * spectrum.transient_stddev[0, feature]


def test_a_delay_scan_gives_trace_and_lifetimes_back(shift: tuple[Session, ForwardModel]) -> None:
    session, model = shift
    delays = delay_grid(step=50.0, logarithmic=12)
    session.RE(session.scans.plans["delay_scan"](energies=ENERGY, delays=delays, dwell=30.0, pattern=(1, 0)))
    trace = session.reducer.trace()
    assert isinstance(trace, DelayScan)
    truth = np.array([contrast(model, float(delay), 8.8) for delay in trace.delay])
    before = trace.before_zero.astype(bool)
    check_pulls((trace.transient[0] - truth + truth[before].mean()) / trace.transient_stddev[0])
    fit = fit_scan(trace.trace())  # as it is stored
    for lifetime, error, true in zip(fit.lifetimes, fit.lifetimes_stddev, LIFETIMES, strict=False):
        assert abs(lifetime - true) < 4.5 * error and error < true / 3


def test_a_fluence_scan_gives_slope_and_linear_range_back(shift: tuple[Session, ForwardModel]) -> None:
    session, model = shift
    session.RE(session.scans.plans["fluence_scan"](energy=ENERGY, delay=100.0, dwell=40.0, pattern=(1, 0)))
    trace = session.reducer.trace()
    assert isinstance(trace, FluenceScan)
    truth = np.array([contrast(model, 100.0, float(fluence)) for fluence in trace.fluence])
    check_pulls((trace.transient[0] - truth) / trace.transient_stddev[0])
    found = saturation(trace.fluence, trace.transient[0], trace.transient_covariance[0])
    assert found.significance > 5
    assert abs(found.saturates_at - 11.0) < 1.0
    low = trace.fluence <= 8.0  # a range fixed beforehand: one that the data choose biases the slope
    line = straight_line(trace.fluence[low], trace.transient[0][low], trace.transient_covariance[0][np.ix_(low, low)])
    slope = (contrast(model, 100.0, 8.0) - contrast(model, 100.0, 0.5)) / 7.5
    assert abs(line.slope - slope) < 4.5 * np.sqrt(line.covariance[1, 1]) < 0.1 * abs(slope)
    assert abs(session.beamline.laser_fluence.position - 8.8) < 0.05
