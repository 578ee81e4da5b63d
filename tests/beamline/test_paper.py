"""`trxas paper`: derived numbers against hand calculation, simulated ones against the scenario's truth."""

from __future__ import annotations

import numpy as np
import pytest
from typer.testing import CliRunner

from beamline.app.cli import app
from beamline.studies.paper import simulated
from beamline.studies.paper.arithmetic import arithmetic, contradictions, kinetic_factors
from beamline.studies.paper.number import PaperNumber


def by_name(numbers):
    return {each.what: each for each in numbers}


def test_numbers_that_follow_from_numbers():
    found = by_name(arithmetic())
    assert found["photocarriers"].ours == pytest.approx(7.6e19 * 1.3e7 * 1e-24)
    assert found["heating"].ours == pytest.approx(7.15 * 0.41 / (5.8e-3 * 0.02 * 215), rel=1e-6)
    assert found["pulse spacing"].ours == pytest.approx(153.438, abs=1e-3)
    assert found["third delay"].ours == pytest.approx(163.538, abs=1e-3)
    assert found["absorbed fluence"].ours == pytest.approx(8.8 * (1 - 10**-1.7))
    close = ("X-ray pulses", "laser pulses", "pulse spacing", "third delay", "pump photon", "heating", "photocarriers")
    for name in close:
        assert abs(found[name].difference) < 0.025 * found[name].paper, name


def test_factors_of_the_published_kinetics_are_equal_and_far_from_the_published_ones():
    factors, errors = kinetic_factors()
    at_100 = 0.60 * np.exp(-100 / 120) + 0.21 * np.exp(-100 / 900) + 0.19  # without the response
    assert factors == pytest.approx(155 * at_100 / 0.19, rel=0.02)
    assert abs(factors[0] - 363) > 4 * errors[0] and abs(factors[1] - 976) > 10 * errors[1]


def test_contradictions_are_reported_with_numbers():
    reported = " ".join(contradictions())
    for phrase in ("525", "155 ns", "27 %", "106 ps", "8.62", "4.25", "15 pumps", "767 ns"):
        assert phrase in reported, phrase


def test_difference_and_pull():
    number = PaperNumber("x", "", 10.0, 13.0, "", "", paper_error=3.0, error=4.0)
    assert number.difference == 3 and number.pull == pytest.approx(0.6)
    assert np.isnan(PaperNumber("x", "", 1.0, 2.0, "", "").pull)


def test_the_command_prints_all_of_it():
    result = CliRunner().invoke(app, ["paper", "--no-simulate"])
    assert result.exit_code == 0
    for phrase in ("photocarriers", "988", "117.5", "Contradictions:", "area factor 163.5 ns"):
        assert phrase in result.output


def test_simulated_kinetics_hold_the_truth(tmp_path):
    found = list(simulated._kinetics(tmp_path, 0.3, 5))
    assert len(found) == 5
    assert all(abs(each.difference) < 4.5 * each.error for each in found)


def test_a_simulator_that_fails_is_reported(tmp_path):
    with pytest.raises(simulated.PaperError, match="delay_ps"):
        simulated.draw(tmp_path, 1, [13.472], [1.0, 2.0], 8.8, 1, 0.3, {})


@pytest.mark.long
def test_all_simulated_numbers_hold_the_truth():
    listed = list(simulated.simulated(0.3, 3, lambda what: None))
    found = by_name(listed)
    projected = [each for each in listed if each.what.startswith("area factor") and "projection" in each.how]
    assert len(projected) == 4
    for each in projected:
        truth = 525.0 if "flat" in each.how else each.paper
        assert abs(each.ours - truth) < 4.5 * each.error + 5, each
    for name in ("tau1", "tau2", "Br transient, 100 ps", "plateau begins"):
        assert abs(found[name].pull) < 4.5, name
