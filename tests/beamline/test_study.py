"""The Monte-Carlo of the references, shortened: its cases against counting statistics."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from beamline.app.cli import app
from beamline.studies.references import ENERGIES, SETTINGS, Case, Conditions, StudyError, Truth, run_study

SHORT = Conditions(measurements=24, passes=4)


def studied(*cases, conditions=SHORT):
    return list(run_study(list(cases), conditions))


def ratio(result, reference, base):
    """Beam time to the same error against `paper` at 1:1."""
    return (result.outcomes[reference].error / base.outcomes["paper"].error) ** 2


def unbiased(result):
    return all(abs(one.bias) < 4.5 * one.bias_stddev for one in result.outcomes.values())


@pytest.mark.timeout(300)
@pytest.mark.long
def test_beam_times_are_those_of_counting_and_of_jet_noise():
    """24 measurements x 9 points know an error to 5 %, a ratio of beam times to 14 %."""
    quiet, best, loud = studied(Case("1:1", 0.0, 50.0), Case("2:1", 0.0, 50.0), Case("1:1", 0.01, 50.0))
    assert ratio(quiet, "shutter", quiet) == pytest.approx(2.4 / 4, rel=0.35)
    assert 1 / 2.7 < ratio(best, "shutter", quiet) < 1 / 1.3  # 1/1.9 by counting alone
    assert ratio(loud, "shutter", loud) == pytest.approx(1, rel=0.1)
    assert ratio(loud, "slots", loud) < 1 / 14
    assert ratio(loud, "combined", loud) < 1 / 4  # what the late slots hold is known by the laser off alone
    for result in (quiet, best, loud):
        assert result.outcomes["combined"].error < 1.15 * result.outcomes["shutter"].error
        assert unbiased(result)
        for outcome in result.outcomes.values():
            assert outcome.quoted / outcome.error == pytest.approx(1, abs=0.25)
        assert result.clean[4] > 0.8 and result.clean[0] == 0


@pytest.mark.long
def test_a_lifetime_that_does_not_end_leaves_no_clean_slot():
    slow, constant = studied(Case("1:1", 0.003, 500.0), Case("1:1", 0.003, np.inf))
    for result in (slow, constant):
        assert not result.clean.any() and unbiased(result)
    assert slow.held / slow.signal == pytest.approx(0.4, abs=0.02)  # slot 4 against slot 1 at 500 ns
    assert constant.held == pytest.approx(constant.signal, rel=0.02)
    shutter, combined = (constant.outcomes[name].error for name in ("shutter", "combined"))
    assert combined == pytest.approx(shutter)


def test_the_truth_of_slots_is_a_slot_minus_its_references():
    phases = np.tile(np.arange(5), 2)
    amplitude = np.array([1.0, 0.4, 0.2, 0.1, 0.0])
    off = np.tile((0.5 + (ENERGIES > 13.468))[:, None], (1, 10))
    on = off * (1 + amplitude[phases] * 0.01 * (np.abs(ENERGIES - 13.472) < 0.001)[:, None])
    answer = {
        "mu_off": off, "mu_on": on, "slot_of_phase": phases, "slot_delays_ps": np.arange(5.0)
    }  # fmt: skip
    truth = Truth(answer, SETTINGS)
    np.testing.assert_allclose(truth.against((0, 0, 0, 0, 1)), truth.transient, atol=1e-12)
    assert np.abs(truth.against((0, 0, 1, 1, 0)) / 0.625 - truth.transient).max() < 1e-4  # 0.4 minus 0.15
    assert np.abs(truth.against((0, 0, 0, 0, 0)) - truth.transient).max() < 1e-12  # the last slot then


def test_a_simulator_that_fails_is_reported_with_its_output():
    with pytest.raises(StudyError, match="mu_white_line"):
        studied(Case("1:1", 0.0, 50.0), conditions=replace(SHORT, mu=-1.0))


def test_the_command_prints_every_reference_and_refuses_what_is_no_number():
    runner = CliRunner()
    done = runner.invoke(
        app, ["study", "references", "--measurements", "4", "--passes", "2", "--jets", "1", "--lifetimes", "inf"]
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    for word in ("SIMULATED", "paper", "shutter", "slots", "combined", "inf", "beam time", "bias", "quoted / real"):
        assert word in done.output
    assert runner.invoke(app, ["study", "references", "--jets", "one"]).exit_code == 2
    assert runner.invoke(app, ["study", "references", "--jets=-1"]).exit_code == 2


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_the_whole_study():
    """Beam time against paper: shutter 1/1.8 without jet noise, none gained at 1 %; slots about 1/30; bias none."""
    cases = [
        Case(share, jet, lifetime)
        for share in ("1:1", "2:1")
        for jet in (0.0, 0.003, 0.01)
        for lifetime in (50.0, 155.0, 500.0, np.inf)
    ]
    results = {result.case: result for result in run_study(cases, replace(SHORT, measurements=100))}
    for case, result in results.items():
        base = results[replace(case, share="1:1")]
        assert all(abs(one.bias) < 0.3 * one.error for one in result.outcomes.values()), case
        if case.jet == 0 and case.share == "2:1":
            assert 1 / 2.2 < ratio(result, "shutter", base) < 1 / 1.5
        if case.jet == 0.01:
            assert 0.8 < ratio(result, "shutter", base) < 1.4
        if case.jet == 0.01 and case.lifetime == 50:
            assert 1 / 40 < ratio(result, "slots", base) < 1 / 18
        assert result.outcomes["combined"].error < 1.15 * result.outcomes["shutter"].error, case
