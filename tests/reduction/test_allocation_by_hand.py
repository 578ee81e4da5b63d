"""Parts of the allocation of time by hand: wanted errors, wall time, windows, curves, shares of the dual problem."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from reduction.allocation.allocate import PATTERNS, _refuse_out_of_reach
from reduction.allocation.fitted import bend, kinetics
from reduction.allocation.names import TargetError, parse_quantity, wanted_error
from reduction.allocation.predicted import _level
from reduction.allocation.predicted import predicted as expected_of
from reduction.allocation.problem import TimeCosts
from reduction.allocation.quantities import _mean_over, amplitude_ratio, built
from reduction.allocation.shares import reaching
from reduction.allocation.solve import least_cycles
from reduction.allocation.wanted import KNOWN
from reduction.traces.kinetics.model import decay
from tests.reduction.expected_grids import delay_grid


@pytest.mark.parametrize(
    ("wanted", "error"),
    [("10 %", 0.8), ("1 sigma", 8.0), ("5 sigma", 1.6), ((1.0, 4.0), 1.5), ("2 ns", 2000.0), (0.3, 0.3)],
)
def test_wanted_errors_of_a_number_of_eight(wanted: Any, error: float) -> None:
    assert wanted_error("t0", wanted, -8.0, "ps") == pytest.approx(error)


def test_wall_time_of_a_cycle() -> None:
    """Five dwells of 2 s; the shutter moves twice, since the last state is that before the first."""
    assert TimeCosts().of_cycle((1, 1, 0, 0, 1), 2.0) == 10.0
    assert TimeCosts(shutter=0.5, message=0.1).of_cycle((1, 1, 0, 0, 1), 2.0) == pytest.approx(11.5)


def test_the_level_of_a_delay_scan_is_the_mean_up_to_its_limit() -> None:
    grid: Any = SimpleNamespace(
        axis="laser_delay", position=np.array([-300.0, -100.0, 0.0, 50.0]), settings=SimpleNamespace(before_zero=-100.0)
    )
    assert _level(grid) == pytest.approx([0.5, 0.5, 0.0, 0.0])


def test_a_window_holds_its_ends() -> None:
    assert _mean_over(np.arange(1.0, 6.0), (2.0, 4.0)) == pytest.approx([0.0, 1 / 3, 1 / 3, 1 / 3, 0.0])


def test_a_ratio_of_amplitudes_has_two_times() -> None:
    with pytest.raises(TargetError, match="takes 2 value"):
        amplitude_ratio(parse_quantity("amplitude_ratio(1 ns)"), [])
    with pytest.raises(TargetError, match=r"no slot of an energy scan sees the sample 1000\.0 ps"):
        amplitude_ratio(parse_quantity("amplitude_ratio(1 ns, 2 ns)"), [])


def predicted(position: np.ndarray, transient: np.ndarray, **model: Any) -> Any:
    settings = SimpleNamespace(response=45.0, response_stddev=None)
    return SimpleNamespace(
        grid=SimpleNamespace(model=model, settings=settings, position=position), transient=transient[None]
    )


def test_the_curve_of_kinetics_is_the_transient_with_its_parameters() -> None:
    delay = np.linspace(-200.0, 2000.0, 40)

    def seen(zero: float, sigma: float) -> np.ndarray:
        return 0.03 * decay(delay - zero, 300.0, sigma) + 0.01 * decay(delay - zero, np.inf, sigma)

    fit = kinetics(predicted(delay, seen(0.0, 45.0), lifetimes=(300.0, np.inf)))
    assert fit.names == ("lifetime 1", "t0", "response", "amplitude 1", "amplitude 2")
    assert fit.value == pytest.approx([np.log(300.0), 0.0, 45.0, 0.03, 0.01])
    assert fit.curve(fit.value) == pytest.approx(seen(0.0, 45.0), abs=1e-12)
    assert fit.curve(fit.value + np.array([0.0, 20.0, 5.0, 0.0, 0.0])) == pytest.approx(seen(20.0, 50.0), abs=1e-12)


def test_a_line_bends_over_to_its_plateau_at_the_knee() -> None:
    """Half a photon at the origin; far above the knee the rise is the knee times the slope."""
    fluence = np.array([0.1, 1.0, 5.0, 10.0, 40.0, 4000.0])
    rise = fluence / (1 + (fluence / 10.0) ** 4) ** 0.25
    fit = bend(predicted(fluence, 0.5 + 0.2 * rise, saturation=10.0))
    assert fit.value == pytest.approx([np.log(10.0), np.log(4.0), 0.5, 0.2])
    assert fit.curve(fit.value)[[0, -1]] == pytest.approx([0.52, 2.5], rel=1e-4)
    assert fit.curve(fit.value)[3] == pytest.approx(0.5 + 2 / 2**0.25)


def test_times_are_least_where_the_fewest_suffice() -> None:
    """Two points with variances of 3 and 1: a budget of 2 is met by two cycles each, as a budget of 1 is not."""
    parts, cost, least = np.array([[3.0, 1.0]]), np.ones(2), np.full(2, 2.0)
    assert least_cycles(parts, np.array([2.0]), cost, least) == pytest.approx(least)
    found = least_cycles(parts, np.array([0.5]), cost, least)  # Neyman: in proportion to the square roots
    assert found == pytest.approx((np.sqrt(3) + 1) / 0.5 * np.array([np.sqrt(3), 1.0]), rel=1e-3)


def test_a_lifetime_is_that_of_slot_0() -> None:
    grid = delay_grid()
    ahead = expected_of(grid, (1, 0, 0, 1), np.ones(grid.points))
    (quantity,) = built("lifetime(1)", [ahead], KNOWN)
    found = quantity.linearised([ahead])
    assert found.value == pytest.approx(120.0) and found.weights[0][0].any() and not found.weights[0][1:].any()


def test_patterns_are_the_same_from_either_end_and_no_more_than_the_floor_is_promised() -> None:
    """So that a steady drift of the sample cancels; an error below what remains however long is counted is refused."""
    assert all(each == each[::-1] and set(each) == {0, 1} for each in PATTERNS)
    assert sorted(sum(each) / len(each) for each in PATTERNS) == pytest.approx([1 / 3, 1 / 2, 2 / 3, 4 / 5])
    quantity: Any = SimpleNamespace(name="t0", unit="ps")
    _refuse_out_of_reach(quantity, 1.0, 3.9, 4.0)
    with pytest.raises(TargetError, match="an error of 2 ps is out of reach: 2 remains"):
        _refuse_out_of_reach(quantity, 1.0, 4.0, 4.0)


def test_times_are_scaled_until_the_target_is_met() -> None:
    """A variance that falls more slowly than by 1 / n: one step of 1.5 is not enough."""
    problem: Any = SimpleNamespace(
        wanted=SimpleNamespace(limits=np.eye(1)), large=False, floor=lambda cycles, chosen: np.zeros(1)
    )
    problem.variance = lambda cycles, chosen: np.array([1.5 / cycles[0] ** 0.9])
    problem.counted = lambda cycles: problem
    found = reaching(problem, np.ones(3), np.ones(3))
    assert found == pytest.approx(1.5 ** (1 / 0.9), rel=2e-3)
