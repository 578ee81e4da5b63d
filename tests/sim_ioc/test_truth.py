"""The forward model against closed forms, brute force and the published numbers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sim_ioc.physics.kinetics import exponential_response, fluence_response
from sim_ioc.physics.spectrum import StaticSpectrum
from sim_ioc.physics.truth import ForwardModel
from sim_ioc.scenario.scenario import DATA_DIRECTORY, Scenario, ScenarioError, load_scenario, parse_scenario

RF_HZ = 351.933984e6


def model_of(values: dict[str, Any] | None = None) -> ForwardModel:
    return ForwardModel(parse_scenario(values or {}))


def convolved(delay_ps: float, lifetime_ps: float, sigma_ps: float) -> float:
    """Exponential and Gaussian convolved by quadrature, straight from the definition."""
    if delay_ps + 12 * sigma_ps <= 0:
        return 0.0
    lag = np.linspace(max(0.0, delay_ps - 12 * sigma_ps), delay_ps + 12 * sigma_ps, 8001)
    gauss = np.exp(-0.5 * ((delay_ps - lag) / sigma_ps) ** 2) / (sigma_ps * math.sqrt(2 * math.pi))
    return float(np.trapezoid(gauss * np.exp(-lag / lifetime_ps), lag))


@pytest.mark.parametrize("lifetime_ps", [3.0, 120.0, 900.0, 155e3, math.inf])
@pytest.mark.parametrize("delay_ps", [-150.0, -20.0, 0.0, 30.0, 100.0, 2500.0])
def test_response_is_the_convolution(delay_ps: float, lifetime_ps: float) -> None:
    expected = convolved(delay_ps, lifetime_ps, 45.0)
    assert float(exponential_response(delay_ps, lifetime_ps, 45.0)) == pytest.approx(expected, rel=1e-3, abs=1e-9)


def test_response_does_not_overflow() -> None:
    extreme = exponential_response(np.array([-1e6, -1e3, 0.0, 1e3, 1e9]), 0.01, 1000.0)
    assert np.all(np.isfinite(extreme))
    assert extreme[0] == 0.0


def test_rates_are_those_of_the_ring() -> None:
    model = model_of()
    assert model.bunch_rate_hz == pytest.approx(RF_HZ / 54, rel=1e-12)
    assert model.laser_rate_hz == pytest.approx(1.303459e6, rel=1e-6)
    assert model.num_phases == 120
    assert model.bunch_period_ps == pytest.approx(153_438, rel=1e-5)


@pytest.mark.parametrize(("bunches", "divider", "phase"), [(24, 5, 0), (24, 5, 3), (324, 4, 1), (6, 4, 2), (1, 1, 0)])
def test_bunch_and_slot_of_each_phase_by_going_round_the_ring(bunches: int, divider: int, phase: int) -> None:
    model = model_of({"ring": {"num_bunches": bunches}, "laser": {"divider": divider, "phase": phase}})
    seen: dict[int, tuple[int, int]] = {}
    bunch, slot = 0, (-phase) % divider
    for pulse in range(2 * bunches * divider):
        where = (bunch, slot)
        if pulse and where == seen[0]:
            break
        seen[pulse] = where
        bunch = bunch + 1 if bunch + 1 < bunches else 0
        slot = slot + 1 if slot + 1 < divider else 0
    assert len(seen) == model.num_phases
    assert [(int(b), int(s)) for b, s in zip(model.bunch_of_phase, model.slot_of_phase, strict=True)] == list(
        seen.values()
    )


def test_only_slot_zero_is_pumped_last_when_the_decay_is_fast() -> None:
    fast = {"kinetics": {"lifetimes_ps": [300.0], "amplitudes": [1.0]}, "laser": {"phase": 2}}
    model = model_of(fast)
    change = model.mu(13.472, 200.0, 8.8, True) - model.mu(13.472, 200.0, 8.8, False)
    dark_and_laser_light = 1e-4
    pumped = np.flatnonzero(np.abs(change) > 2 * dark_and_laser_light)
    assert pumped.tolist() == list(range(2, 120, 5))


def test_slot_delays_follow_the_period_of_the_laser() -> None:
    model = model_of()
    bunch_ps = 54 / RF_HZ * 1e12
    assert model.slot_delays_ps(10_100.0) == pytest.approx([10_100 + s * bunch_ps for s in range(5)], rel=1e-12)
    before = model.slot_delays_ps(-100.0)
    assert before[0] == pytest.approx(5 * bunch_ps - 100.0, rel=1e-9)
    assert before[1] == pytest.approx(bunch_ps - 100.0, rel=1e-9)


@pytest.mark.parametrize(("energy_keV", "fraction"), [(13.472, -0.02), (13.043, -0.004)])
def test_published_size_of_the_transient(energy_keV: float, fraction: float) -> None:
    model = model_of({"laser": {"background_per_gate": 0.0}, "detector": {"dark_per_gate": 0.0}})
    pumped = model.slot_of_phase == 0
    on = model.mu(energy_keV, 100.0, 8.8, True)[pumped]
    off = model.mu(energy_keV, 100.0, 8.8, False)[pumped]
    background = 0.5 if energy_keV > 13.3 else 0.6
    static = float(model.static(energy_keV))
    # of the static signal, which is what is left when the background is taken off
    assert (on - off) / (off * static / (static + background)) == pytest.approx(fraction, rel=1e-9)


@pytest.mark.parametrize(
    ("energy_keV", "sign"),
    [
        (13.4675, 1), (13.472, -1), (13.4765, 1), (13.485, -1), (13.508, -1), (13.497, 1),
        (13.031, 1), (13.038, 1), (13.043, -1), (13.060, 1),
    ],
)  # fmt: skip
def test_signs_of_the_transient(energy_keV: float, sign: int) -> None:
    assert np.sign(model_of().transient(energy_keV)) == sign


@pytest.mark.parametrize("energy_keV", [13.472, 13.043])
def test_white_line_sets_the_count_rate(energy_keV: float) -> None:
    model = model_of({"sample": {"mu_white_line": 0.37}, "detector": {"dark_per_gate": 0.0}})
    assert model.mu(energy_keV, 100.0, 8.8, False).mean() == pytest.approx(0.37, rel=1e-9)


def test_bromine_white_line_is_where_it_was_measured() -> None:
    energies = np.linspace(13.465, 13.480, 1501)
    assert energies[np.argmax(model_of().static(energies))] == pytest.approx(13.472, abs=2e-4)


def test_static_spectrum_goes_through_the_measured_points() -> None:
    rows = [r for r in (DATA_DIRECTORY / "br_k_bromide.csv").read_text().splitlines() if not r.startswith("#")][1:]
    energy_eV, absorption = np.array([[float(c) for c in row.split(",")] for row in rows]).T
    model = model_of()
    assert model.static((energy_eV - 3.1) * 1e-3) == pytest.approx(absorption, abs=1e-12)
    between = 0.5 * (energy_eV[1:] + energy_eV[:-1])
    low, high = np.minimum(absorption[1:], absorption[:-1]), np.maximum(absorption[1:], absorption[:-1])
    inside = model.static((between - 3.1) * 1e-3)
    assert np.all((inside > low - 0.01) & (inside < high + 0.01))


def test_interpolation_reproduces_a_parabola_exactly() -> None:
    x = np.linspace(0.0, 1.0, 11)
    spectrum = StaticSpectrum(x, 3 * x**2 - x)
    inner = np.linspace(0.2, 0.8, 37)
    assert spectrum(inner) == pytest.approx(3 * inner**2 - inner, abs=1e-12)
    assert spectrum([-5.0, 5.0]) == pytest.approx([0.0, 2.0])


def test_edge_is_chosen_by_energy() -> None:
    model = model_of()
    assert model.white_line_keV(13.29) == 13.043
    assert model.white_line_keV(13.31) == 13.472
    both = model.mu(np.array([13.043, 13.472]), 100.0, 8.8, False)
    assert both.shape == (2, 120)
    assert both[0] == pytest.approx(model.mu(13.043, 100.0, 8.8, False))
    assert both[1] == pytest.approx(model.mu(13.472, 100.0, 8.8, False))


def test_photons_scale_with_current_jet_and_bunch_but_the_dark_does_not() -> None:
    model = model_of({"detector": {"dark_per_gate": 0.01}})
    full = model.mu(13.5, 100.0, 8.8, False) - 0.01
    less = model.mu(13.5, 100.0, 8.8, False, current_mA=51.0, jet=1.1) - 0.01
    assert less == pytest.approx(0.55 * full)
    by_bunch = np.array([full[model.bunch_of_phase == b].mean() for b in range(24)])
    assert np.std(by_bunch / by_bunch.mean()) == pytest.approx(0.05, rel=1e-6)
    assert full == pytest.approx(by_bunch[model.bunch_of_phase])


def test_laser_light_is_seen_in_slot_zero_only() -> None:
    model = model_of({"laser": {"background_per_gate": 0.01}, "kinetics": {"amplitudes": [1e-9, 1e-9, 1e-9]}})
    steady = model_of({"laser": {"background_per_gate": 0.0}, "kinetics": {"amplitudes": [1e-9, 1e-9, 1e-9]}})
    extra = model.mu(13.6, 100.0, 8.8, True) - steady.mu(13.6, 100.0, 8.8, True)
    assert extra == pytest.approx(np.where(np.arange(120) % 5 == 0, 0.01, 0.0), abs=1e-12)


@pytest.mark.parametrize("fresh", [True, False])
def test_residue_of_earlier_pumps_by_summing_them_one_by_one(fresh: bool) -> None:
    kinetics = {"lifetimes_ps": [120.0, 4e6], "amplitudes": [0.7, 0.3], "fresh_spot": fresh}
    model = model_of({"kinetics": kinetics})
    period_ps = 270 / RF_HZ * 1e12

    def one_pump(since_ps: float) -> float:
        overlap = math.exp(-4 * math.log(2) * (since_ps * 4e-6) ** 2 / (45.0**2 + 5.0**2))
        shape = 0.7 * convolved(since_ps, 120.0, 45.0) + 0.3 * convolved(since_ps, 4e6, 45.0)
        return shape * (1.0 if fresh else overlap)

    def all_pumps(delay_ps: float) -> float:
        pumps = range(1) if fresh else range(60)
        return sum(one_pump(delay_ps + n * period_ps) for n in pumps)

    expected = [all_pumps(10_100.0 + s * period_ps / 5) / all_pumps(100.0) for s in range(5)]
    assert model.slot_amplitudes(10_100.0, 8.8) == pytest.approx(expected, rel=1e-5)


def test_amplitude_is_continuous_where_the_next_pump_comes() -> None:
    model = model_of()
    just_before, just_after = model.slot_amplitudes(-1e-3, 8.8)[0], model.slot_amplitudes(1e-3, 8.8)[0]
    assert just_before == pytest.approx(just_after, rel=1e-3)
    assert model.slot_amplitudes(100.0, 8.8)[0] == pytest.approx(1.0, rel=1e-12)


def test_area_factor_scenario_has_the_published_ratios() -> None:
    model = ForwardModel(load_scenario("area_factor"))
    at_100ps = model.slot_amplitudes(100.0, 8.8)[0]
    at_10ns, at_163ns = model.slot_amplitudes(10_100.0, 8.8)[:2]
    assert at_100ps / at_10ns == pytest.approx(363 / 155, rel=1e-4)
    assert at_100ps / at_163ns == pytest.approx(976 / 155, rel=1e-4)


def test_hybrid_scenario_sees_some_bunches_in_each_slot() -> None:
    model = ForwardModel(load_scenario("hybrid324"))
    assert model.num_phases == 324
    for slot in range(4):
        assert len(set(model.bunch_of_phase[model.slot_of_phase == slot])) == 81


def test_fluence_is_linear_then_flat() -> None:
    fluence = Scenario().fluence
    at: NDArray[np.float64] = fluence_response(np.array([0.0, 0.5, 4.4, 8.8, 10.0, 12.4, 20.0, 40.0]), fluence)
    assert at[3] == pytest.approx(1.0)
    assert at[:3] == pytest.approx([0.0, 0.5 / 8.8, 0.5], rel=0.01)
    assert at[4] == pytest.approx(10 / 8.8, rel=0.02)
    assert at[5] < 0.92 * 12.4 / 8.8
    assert at[7] / at[6] == pytest.approx(1.0, abs=1e-3)
    change = [model_of().mu(13.472, 100.0, f, True)[0] - model_of().mu(13.472, 100.0, 0.0, True)[0] for f in (4.4, 8.8)]
    assert change[0] / change[1] == pytest.approx(0.5, rel=0.01)


def test_ion_chamber_rate() -> None:
    model = model_of()
    assert model.i0_rate() == pytest.approx(1e6 * 1.001 + 1e3)
    assert model.i0_rate(51.0) == pytest.approx(5e5 * 1.0005 + 1e3)
    assert model.i0_rate(0.0) == pytest.approx(1e3)


def test_seed_decides_the_bunches() -> None:
    same, other = model_of({"seed": 20210}), model_of({"seed": 7})
    assert np.array_equal(same.bunch_weight, model_of().bunch_weight)
    assert not np.allclose(same.bunch_weight, other.bunch_weight)
    assert np.all(model_of({"ring": {"bunch_spread_rms": 0.0}}).bunch_weight == 1.0)


def test_transients_that_cannot_be_scaled_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="positive transient at 100 ps"):
        model_of({"kinetics": {"lifetimes_ps": [120.0], "amplitudes": [0.0]}})
    far_away = [{"energy_keV": 14.0, "fwhm_eV": 1.0, "amplitude": 1.0}]
    with pytest.raises(ScenarioError, match="transient_fraction is undefined"):
        model_of({"sample": {"br_k": {"features": far_away}}})
    with pytest.raises(ScenarioError, match=r"absent\.csv cannot be read"):
        model_of({"sample": {"br_k": {"file": "absent.csv"}}})
