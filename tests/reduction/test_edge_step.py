"""Normalisation by the edge step: values of Larch, errors by repetition."""

from __future__ import annotations

import numpy as np
import pytest

from reduction.errors import ReductionError
from reduction.spectra.edge_step import divide_by_edge_step, edge_step_fits

E0 = 7.112
ENERGY = np.concatenate([np.arange(7.062, 7.1, 0.004), np.arange(7.1, 7.142, 0.001), np.arange(7.142, 7.213, 0.003)])
PRE_EDGE, POST_EDGE = (7.062, 7.1), (7.15, 7.212)
REPEATS = 400


def truth(slope: float = 3.0) -> np.ndarray:
    """A sloping background, an edge of height 2 at E0, and a white line."""
    above = np.arctan((ENERGY - E0) / 4e-4) / np.pi + 0.5
    line = 1.5 * np.exp(-(((ENERGY - 7.118) / 0.003) ** 2))
    return np.asarray(0.7 + slope * (ENERGY - 7.0) + 2.0 * above + line)


def test_values_are_those_of_larch() -> None:
    larch = pytest.importorskip("larch")
    from larch.xafs import pre_edge

    group = larch.Group(energy=1e3 * ENERGY, mu=truth())
    in_ev = {"pre1": -50.0, "pre2": -12.0, "norm1": 38.0, "norm2": 100.0}
    pre_edge(group, e0=1e3 * E0, nvict=0, **in_ev)
    fits = edge_step_fits(ENERGY, E0, PRE_EDGE, POST_EDGE)
    found = divide_by_edge_step(truth(), np.full(ENERGY.size, 1e-6), fits)
    np.testing.assert_allclose(found.norm, group.norm, atol=1e-9)
    assert found.edge_step == pytest.approx(group.edge_step, rel=1e-9)
    assert found.edge_step == pytest.approx(2.0, abs=0.08) and fits.degree == 1


def test_errors_are_the_scatter_of_repeats() -> None:
    """Also between the energies: the pull of a sum has the propagated covariance."""
    pytest.importorskip("larch")
    rng = np.random.default_rng(20261)
    variance = (0.002 + 0.02 * (truth() - 0.7)) ** 2  # large above the edge: the error of the step is common to all
    fits = edge_step_fits(ENERGY, E0, PRE_EDGE, POST_EDGE)
    expected = divide_by_edge_step(truth(), variance, fits)
    pulls, steps, sums = [], [], []
    for _ in range(REPEATS):
        noisy = truth() + np.sqrt(variance) * rng.standard_normal(ENERGY.size)
        found = divide_by_edge_step(noisy, variance, fits)
        pulls.append((found.norm - expected.norm) / found.norm_stddev)
        steps.append((found.edge_step - expected.edge_step) / found.edge_step_stddev)
        sums.append((found.norm - expected.norm).sum() / np.sqrt(found.norm_covariance.sum()))
    width = 4 / np.sqrt(2 * REPEATS)
    for pull in (steps, sums):
        assert np.std(pull) == pytest.approx(1, abs=width)
        assert np.mean(pull) == pytest.approx(0, abs=4 / np.sqrt(REPEATS))
    assert np.std(pulls) == pytest.approx(1, abs=width)


@pytest.mark.parametrize(
    ("e0", "pre_edge", "post_edge", "said"),
    [
        (E0, (7.062, 7.064), POST_EDGE, r"^1 points in the pre-edge range, 7\.062 to 7\.064 keV, are too few"),
        (E0, PRE_EDGE, (7.211, 7.3), r"points in the post-edge range"),
        (7.05, PRE_EDGE, POST_EDGE, r"^E0, 7\.05 keV, .* ends at 7\.1 keV, and the .* begins at 7\.15 keV"),
    ],
)
def test_ranges_that_cannot_be_fitted_are_refused(e0, pre_edge, post_edge, said: str) -> None:
    with pytest.raises(ReductionError, match=said):
        edge_step_fits(ENERGY, e0, pre_edge, post_edge)


def test_a_spectrum_without_an_edge_has_no_edge_step() -> None:
    pytest.importorskip("larch")
    fits = edge_step_fits(ENERGY, E0, PRE_EDGE, POST_EDGE)
    with pytest.raises(ReductionError, match=r"^the edge step, .* does not exceed its error"):
        divide_by_edge_step(np.ones(ENERGY.size), np.ones(ENERGY.size), fits)


def test_three_points_before_the_edge_suffice() -> None:
    assert edge_step_fits(ENERGY, E0, (7.062, 7.0705), POST_EDGE).pre_edge == (7.062, 7.0705)
