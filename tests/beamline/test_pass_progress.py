"""How far a scan has come and the time left, from the documents of its passes."""

from __future__ import annotations

import pytest

from beamline.session.pass_progress import PassProgress

ESTIMATED = {"time": 0.0, "estimated_time": 1000.0, "clock_rate": 10.0, "num_events": 40, "num_points": 10, "passes": 3}


def test_progress_and_time_left() -> None:
    """Ten dwells of 2 s a pass, three passes, ten seconds between them that belong to no pass."""
    progress = PassProgress()
    assert progress.seconds_left(0.0) is None and progress.fraction == 0
    progress.begin({"num_events": 10, "num_points": 10, "scan_index": 0, "passes": 3})
    for n in range(1, 5):
        progress.advance(n, n - 1, 100.0 + 2.0 * n)
    assert progress.fraction == pytest.approx(4 / 30)
    assert progress.seconds_left(108.0) == pytest.approx(26 * 2.0)
    assert progress.seconds_left(109.0) == pytest.approx(26 * 2.0 - 1.0)
    assert progress.seconds_left(500.0) == pytest.approx(25 * 2.0)  # no dwell is done before it is saved
    assert progress.silent_for(117.0) is None and progress.silent_for(120.0) == pytest.approx(12.0)
    progress.advance(4, 3, 140.0)  # retaken after a pause
    assert progress.done == progress.saved == 4
    progress.end({"exit_status": "success"})
    assert not progress.over and progress.silent_for(1e6) is None
    progress.begin({"num_events": 10, "num_points": 10, "scan_index": 2, "passes": 3})
    assert progress.fraction == pytest.approx(20 / 30)
    progress.end({"exit_status": "abort", "reason": "stopped"})
    assert progress.over and progress.seconds_left(1e6) is None and progress.reason == "stopped"


def test_pauses_and_a_clock_that_was_set_leave_the_time_left_right() -> None:
    """Dwells of 1 s, a move of 1 s after each fourth, a pause of 5 min, the clock an hour forward, then back."""
    progress = PassProgress()
    progress.begin({"num_events": 100, "num_points": 25, "scan_index": 0, "passes": 1})
    clock, jumps = 1.7e9, {10: 300.0, 20: 3600.0, 30: -3600.0}
    for number in range(1, 50):
        clock += 1.0 + (number % 4 == 1) + jumps.get(number, 0.0)
        progress.advance(number, (number - 1) // 4, clock)
    assert progress.seconds_left(clock) == pytest.approx(51 * 1.25, rel=0.02)


@pytest.mark.parametrize(("seconds", "left"), [(2.5, 50.0), (5.0, 75.0)])
def test_the_time_left_begins_with_the_estimate_and_ends_with_the_pace(seconds: float, left: float) -> None:
    """Estimated are 2.5 s a dwell; half way through, the time left is half way between estimate and pace."""
    progress = PassProgress()
    progress.begin(ESTIMATED)
    assert progress.pass_seconds_left(0.0) == 100.0 and progress.pass_seconds_left(1.0) == 99.0
    assert progress.pass_seconds_left(30.0) == 97.5
    assert progress.time_left(0.0) == "2 min left, 5 min with 2 more passes"
    for number in range(20):
        progress.advance(number + 1, number // 4, seconds * (number + 1))
    now = 20 * seconds
    assert progress.done == 20 and progress.pass_seconds_left(now) == pytest.approx(left)
    assert progress.seconds_left(now) == pytest.approx(left + 2 * 40 * left / 20)
    for number in range(20, 40):
        progress.advance(number + 1, number // 4, seconds * (number + 1))
    assert progress.pass_seconds_left(40 * seconds) == 0.0
    progress.begin({**ESTIMATED, "scan_index": 1, "time": 1000.0})  # the plan has measured its overheads and knows more
    assert progress.time_left(1000.0) == "2 min left, 3 min with 1 more pass"


def test_dwells_taken_again_are_no_progress_and_points_that_need_fewer_are() -> None:
    progress = PassProgress()
    progress.begin({"num_events": 40, "num_points": 10, "passes": 1})
    for number in range(1, 10):
        progress.advance(number, 0, 2.0 * number)
    assert progress.done == 4 and progress.saved == 9
    progress.advance(10, 1, 20.0)
    progress.advance(11, 2, 22.0)
    assert progress.done == 9
    assert progress.seconds_left(22.0) == pytest.approx(31 * 2.0 * 11 / 9)  # repeats take their time in the rest too


@pytest.mark.parametrize("start", [{}, {"estimated_time": 1000.0}])
def test_without_an_estimate_in_wall_time_only_the_pace_is_known(start: dict[str, float]) -> None:
    """An estimate is in beamline seconds: without the clock rate, as in older journals, it is unusable."""
    progress = PassProgress()
    progress.begin({"num_events": 4, "num_points": 4, **start})
    assert progress.seconds_left(5.0) is None and progress.time_left(5.0) == ""
    progress.advance(1, 0, 5.0)
    assert progress.seconds_left(5.0) is None
    progress.advance(2, 1, 10.0)
    assert progress.seconds_left(10.0) == 10.0


def test_a_series_has_the_time_of_all_its_scans() -> None:
    """Two passes over grids of 10 and 5 points, 4 dwells each, estimated at 2.5 s a dwell."""
    members = [{"scan_set": "a", "grid": [0] * 10}, {"scan_set": "b", "grid": [0] * 5}]
    series = {**ESTIMATED, "passes": 2, "members": members}
    progress = PassProgress()
    progress.begin({**series, "scan_set": "a", "scan_index": 0})
    assert progress.seconds_left(0.0) == 2.5 * (40 + 20 + 40 + 20)
    assert progress.time_left(0.0) == "2 min left, 5 min with 3 more passes"
    progress.begin(
        {**series, "scan_set": "b", "scan_index": 1, "num_events": 20, "num_points": 5, "estimated_time": 500.0}
    )
    assert progress.seconds_left(0.0) == 2.5 * 20 and progress.time_left(0.0) == "50 s left"
