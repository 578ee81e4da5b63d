"""Numbers of many drawn scenarios against their truths, and the forward model against closed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from beamline.app.cli import app
from beamline.studies.numbers import counter, keep
from beamline.studies.numbers.forward import Experiment, excited
from beamline.studies.numbers.jet import schedule
from beamline.studies.numbers.number import Number, StudyResult
from beamline.studies.numbers.scenarios import FILLS, draw
from beamline.studies.numbers.table import markdown, note_shares, numbers_of, row_of, study

RNG = np.random.default_rng(8)


def scenario(**changes):
    return replace(draw(3), **changes)


def silent(found):
    """Numbers of results without a note that contradicts them. Fits, shifts and foils have tests of their own."""
    results = [one for each in found for one in each if not isinstance(one, str)]
    numbers = numbers_of(one for one in results if one.kind not in ("kinetics", "alignment", "foil"))
    return [one for one in numbers if not one.noted and np.isfinite(one.pull)]


@pytest.fixture(scope="module")
def hundred():
    """A hundred scenarios: thirty of them scanned over energy, sixty over fluence, ten over delay."""
    parts = (
        study(range(30), kinds=("energy",)), study(range(30, 90), kinds=("fluence",)),
        study(range(90, 100), kinds=("delay",)),
    )  # fmt: skip
    return [results for part in parts for results in part]


def test_numbers_without_a_note_hold_their_errors_in_a_hundred_scenarios(hundred):
    """The numbers of a scenario depend on each other: a width is known to 0.06, 68 % to 4 %."""
    found = silent(hundred)
    assert {one.reference for one in found} == {"paper", "shutter", "slots", "combined"}
    assert len(found) > 800
    row = row_of("all", "", found)
    assert abs(row.bias) < 0.2 and row.width == pytest.approx(1, abs=0.15), row
    assert row.inside[0] == pytest.approx(0.683, abs=0.08) and row.inside[1] == pytest.approx(0.954, abs=0.04), row
    assert row.wrong_silent < 0.015, row


def test_no_scenario_ends_without_a_reason(hundred):
    """What the reduction refuses it refuses by name."""
    messages = [one for results in hundred for one in results if isinstance(one, str)]
    assert all("Rejected" in text or "too few" in text for text in messages)


def test_no_note_is_in_every_result(hundred):
    for one in note_shares(one for results in hundred for one in results):
        assert one.usual or one.kind == "kinetics" or one.share < 0.65, one


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_two_thousand_scenarios():
    """The documentation has all figures."""
    row = row_of("all", "", silent(study(range(2000), jobs=2)))
    assert row.width == pytest.approx(1, abs=0.05), row
    assert row.inside[0] == pytest.approx(0.683, abs=0.02), row
    assert row.inside[1] == pytest.approx(0.954, abs=0.01), row
    assert row.wrong_silent < 0.005, row


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
    recorded = counter.count(mu, 0.0, 5000, truth, RNG)
    share = -np.expm1(-0.8)
    assert recorded.hits.mean() == pytest.approx(5000 * share, rel=4 * np.sqrt((1 - share) / share / 5000 / 4800))
    assert recorded.hits.var() == pytest.approx(5000 * share * (1 - share), rel=0.1)


def test_after_effects_make_the_chain_that_a_loop_over_gates_makes():
    truth = scenario(afterpulse=0.02, blinding=0.3)
    mu = np.array([0.9, 0.2, 0.6, 1.2, 0.4])
    recorded = counter.count(np.tile(mu, (200, 1)), 0.0, 2000, truth, RNG)
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


def test_the_jet_has_the_noise_that_was_asked_for():
    """Rms 1 % over many passes that are far apart; a corner at 1 Hz, so that passes are independent."""
    truth = scenario(jet=0.01, corner=1.0, drift=0.0, passes_differ=0.0, dwell=0.002)
    plan = schedule(200, 2)
    thickness = np.concatenate([Experiment(replace(truth, seed=seed))._jet(plan)[0] for seed in range(20)])
    assert thickness.std() == pytest.approx(0.01, rel=0.1)
    line = Experiment(scenario(jet=0.0, drift=0.05, passes_differ=0.0))._jet(schedule(50, 1))[0]
    assert line.std() == pytest.approx(0.05, rel=0.02)


def test_a_pass_returns_to_its_monitors_and_every_second_one_goes_down():
    plan = schedule(6, 2, alternating=True, monitors=2)
    np.testing.assert_array_equal(plan.point[plan.point < 0], [-1, -2, -1, -2, -1, -2, -1] * 2)
    grid = plan.point >= 0
    np.testing.assert_array_equal(plan.point[grid][::4], [0, 1, 2, 3, 4, 5, 5, 4, 3, 2, 1, 0])
    np.testing.assert_array_equal(plan.segment[plan.point < 0], [0, 1, 2, 3, 4, 5, 6] * 2)
    assert plan.point[0] < 0 and plan.point[-1] < 0 and not plan.laser_on[plan.point < 0].any()
    at = plan.places(6)
    assert at.shape == (6, 8) and (plan.point[at] == np.arange(6)[:, None]).all()
    assert (np.diff(plan.times(1.0)[plan.scan == 1]) > 0).all()


def test_a_dwell_in_which_the_laser_slips_has_the_hits_of_both_halves():
    """One share of the gates, the same in every phase, has the light of earlier dwells, the rest that of later ones."""
    truth = scenario(slip=1, fill=FILLS[0], jet=0.0, drift=0.0, passes_differ=0.0, i0_noise=0.0, dark=0.0, mu=0.5)
    for seed in range(8):
        dwells = Experiment(replace(truth, seed=seed)).scan(np.array([13.472]), np.array([1000.0]))
        (slipped,) = np.flatnonzero(np.diff(dwells.laser_phase)) + 1
        alike = np.flatnonzero(dwells.plan.laser_on == dwells.plan.laser_on[slipped])
        before, after = alike[alike < slipped], alike[alike > slipped]
        if before.size and after.size:
            break
    flux = dwells.i0[slipped] * dwells.photons / dwells.i0[:, None]
    early, mixed, late = (np.exp(-flux[one]) for one in (before[-1], slipped, after[0]))
    changed = np.abs(early - late) > 1e-6
    share = ((mixed - late) / (early - late))[changed]
    assert changed.any() and 0 < share[0] < 1
    np.testing.assert_allclose(share, share[0], rtol=1e-6)


def test_fills_have_slots_at_the_bunches():
    by_name = {fill.name: fill for fill in FILLS}
    np.testing.assert_allclose(np.diff(by_name["24/5"].slot_times()), 153_438, rtol=1e-5)
    assert by_name["24/5"].phases == 120 and by_name["324/4"].phases == 324
    assert [fill.shares_bunches for fill in FILLS] == [True, False, False, True, False, False]


def test_the_command_prints_every_number():
    done = CliRunner().invoke(app, ["study", "numbers", "--scenarios", "3", "--first", "2"])
    assert done.exit_code == 0, done.output
    for word in ("SIMULATED", "transient 0", "static", "amplitude 1", "delay", "combined", "silent"):
        assert word in done.output


def test_a_study_goes_on_where_it_was_stopped(tmp_path):
    """Scenario 5 is there, 6 was cut off while it was written; the table is that of one run."""
    drawn = []
    numbers = [Number("a", "paper", 1.0, 0.5, 0.25, 2.0, True)]

    def one_by_one(seeds, jobs):
        for seed in seeds:
            drawn.append(seed)
            yield [StudyResult("energy", "paper", (f"Note {seed}.",), tuple(numbers)), f"delay: refused {seed}"]

    path = tmp_path / "study.json"
    first = list(keep.kept_study(path, 2, 5, 1, one_by_one))
    whole = path.read_text()
    path.write_text(whole[:-20])
    again = list(keep.kept_study(path, 3, 5, 1, one_by_one))
    assert drawn == [5, 6, 6, 7]
    assert again[:2] == first and again[2][1] == "delay: refused 7"
    assert list(keep.kept_study(path, 3, 5, 1, one_by_one)) == [again[0], *again[1:]] and drawn == [5, 6, 6, 7]


def test_a_row_counts_noted_results_apart():
    """Twelve pulls without a note, one of them beyond 3; four with one, one of them beyond 3."""
    pulls = [0.5, -0.5, 1.5, -1.5, 0.2, -0.2, 0.9, -0.9, 2.5, -2.5, 0.0, 4.0]
    numbers = [Number("a", "paper", 0.0, 0.0, 1.0, pull, False) for pull in pulls]
    noted = [Number("a", "paper", 0.0, 0.0, 1.0, pull, True) for pull in (1.0, 9.0, 0.0, 0.0)]
    row = row_of("a", "paper", numbers + noted)
    assert row.cells() == ("a", "paper", "16", "12", "+0.33", f"{np.std(pulls):.2f}", "58", "75", "8.3", "6.2")
    assert markdown([row]).splitlines()[2].startswith("| a | paper | 16 | 12 | +0.33 |")
    assert row_of("a", "paper", noted).cells() == ("a", "paper", "4", "0", "", "", "", "", "", "25.0")
