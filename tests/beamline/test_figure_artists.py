"""Error bars and the limits of axes."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from beamline.outputs.live_figure.artists import AutoLimits, ErrorBars, data_range
from tests.beamline.figures import bars_of


def test_error_bars_reach_one_standard_deviation_up_and_down() -> None:
    axes = Figure().add_subplot()
    bars = ErrorBars(axes, "black")
    bars.set(np.array([1.0, 2.0, 3.0]), np.array([5.0, np.nan, 7.0]), np.array([0.5, 1.0, 0.25]))
    (drawn,) = bars_of(axes)
    assert drawn.tolist() == [[[1.0, 4.5], [1.0, 5.5]], [[3.0, 6.75], [3.0, 7.25]]]


def test_limits_follow_the_data_without_jumping_and_leave_the_users_alone() -> None:
    axes = Figure().add_subplot()
    bars, limits = ErrorBars(axes, "black"), AutoLimits([axes], holds=0.0)

    def show(*values: float) -> tuple[float, float]:
        bars.set(np.arange(len(values), dtype=float), np.array(values), np.full(len(values), 0.1))
        limits.follow([bars])
        return axes.get_ylim()

    first = show(1.0, 2.0)
    assert first[0] <= 0 and first[1] >= 2.1
    assert show(1.0, 1.9) == first  # a little less needs no change
    assert show(1.0, 3.0)[1] >= 3.1
    axes.set_ylim(0.0, 0.5)
    assert show(1.0, 9.0) == (0.0, 0.5)
    limits.release()
    assert show(1.0, 9.0)[1] >= 9.1


def test_limits_with_room_stay_until_it_is_used_up() -> None:
    axes = Figure().add_subplot()
    limits, seen = AutoLimits([axes], "x", foot=0.0, head=0.0), set()
    for end in range(100, 141):
        limits.enclose(0.0, float(end), 1.4)
        seen.add(axes.get_xlim())
    assert seen == {(0.0, 140.0)}
    limits.enclose(0.0, 141.0)
    assert axes.get_xlim() == (0.0, 141.0)


def test_one_wild_point_does_not_hide_the_others() -> None:
    values, stddev = np.array([1.0, 1.1, 0.9, 50.0]), np.array([0.1, 0.1, 0.1, 40.0])
    assert data_range([(values - stddev, values + stddev)], holds=None) == pytest.approx((0.8, 1.2))
    assert data_range([], holds=0.0) is None
    low, high = data_range([(np.array([2.0]), np.array([2.0]))], holds=None) or (0.0, 0.0)
    assert low < 2.0 < high
