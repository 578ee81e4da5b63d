"""Derived numbers: C with Fieller's interval, sizes of transients, the pump's effect. Coverage as a statistic."""

from __future__ import annotations

import numpy as np
import pytest

from reduction.spectra import photoexcitation
from reduction.spectra.amplitudes import area, relative_amplitude
from reduction.spectra.ratios import comparison_parameter, fieller

ENERGY = 13.466 + 0.00025 * np.arange(33)
MAIN, PRE = (13.471, 13.472), (13.468, 13.469)


def test_fieller_solves_its_inequality():
    covariance = np.array([[0.04, 0.01], [0.01, 0.09]])
    found = fieller(-2.0, 1.5, covariance, 0.954)
    for end in (found.low, found.high):
        left = (-2.0 - end * 1.5) ** 2
        right = 3.98 * (0.04 - 2 * end * 0.01 + end**2 * 0.09)
        assert left == pytest.approx(right, rel=2e-3)
    assert found.bounded and found.holds(found.value) and not found.holds(found.low - 1e-6)


def test_fieller_is_the_propagated_error_where_the_denominator_is_good():
    found = fieller(-2.0, 10.0, np.diag([1e-4, 1e-4]))
    assert found.high - found.low == pytest.approx(2 * found.stddev, rel=1e-3)


def test_the_propagated_error_takes_the_covariance_in():
    covariance = np.array([[4e-4, 3e-4], [3e-4, 9e-4]])
    drawn = np.random.default_rng(6).multivariate_normal([-2.0, 10.0], covariance, 20_000)
    scatter = (drawn[:, 0] / drawn[:, 1]).std()
    assert fieller(-2.0, 10.0, covariance).stddev == pytest.approx(scatter, rel=4.5 / np.sqrt(40_000))


def test_a_denominator_that_may_be_zero_gives_no_interval():
    outside = fieller(5.0, 0.1, np.diag([1.0, 1.0]))
    assert not outside.bounded and outside.holds(50.0) and outside.holds(-50.0) and not outside.holds(0.0)
    everything = fieller(0.1, 0.1, np.diag([1.0, 1.0]))
    assert np.isnan(everything.low) and everything.holds(0.0) and everything.holds(1e9)


def drawn_c(number: int, level: float, noise: float) -> float:
    """Share of drawn transients whose C interval holds the truth."""
    rng = np.random.default_rng(4)
    truth = 0.6 * np.exp(-(((ENERGY - 13.4685) / 0.001) ** 2)) - np.exp(-(((ENERGY - 13.4715) / 0.001) ** 2))
    root = noise * (np.eye(ENERGY.size) + 0.02)  # a common part, as normalisation makes it
    covariance = root @ root.T
    true_c = comparison_parameter(ENERGY, truth, covariance, MAIN, PRE).value
    held = 0
    for _ in range(number):
        transient = truth + root @ rng.standard_normal(ENERGY.size)
        held += comparison_parameter(ENERGY, transient, covariance, MAIN, PRE, level).holds(true_c)
    return held / number


@pytest.mark.parametrize("level", [0.683, 0.954])
@pytest.mark.parametrize("noise", [0.2, 0.6])
def test_c_covers_the_truth_shortened(level, noise):
    assert abs(drawn_c(2000, level, noise) - level) < 4.5 * np.sqrt(level * (1 - level) / 2000)


@pytest.mark.long
@pytest.mark.parametrize("level", [0.683, 0.954])
@pytest.mark.parametrize("noise", [0.1, 0.2, 0.6, 1.5])
def test_c_covers_the_truth(level, noise):
    assert abs(drawn_c(20_000, level, noise) - level) <= 0.015


