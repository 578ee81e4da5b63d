"""Covariances as factors: against numerical derivatives of the chain, and whole ones of earlier journals."""

from __future__ import annotations

import numpy as np
import pytest

from reduction.documents.covariances import covariance_between, covariance_of_slot, covariance_of_slots
from reduction.references.compared import Compared
from reduction.settings import Settings
from reduction.spectra.transient import transients
from reduction.statistics.factored import Factored

SLOTS, SIZE = 3, 9
ENERGY = np.linspace(13.45, 13.57, SIZE)
SETTINGS = Settings(pre_edge=(13.44, 13.481), integral=(13.48, 13.58))


def compared_rates(scale: float) -> Compared:
    """Random rates of an edge with covariances between slots and laser states, and three common parameters."""
    rng = np.random.default_rng(4)
    rate = 0.05 + np.linspace(0.0, 1.0, SIZE) ** 2 + 0.01 * rng.random((2, SLOTS, SIZE))
    root = rng.standard_normal((2 * SLOTS, 2 * SLOTS, SIZE))
    local = scale * np.einsum("pke,qke->pqe", root, root)
    shared = np.sqrt(scale) * rng.standard_normal((2, SLOTS, SIZE, 3))
    return Compared(rate, local.reshape(2, SLOTS, 2, SLOTS, SIZE), shared)


def by_differences(compared: Compared) -> np.ndarray:
    """Covariance (S, S, E, E) from the whole covariance of the rates and numerical derivatives of the chain."""
    pre = (ENERGY <= 13.481) / (ENERGY <= 13.481).sum()
    inside = ENERGY >= 13.48 - 1e-9

    def chain(rate: np.ndarray) -> np.ndarray:
        above = rate - (rate @ pre)[..., None]
        area = np.trapezoid(above[..., inside], ENERGY[inside]) / np.ptp(ENERGY[inside])
        value = above / area[..., None]
        return (value[1] - value[0]).ravel()

    flat = compared.rate.size
    whole = np.einsum("asem,btfm->asebtf", compared.shared, compared.shared)
    at = np.arange(SIZE)
    whole[:, :, at, :, :, at] += np.moveaxis(compared.local, -1, 0)
    steps = 1e-6 * np.eye(flat).reshape(flat, *compared.rate.shape)
    change = np.array([chain(compared.rate + step) - chain(compared.rate - step) for step in steps]).T / 2e-6
    found = change @ whole.reshape(flat, flat) @ change.T
    return found.reshape(SLOTS, SIZE, SLOTS, SIZE).transpose(0, 2, 1, 3)


@pytest.mark.parametrize("scale", [1e-4, 1e-12])
def test_factors_are_the_covariance_of_all_slots_and_points(scale: float) -> None:
    compared = compared_rates(scale)
    expected = by_differences(compared)
    found = transients(ENERGY, compared, SETTINGS).covariance
    size = np.sqrt(np.einsum("ssee->se", expected))
    np.testing.assert_allclose(
        found.of_all() / size[:, None, :, None] / size[None, :, None, :],
        expected / size[:, None, :, None] / size[None, :, None, :], atol=1e-7,
    )  # fmt: skip
    np.testing.assert_allclose(found.variance, size**2, rtol=1e-6)
    correlation = expected / size[:, None, :, None] / size[None, :, None, :]
    np.testing.assert_allclose(found.squared_correlations(), (correlation**2).sum(axis=(2, 3)), rtol=1e-6)
    assert found.factors.size < 0.7 * expected.size * SIZE  # no whole matrix is hidden in them


def test_a_slot_without_reference_and_a_point_that_is_not_used_have_no_covariance() -> None:
    compared = compared_rates(1e-4)
    without = compared.rate.copy()
    without[:, 1] = np.nan
    whole = transients(ENERGY, compared, SETTINGS).covariance
    found = transients(ENERGY, Compared(without, compared.local, compared.shared), SETTINGS).covariance
    assert np.isnan(found.of_all()[1]).all() and np.isnan(found.between(0, 1)).all()
    np.testing.assert_allclose(found.between(0, 2), whole.between(0, 2), rtol=1e-6, atol=1e-9)
    points = np.array([True] * SIZE + [False])
    placed = whole.placed(np.ones(SLOTS, bool), points)
    assert np.isnan(placed.between(0, 0)[-1]).all() and np.isnan(placed.variance[:, -1]).all()
    np.testing.assert_array_equal(placed.between(0, 2)[:-1, :-1], whole.between(0, 2))


def test_whole_covariances_of_earlier_journals_are_read_as_those_in_factors() -> None:
    found = transients(ENERGY, compared_rates(1e-4), SETTINGS).covariance
    common = {"transient": np.zeros((SLOTS, SIZE))}
    of_all = found.of_all()
    of_each = of_all[range(SLOTS), range(SLOTS)]
    earlier = common | {"transient_covariance": of_each, "transient_slot_covariance": of_all}
    now = common | dict(
        zip(
            ("transient_local", "transient_factors", "transient_signs"),
            (found.local, found.factors, found.signs),
            strict=True,
        )
    )
    for data in (earlier, now):
        np.testing.assert_array_equal(covariance_of_slots(data), of_each)
        np.testing.assert_array_equal(covariance_of_slot(data, 2), of_each[2])
        np.testing.assert_array_equal(covariance_between(data, [2, 0]), of_all[np.ix_([2, 0], [2, 0])])


def test_without_factors_it_is_diagonal() -> None:
    local = np.arange(1.0, 5.0).reshape(1, 1, 4)
    found = Factored.of(local, np.zeros((1, 4, 2)))
    np.testing.assert_array_equal(found.between(0, 0), np.diag(local[0, 0]))
    assert found.squared_correlations() == pytest.approx(4.0)  # each point with itself
