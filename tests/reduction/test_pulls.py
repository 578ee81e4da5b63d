"""Statistics as statistics: 500 seeded scans from the forward model through the whole chain, one statistic a scan.

The mean of 500 pulls is known to 1/sqrt(500) = 0.045 and their standard deviation to 1/sqrt(1000) = 0.032, so that
0.15 and 0.10 are more than three of each.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from reduction.counting.accumulate import PointRates
from reduction.counting.kernels import OFF, ON
from reduction.spectra.spectrum import reduce_spectrum
from tests.reduction.scans import ENERGIES, SETTINGS, WHITE_LINE, expected, measure, photons, rates, scenario_model

SCANS = 500
DWELL = 1.5


def model_of(mu: float, spread: float):
    return scenario_model(
        sample={"mu_white_line": mu},
        ring={"bunch_spread_rms": spread},
        jet={"thickness_rms": 0.0, "pass_to_pass_rms": 0.0},
    )


def statistics(result: PointRates) -> tuple[float, float, float, float]:
    """Transient and static at the white line of slot 0, each with its error."""
    spectrum = reduce_spectrum(ENERGIES, result, SETTINGS)
    return (
        spectrum.transient[0, WHITE_LINE],
        spectrum.transient_stddev[0, WHITE_LINE],
        spectrum.off[0, WHITE_LINE],
        spectrum.off_stddev[0, WHITE_LINE],
    )


def pulls(mu: float, spread: float, reduce: Callable) -> NDArray[np.float64]:
    """Pulls of transient and static, shape (SCANS, 2); the truth goes through the right chain without noise."""
    model = model_of(mu, spread)
    light = photons(model)
    truth = statistics(rates(model, expected(model, light)))
    found = []
    for seed in range(SCANS):
        data = measure(model, light, DWELL, np.random.default_rng([seed, 11]))
        transient, transient_error, static, static_error = statistics(reduce(model, data))
        found.append(((transient - truth[0]) / transient_error, (static - truth[2]) / static_error))
    return np.array(found)


def is_right(values: NDArray[np.float64]) -> bool:
    return bool(abs(values.mean()) <= 0.15 and abs(values.std(ddof=1) - 1) <= 0.10)


SHORT = [(2.0, 0.20)]
REST = [(mu, spread) for mu in (0.01, 0.1, 0.5, 1.0, 2.0) for spread in (0.05, 0.20) if (mu, spread) not in SHORT]


@pytest.mark.parametrize(("mu", "spread"), [*SHORT, *(pytest.param(*case, marks=pytest.mark.long) for case in REST)])
def test_pulls_of_transient_and_static_are_those_of_right_errors(mu, spread):
    found = pulls(mu, spread, rates)
    for values, name in zip(found.T, ("transient", "static"), strict=True):
        assert is_right(values), f"{name}: pull mean {values.mean():.3f}, standard deviation {values.std(ddof=1):.3f}"


def plain(model, data, probability_to_mu: Callable, variance: Callable, bunches_first: bool) -> PointRates:
    """The reduction in plain numpy with its steps open to be done wrongly."""
    slot = (np.arange(model.num_phases) - model.laser_phase) % model.divider
    shape = (2, model.divider, ENERGIES.size)
    rate, cov = np.empty(shape), np.zeros((2, model.divider, model.divider, ENERGIES.size))
    laser = np.array([1, 0, 0, 1])
    for state in (OFF, ON):
        of_state = laser == state
        flux = data.flux[:, of_state].sum(axis=1)
        for s in range(model.divider):
            k = data.hits[:, of_state][:, :, slot == s].astype(float)
            n = data.gates[:, of_state][:, :, slot == s].astype(float)
            if bunches_first:
                k, n = k.sum(axis=-1, keepdims=True), n.sum(axis=-1, keepdims=True)
            rate[state, s] = probability_to_mu(k / n).mean(axis=-1).sum(axis=-1) / flux
            cov[state, s, s] = variance(k, n).mean(axis=-1).sum(axis=-1) / k.shape[-1] / flux**2
        relative = SETTINGS.i0_noise**2 * (data.flux[:, of_state] ** 2).sum(axis=1) / flux**2
        cov[state] += rate[state][:, None] * rate[state][None, :] * relative
    return PointRates(rate, cov, np.full((2, ENERGIES.size), 2), np.zeros(model.num_bunches, np.int64))


def binomial(k, n):
    return k / (n * (n - k))


def poisson(k, n):
    return k / n**2


def corrected(p):
    return -np.log1p(-p)


def test_the_plain_numpy_chain_done_rightly_agrees_with_the_kernel():
    model = model_of(1.0, 0.2)
    data = measure(model, photons(model), DWELL, np.random.default_rng(3))
    ours, twin = rates(model, data), plain(model, data, corrected, binomial, bunches_first=False)
    np.testing.assert_allclose(ours.rate, twin.rate, rtol=3e-5)  # the twin leaves out the bias of small counts
    np.testing.assert_allclose(ours.covariance, twin.covariance, rtol=1e-4, atol=1e-18)


@pytest.mark.parametrize("mu", [1.0, 2.0])
@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param((lambda p: p, lambda k, n: k * (n - k) / n**3, False), id="no pile-up correction"),
        pytest.param((corrected, binomial, True), id="bunches averaged first"),
        pytest.param((corrected, poisson, False), id="square root of counts"),
    ],
)
def test_each_usual_shortcut_fails_the_same_test(mu, wrong):
    to_mu, variance, bunches_first = wrong
    found = pulls(mu, 0.20, lambda model, data: plain(model, data, to_mu, variance, bunches_first))
    assert not is_right(found[:, 0]), f"mean {found[:, 0].mean():.3f}, standard deviation {found[:, 0].std():.3f}"