def test_c_is_the_ratio_of_means_and_refuses_uneven_windows():
    transient = np.where(ENERGY > 13.470, -3.0, 2.0)
    found = comparison_parameter(ENERGY, transient, 1e-4 * np.eye(ENERGY.size), MAIN, PRE)
    assert found.value == pytest.approx(-1.5)
    wide = comparison_parameter(ENERGY, transient, 1e-4 * np.eye(ENERGY.size), MAIN, (PRE[0] - 0.001, PRE[1]))
    assert wide.value == pytest.approx(-1.5)  # means, whatever the numbers of points
    assert found.stddev == pytest.approx(np.sqrt(1e-4 / 5 * (1 / 9 + 1 / 4)) * 1.5, rel=1e-6)
    with pytest.raises(ValueError, match="not two or more"):
        comparison_parameter(ENERGY[::16], transient[::16], np.eye(3), MAIN, PRE)
    uneven = ENERGY.copy()
    uneven[22] += 1e-4
    with pytest.raises(ValueError, match="equal steps"):
        comparison_parameter(uneven, transient, np.eye(ENERGY.size), MAIN, PRE)
    mixed = np.sort(np.concatenate([ENERGY, ENERGY[18:26] + 0.000125]))
    with pytest.raises(ValueError, match="different steps"):
        comparison_parameter(mixed, np.ones(mixed.size), np.eye(mixed.size), MAIN, PRE)


@pytest.mark.parametrize("bad", [(np.nan, 1.0, np.eye(2)), (1.0, 1.0, np.diag([1.0, np.inf])), (1, 1, -np.eye(2))])
def test_bad_ratios_are_refused(bad):
    with pytest.raises(ValueError, match=r"finite|below 0"):
        fieller(*bad)


def test_area_and_what_noise_adds_to_it():
    truth = np.sin(np.linspace(0, 2 * np.pi, ENERGY.size))
    exact = area(ENERGY, truth, np.zeros((ENERGY.size,) * 2))
    assert exact.value == pytest.approx(np.trapezoid(np.abs(truth), 1e3 * ENERGY))
    assert exact.stddev == exact.noise == 0
    rng = np.random.default_rng(1)
    flat, sigma = np.zeros(ENERGY.size), 0.3
    covariance = np.diag(np.full(ENERGY.size, sigma**2))
    areas = [area(ENERGY, flat + sigma * rng.standard_normal(ENERGY.size), covariance).value for _ in range(150)]
    expected = np.sqrt(2 / np.pi) * sigma * 1e3 * np.ptp(ENERGY)  # mean of |x| of a normal x
    assert np.mean(areas) == pytest.approx(expected, rel=0.04)
    quoted = area(ENERGY, flat + sigma * rng.standard_normal(ENERGY.size), covariance).stddev
    assert quoted == pytest.approx(np.std(areas), rel=0.15)  # of a modulus; that of the points is 1.66 times as large


@pytest.mark.parametrize("shared", [0.0, 0.5])
@pytest.mark.parametrize("size", [0.0, 6.0, 30.0])
def test_the_area_of_the_signal_alone_has_pulls_of_width_1(size, shared):
    """Of 33 points a fifth with a signal, of either sign; noise that is shared or not."""
    rng = np.random.default_rng(5)
    truth = np.where(np.arange(ENERGY.size) % 5 == 0, size, 0.0) * (-1.0) ** np.arange(ENERGY.size)
    covariance = np.eye(ENERGY.size) + shared
    whole = np.trapezoid(np.abs(truth), 1e3 * ENERGY)
    drawn = rng.multivariate_normal(truth, covariance, 400)
    pulls = np.array([(one.signal - whole) / one.signal_stddev for one in (area(ENERGY, t, covariance) for t in drawn)])
    assert abs(pulls.mean()) < 0.1 + 3 / 20
    assert pulls.std() == pytest.approx(0.95, abs=0.1 + 3 / np.sqrt(800))


