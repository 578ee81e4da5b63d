"""Numbers of many drawn scenarios against their truths, and the forward model against closed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from beamline.app.cli import app
from beamline.studies.numbers import counter
from beamline.studies.numbers.forward import Experiment, excited
from beamline.studies.numbers.scenarios import FILLS, draw
from beamline.studies.numbers.table import rows, study

RNG = np.random.default_rng(8)


def scenario(**changes):
    return replace(draw(3), **changes)


def table(each):
    return {(row.name, row.reference): row for row in rows(number for numbers in each for number in numbers)}


def steady(seeds, found):
    """Of a jet that does not drift within a pass: a drift bends spectra, and no error holds that."""
    return table(numbers for seed, numbers in zip(seeds, found, strict=True) if not draw(seed).drift)


@pytest.fixture(scope="module")
def hundred():
    return list(study(100))


def test_transients_hold_their_errors_in_a_hundred_scenarios(hundred):
    """About 50 independent scenarios: a width is known to 0.1, 68 % to 7 %."""
    found = steady(range(100), hundred)
    assert {reference for _, reference in found} == {"paper", "shutter", "slots", "combined", ""}
    for (name, _reference), row in found.items():
        if name.startswith(("transient", "amplitude", "delay")) and row.count > 30:
            assert abs(row.bias) < 0.6, row
            assert row.inside[0] > 0.45 and row.inside[1] > 0.84, row


def test_no_scenario_ends_without_a_reason(hundred):
    """What the reduction refuses it refuses by name."""
    messages = [one for numbers in hundred for one in numbers if isinstance(one, str)]
    assert all("no point has good dwells" in text or "too few" in text for text in messages)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_two_thousand_scenarios():
    """What holds: transients and delay traces of a jet that does not drift. The documentation has all figures."""
    found = steady(range(2000), study(2000, jobs=2))
    for (name, _reference), row in found.items():
        if name.startswith(("transient", "delay")) and row.count > 300:
            assert row.inside[0] == pytest.approx(0.683, abs=0.05), row
            assert row.inside[1] == pytest.approx(0.954, abs=0.025), row
            assert row.wrong_silent < 0.015, row


def test_the_excitation_without_response_is_the_sum_of_exponentials():
    truth = scenario(response=1e-3, time_zero=0.0, lifetimes=np.array([100.0, np.inf]), amplitudes=np.array([0.7, 0.3]))
    period = truth.fill.period
    after = np.array([1.0, 80.0, 3000.0])
    np.testing.assert_allclose(excited(after, truth), 0.7 * np.exp(-after / 100) + 0.3, rtol=1e-9)
    np.testing.assert_allclose(excited(after - period, truth), excited(after, truth), rtol=1e-9)
    assert excited(np.array([-5.0]), truth)[0] == pytest.approx(0.3)


def test_the_response_is_a_gaussian_convolution():
    truth = scenario(response=60.0, time_zero=20.0, lifetimes=np.array([90.0, 5000.0]), amplitudes=np.array([0.6, 0.4]))
    truth = replace(truth, fill=FILLS[0])
    fine = np.linspace(-400, 4000, 44001)
    pulse = np.where(fine > 0, 0.6 * np.exp(-np.maximum(fine, 0) / 90) + 0.4 * np.exp(-np.maximum(fine, 0) / 5000), 0.0)
    for delay in (-40.0, 10.0, 150.0):
        weight = np.exp(-0.5 * ((delay - 20.0 - fine) / 60) ** 2) / (60 * np.sqrt(2 * np.pi))
        assert excited(np.array([delay]), truth)[0] == pytest.approx(
            np.trapezoid(pulse * weight, fine), abs=5e-4
        )  # steps of 0.1 ps


def test_the_counter_is_poisson_with_one_hit_a_gate():
    truth = scenario(afterpulse=0.0, blinding=0.0)
    mu = np.full((400, 12), 0.8)
    recorded = counter.count(mu, np.zeros(400), 5000, truth, RNG)
    share = -np.expm1(-0.8)
    assert recorded.hits.mean() == pytest.approx(5000 * share, rel=4 * np.sqrt((1 - share) / share / 5000 / 4800))
    assert recorded.hits.var() == pytest.approx(5000 * share * (1 - share), rel=0.1)


def test_after_effects_make_the_chain_that_a_loop_over_gates_makes():
    truth = scenario(afterpulse=0.02, blinding=0.3)
    mu = np.array([0.9, 0.2, 0.6, 1.2, 0.4])
    recorded = counter.count(np.tile(mu, (200, 1)), np.zeros(200), 2000, truth, RNG)
    q, turns, chains = -np.expm1(-mu), 4000, 500
    hits = np.zeros((turns * mu.size, chains), bool)
    for gate in range(len(hits)):
        chance = np.where(hits[gate - 1], 0.02 + 0.7 * q[gate % 5], q[gate % 5])
        hits[gate] = RNG.random(chains) < chance
    inside = hits[50:].reshape(-1, 5, chains)
    np.testing.assert_allclose(recorded.hits.mean(axis=0) / 2000, inside.mean(axis=(0, 2)), atol=2e-3)
    for lag in (1, 2, 3):
        both = (hits[50:] & hits[50 - lag : -lag]).reshape(-1, 5, chains).mean(axis=(0, 2))
        np.testing.assert_allclose(recorded.both[:, lag - 1].mean(axis=0) / 2000, both, atol=2e-3)


def test_the_jet_has_the_configured_noise():
    """Rms 1 % over many passes that are far apart; a corner at 1 Hz, so that passes are independent."""
    truth = scenario(jet=0.01, corner=1.0, drift=0.0, passes_differ=0.0, dwell=0.002, passes=2)
    thickness = np.concatenate([Experiment(replace(truth, seed=seed))._jet(200, 2)[0].ravel() for seed in range(20)])
    assert thickness.std() == pytest.approx(0.01, rel=0.1)
    line = Experiment(scenario(jet=0.0, drift=0.05, passes_differ=0.0))._jet(50, 1)[0]
    assert line.std() == pytest.approx(0.05, rel=0.02)


def test_fills_have_slots_at_the_bunches():
    by_name = {fill.name: fill for fill in FILLS}
    np.testing.assert_allclose(np.diff(by_name["24/5"].slot_times()), 153_438, rtol=1e-5)
    assert by_name["24/5"].phases == 120 and by_name["324/4"].phases == 324
    assert [fill.shares_bunches for fill in FILLS] == [True, False, False, True, False, False]


def test_the_command_prints_every_number():
    done = CliRunner().invoke(app, ["study", "numbers", "--scenarios", "3", "--first", "2"])
    assert done.exit_code == 0, done.output
    for word in ("SIMULATED", "transient 0", "static", "amplitude 1", "delay", "combined", "wrong, silent"):
        assert word in done.output
