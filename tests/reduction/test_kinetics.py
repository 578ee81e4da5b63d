"""The closed form of an exponential seen through a Gaussian response, against numerical convolution."""

from __future__ import annotations

from math import erfc, sqrt

import numpy as np
import pytest

from reduction.traces.kinetics.model import components, decay

NODES, WEIGHTS = np.polynomial.legendre.leggauss(60)


def convolved(delay: float, lifetime: float, sigma: float) -> float:
    """The convolution integral itself, piece by piece: exp(-x / lifetime) from 0 on, times a Gaussian."""
    of_response = [delay + k * sigma for k in (-12, -8, -5, -3, -1, 1, 3, 5, 8, 12)]
    of_decay = [k * lifetime for k in (0.3, 1, 3, 10, 40)] if np.isfinite(lifetime) else []
    edges = np.array(sorted({0.0, *(max(0.0, min(x, delay + 12 * sigma)) for x in of_response + of_decay)}))
    x = (edges[:-1, None] + edges[1:, None]) / 2 + np.diff(edges)[:, None] / 2 * NODES
    values = np.exp(-x / lifetime - 0.5 * ((delay - x) / sigma) ** 2) / (np.sqrt(2 * np.pi) * sigma)
    return float((values * WEIGHTS * np.diff(edges)[:, None] / 2).sum())


@pytest.mark.parametrize("lifetime", [0.5, 5.0, 45.0, 120.0, 900.0, 155_000.0, np.inf])
@pytest.mark.parametrize("sigma", [5.0, 45.0, 300.0])
def test_closed_form_is_the_convolution(lifetime, sigma):
    delays = np.concatenate([sigma * np.linspace(-7, 12, 20), [1000.0, 10_000.0, 130_000.0]])
    expected = [convolved(delay, lifetime, sigma) for delay in delays]
    np.testing.assert_allclose(decay(delays, lifetime, sigma), expected, rtol=0, atol=1e-8)


def test_nothing_overflows_where_the_naive_form_does():
    delays = np.array([-130_000.0, -4_000.0, 0.0, 1.0, 130_000.0])
    with np.errstate(over="raise", invalid="raise"):
        values = decay(delays, 0.1, 45.0)
    assert np.isfinite(values).all()
    # far from the start a short decay is its area times the Gaussian: tau / (sqrt(2 pi) sigma)
    assert values[2] == pytest.approx(0.1 / (np.sqrt(2 * np.pi) * 45), rel=1e-4)


def test_without_response_it_is_the_bare_exponential():
    np.testing.assert_allclose(decay([-1.0, 0.0, 120.0], 120.0, 0.0), [0.0, 0.5, np.exp(-1)])


def test_each_component_has_a_column():
    """A decay by quadrature, and a step whose closed form is an error function."""
    delays = np.array([-30.0, 0.0, 100.0])
    found = components(delays, [120.0, np.inf], 45.0)
    decaying = [convolved(delay, 120.0, 45.0) for delay in delays]
    step = [0.5 * erfc(-delay / (sqrt(2) * 45.0)) for delay in delays]
    np.testing.assert_allclose(found, np.stack([decaying, step], axis=1), rtol=0, atol=1e-8)


@pytest.mark.parametrize(("lifetime", "sigma"), [(0.0, 45.0), (-1.0, 45.0), (np.nan, 45.0), (10.0, -1.0)])
def test_impossible_parameters_are_refused(lifetime, sigma):
    with pytest.raises(ValueError, match=r"lifetime|sigma"):
        decay([0.0], lifetime, sigma)