@pytest.mark.parametrize(("size", "bias"), [(0.5, -0.362), (1.0, -0.480), (2.0, -0.315)])
def test_a_signal_of_one_error_loses_half_an_error(size, bias):
    """t erf(t / 2) - t, by tables: erf(0.25) = 0.2763, erf(0.5) = 0.5205, erf(1) = 0.8427."""
    rng = np.random.default_rng(6)
    drawn = size + rng.standard_normal((2000, ENERGY.size))
    found = [area(ENERGY, t, np.eye(ENERGY.size)).signal for t in drawn]
    length = 1e3 * np.ptp(ENERGY)
    assert np.mean(found) / length - size == pytest.approx(bias, abs=4.5 * np.std(found) / length / np.sqrt(2000))


@pytest.mark.parametrize("size", [0.0, 1.0, 2.5, 20.0])
def test_the_area_is_not_that_of_the_wide_steps_where_nothing_is(size):
    """A transient of an edge and nothing above it, where a step is ten times as wide and so is its noise's area."""
    rng = np.random.default_rng(7)
    energy = 13.47 + 1e-3 * np.concatenate([np.arange(-6, 6.1, 0.75), np.arange(12, 100, 8)])
    x = 1e3 * (energy - 13.47)
    truth = size * (np.exp(-((x / 2) ** 2)) - np.exp(-(((x - 4) / 2) ** 2)))
    whole = np.trapezoid(np.abs(truth), 1e3 * energy)
    drawn = truth + rng.standard_normal((400, energy.size))
    found = [area(energy, t, np.eye(energy.size)) for t in drawn]
    pulls = np.array([(one.signal - whole) / one.signal_stddev for one in found])
    assert abs(np.mean(pulls)) < 0.2 + 3 / 20  # 1.5 where the wide steps are taken to hold as much signal as the others
    assert np.std(pulls) == pytest.approx(0.95, abs=0.1 + 3 / np.sqrt(800))


@pytest.mark.parametrize("common", [0.0, 0.12])
def test_the_projection_has_no_such_bias_and_right_errors(common):
    """Also where both have a reference in common, whose noise is as large as that of the shape."""
    rng = np.random.default_rng(2)
    shape = np.exp(-(((ENERGY - 13.4715) / 0.001) ** 2)) - 0.4 * np.exp(-(((ENERGY - 13.4685) / 0.001) ** 2))
    unit = np.eye(ENERGY.size)
    pulls = []
    for _ in range(2000):
        reference = common * rng.standard_normal(ENERGY.size)
        measured = shape + 0.15 * rng.standard_normal(ENERGY.size) + reference
        transient = 0.4 * shape + 0.5 * rng.standard_normal(ENERGY.size) + reference
        own, noise = (0.5**2 + common**2) * unit, (0.15**2 + common**2) * unit
        amplitude, error = relative_amplitude(transient, own, measured, noise, common**2 * unit)
        pulls.append((amplitude - 0.4) / error)
    assert abs(np.mean(pulls)) < 4.5 / np.sqrt(2000) + 0.03
    assert abs(np.std(pulls) - 1) < 0.06


def test_numbers_of_the_si():
    assert photoexcitation.photocarriers(7.6e19, 1.3e7, 1e-24) == pytest.approx(988)
    assert photoexcitation.heating(7.15, 0.41, 5.8, 200, 215) == pytest.approx(117.5, abs=0.1)
    assert photoexcitation.varshni_shift(-7.3e-5, 314, 25, 140) == pytest.approx(6.5e-3, abs=5e-5)
    assert photoexcitation.photon_energy(355) == pytest.approx(3.49, abs=5e-3)
    assert photoexcitation.absorbed_fluence(10, 1) == pytest.approx(9)
    assert photoexcitation.mean_fluence(10, 1e-6) == pytest.approx(10, rel=1e-5)
    assert photoexcitation.heat_fraction(355, 516, 1.0) == pytest.approx(1 - 355 / 516)
    assert photoexcitation.photons_of_fluence(1.0, 355) == pytest.approx(10 / 5.5956e-19, rel=1e-4)
