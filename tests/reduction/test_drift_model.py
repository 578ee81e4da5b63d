"""The mixed model of the drift against dense matrices of plain numpy: likelihood, levels, curve, and their errors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from reduction.drift.model import DriftModel, Visits

TIME = np.array([[0.0, 11.0, 19.0, 31.0, 40.0], [100.0, 108.0, 121.0, 130.0, 140.0]])
ENERGY = np.array([[0, 1, 2, 3, 0], [3, 2, 1, 0, 3]])
LENGTH = np.array([[4.0, 6.0, 6.0, 5.0, 1.0], [6.0, 6.0, 3.0, 6.0, 2.0]])
HALF, GAP = 20.0, 9.5
"""s; half of a pass, and the median of the steps."""
LEVEL = np.array([0.0, 0.4, 0.9, 0.5])
PARAMETERS = np.array([[0.03, 0.02, 0.05, 0.01, 0.004], [0.05, 0.01, 0.03, 0.02, 0.001]])


def visits() -> Visits:
    rng = np.random.default_rng(2)
    level = (
        np.array([0.0, 0.4, 0.9, 0.5])[ENERGY] + np.array([[0.02], [-0.03]]) + 0.05 * rng.standard_normal(TIME.shape)
    )
    passes = np.repeat([3, 7], 5)
    variance = 1e-5 * (1 + rng.random(10))
    return Visits(passes, ENERGY.ravel(), TIME.ravel(), level.ravel(), variance, LENGTH.ravel())


def kernel(sizes: Any, t: float, u: float, length: float, same: bool, number: int) -> float:
    """Covariance of the drift at time t with the visit at u, both since the middle of their pass."""
    x, y = t / HALF, u / HALF
    since = (1 + min(x, y)) / 2  # of a pass
    lifetimes = GAP / 2 * 2.0 ** np.arange(number)
    slope, smooth, walk, octaves, white = np.square(sizes)
    whole = slope * x * y + smooth * (since**3 + 1.5 * abs(x - y) / 2 * since**2)
    whole += walk * (since + LENGTH.max() / 2 / (2 * HALF) - same * length / 6 / (2 * HALF))
    return float(whole + octaves * np.exp(-abs(t - u) / lifetimes).sum() + same * white)


def dense(sizes: Any) -> dict[str, Any]:
    """Generalised least squares with all visits in one matrix."""
    one = visits()
    middle = (TIME[:, 0] + TIME[:, -1]) / 2
    since = (TIME - middle[:, None]).ravel()
    scan = np.repeat([0, 1], 5)
    number = 1 + int(np.ceil(np.log2(16 * HALF / (GAP / 2))))
    covariance = np.diag(one.variance)
    for i in range(10):
        for j in np.flatnonzero(scan == scan[i]):
            covariance[i, j] += kernel(sizes, since[i], since[j], one.length[j], i == j, number)
    contrasts = np.linalg.svd(np.eye(4) - 0.25)[0][:, :3]
    design = np.concatenate(
        [np.eye(4)[one.effect] @ contrasts, np.eye(2)[scan], (since / HALF)[:, None]], axis=1
    )  # fmt: skip
    inverse = np.linalg.inv(covariance)
    information = design.T @ inverse @ design
    found = np.linalg.inv(information)
    solution = found @ design.T @ inverse @ one.level
    residual = one.level - design @ solution
    logs = np.linalg.slogdet(covariance)[1] + np.linalg.slogdet(information)[1]
    return {
        "likelihood": -0.5 * (logs + residual @ inverse @ residual), "solution": solution, "found": found,
        "levels": contrasts @ solution[:3], "covariance": contrasts @ found[:3, :3] @ contrasts.T, "number": number,
        "inverse": inverse, "residual": residual, "design": design, "since": since, "scan": scan, "length": one.length,
    }  # fmt: skip


@pytest.mark.parametrize("sizes", PARAMETERS)
def test_levels_slope_and_their_errors_are_those_of_dense_least_squares(sizes: Any) -> None:
    model = DriftModel(visits())
    assert model.slope_separated and model.gap == GAP
    found, expected = model.solve(sizes), dense(sizes)
    np.testing.assert_allclose(found.levels[:4], expected["levels"], atol=1e-9)
    assert found.levels[4] == pytest.approx(expected["solution"][-1], abs=1e-9)
    centred = np.eye(4) - 0.25
    np.testing.assert_allclose(centred @ found.covariance[:4, :4] @ centred, expected["covariance"], atol=1e-12)
    assert found.covariance[4, 4] == pytest.approx(expected["found"][-1, -1], rel=1e-9)


def test_the_likelihood_of_parameters_is_the_restricted_one() -> None:
    model = DriftModel(visits())
    found = [model.solve(sizes).likelihood for sizes in PARAMETERS]
    expected = [dense(sizes)["likelihood"] for sizes in PARAMETERS]
    assert found[1] - found[0] == pytest.approx(expected[1] - expected[0], rel=1e-9)


def test_the_curve_and_its_error_are_the_best_prediction() -> None:
    """At the visits themselves and between them; the level of the pass is a part of it, independent noise is not."""
    sizes = PARAMETERS[0]
    without_noise = np.append(sizes[:4], 0.0)
    model = DriftModel(visits())
    at = np.array([[0.0, 5.0, 19.0, 40.0], [101.0, 108.0, 125.0, 140.0]])
    curve, variance = model.drift(sizes, model.solve(sizes), at)
    one = dense(sizes)
    for scan, row in enumerate(at - np.array([[20.0], [120.0]])):
        for place, t in enumerate(row):
            mine = np.flatnonzero(one["scan"] == scan)
            across, number = np.zeros(10), one["number"]
            for j in mine:
                same = bool(np.isclose(t, one["since"][j]))
                across[j] = kernel(without_noise, t, one["since"][j], one["length"][j], same, number)
            wanted = np.zeros(6)
            wanted[3 + scan], wanted[5] = 1.0, t / HALF
            mean = wanted @ one["solution"] + across @ one["inverse"] @ one["residual"]
            rest = wanted - one["design"].T @ one["inverse"] @ across
            own = kernel(without_noise, t, t, 0.0, True, number)
            expected = own - across @ one["inverse"] @ across + rest @ one["found"] @ rest
            assert curve[scan, place] == pytest.approx(mean, abs=1e-9)
            assert variance[scan, place] == pytest.approx(expected, rel=1e-6)


def test_a_slope_is_separated_by_the_order_of_the_visits_and_passes_by_common_energies() -> None:
    one = visits()
    assert not DriftModel(one.only(one.pass_index == 3).only(np.arange(5) < 4)).slope_separated
    assert one.connected
    apart = Visits(
        one.pass_index, one.effect + 4 * (one.pass_index == 7), one.time, one.level, one.variance, one.length
    )
    assert not apart.connected


def test_the_thickness_of_a_line_is_expanded_about_its_slope() -> None:
    """Two alternating passes, 1 + 0.3 x in each, no noise: the common slope and the levels come back to 1e-4."""
    position = (TIME - ((TIME[:, 0] + TIME[:, -1]) / 2)[:, None]) / HALF
    level = LEVEL[ENERGY] + np.log1p(0.3 * position)
    one = visits()
    model = DriftModel(replace(one, level=level.ravel(), variance=np.full(10, 1e-8)))
    sizes = np.array([1e-4, 1e-4, 1e-4, 1e-5, 1e-5])
    model.expand_about_slopes(sizes)
    solution = model.solve(sizes)
    assert solution.levels[4] == pytest.approx(0.3, abs=1e-3)
    np.testing.assert_allclose(solution.levels[:4], LEVEL - 0.45, atol=1e-3)
    curve, _ = model.drift(sizes, solution, TIME)
    np.testing.assert_allclose(
        curve - curve.mean(), np.log1p(0.3 * position) - np.log1p(0.3 * position).mean(), atol=2e-3
    )
