"""The live figure of delay and fluence scans: points as they come, provisional and complete, with a running fit."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from rich.console import Console

from beamline.outputs.live_figure.fit import format_lifetime, running_fit
from beamline.outputs.live_figure.texts import headline, normalisation_state, title
from beamline.session.progress import LiveTable, row_of
from tests.beamline.axis_runs import two_passes
from tests.beamline.example_runs import events_of, uid_of_run
from tests.beamline.figures import drawn, followed
from tests.beamline.raw_scans import Acquisition, acquire
from tests.reduction.axis_scans import DELAYS, FLUENCES

GRIDS = {"laser_delay": DELAYS, "laser_fluence": FLUENCES}
UNITS = {"laser_delay": "ps", "laser_fluence": "mJ/cm2"}


def slot_zero(
    panels: dict[str, list[tuple[np.ndarray, np.ndarray]]],
) -> tuple[str, list[tuple[np.ndarray, np.ndarray]]]:
    (found,) = [(text, lines) for text, lines in panels.items() if re.search(r"\bslot 0\b", text)]
    return found


@pytest.mark.parametrize("axis", GRIDS)
def test_the_first_pass_is_provisional_and_has_a_fit_of_what_there_is(tmp_path: Path, axis: str) -> None:
    """Open circles are difference over laser-off rate of the sums so far; the fit is of them."""
    first, _ = two_passes(axis)
    points = 3 * GRIDS[axis].size // 4
    pattern = len(first[0][1]["pattern"])
    with Acquisition(tmp_path) as session:
        session.take(first[: 2 + points * pattern])
        scan = followed(tmp_path)
        reduced = session.reduced[uid_of_run(first)]
    last = {event["data"]["point_index"]: event["data"] for event in events_of(reduced, "points")}
    text, lines = slot_zero(drawn(scan)[1])
    expected = [100 * last[point]["difference"][0] / last[point]["off"][0] for point in range(points)]
    (found,) = [(x, y) for x, y in lines if x.size == points]
    np.testing.assert_allclose(found[0], GRIDS[axis][:points])
    np.testing.assert_allclose(found[1], expected)
    assert "fit so far: " in text
    assert "PROVISIONAL" in normalisation_state(scan).text
    assert headline(scan, 1.7e9).text == "RUNNING"


@pytest.mark.parametrize("axis", GRIDS)
def test_a_complete_pass_is_its_trace_with_a_fit(tmp_path: Path, axis: str) -> None:
    passes = two_passes(axis)
    reduced = acquire(tmp_path, passes)[passes[1][0][1]["uid"]]
    scan = followed(tmp_path)
    assert scan.complete and scan.spectrum_passes == 2
    trace = events_of(reduced, "trace")[0]["data"]
    _, panels = drawn(scan)
    text, lines = slot_zero(panels)
    (found,) = [(x, y) for x, y in lines if x.size == GRIDS[axis].size]
    np.testing.assert_allclose(found[1], 100 * trace["transient"][0])
    assert "COMPLETE: 2 passes" in normalisation_state(scan).text
    assert "keV" in title(scan) and ("delay scan" if axis == "laser_delay" else "fluence scan") in title(scan)
    (curve,) = [(x, y) for x, y in lines if x.size not in (0, GRIDS[axis].size) and not np.allclose(y, 0)]
    begin = curve[0][-1] if axis == "laser_delay" else 5.0  # of a fluence scan, it is the tangent of its beginning
    inside = (trace["transient_stddev"][0] < np.inf) & (GRIDS[axis] <= begin)
    pulls = (100 * trace["transient"][0] - np.interp(GRIDS[axis], *curve)) / (100 * trace["transient_stddev"][0])
    assert np.sqrt((pulls[inside] ** 2).mean()) < 2  # the curve goes through the points
    if axis == "laser_delay":
        fit = events_of(reduced, "kinetics")[0]["data"]
        assert fit["fitted"] == 1
        first, second, tail = (
            format_lifetime(lifetime, error) if np.isfinite(lifetime) else "and an offset"
            for lifetime, error in zip(fit["lifetimes"], fit["lifetimes_stddev"], strict=True)
        )
        shift, error = fit["time_zero"], fit["time_zero_stddev"]
        assert f"fit: lifetimes {first}, {second}, {tail}" in text
        if error > 0:
            assert f"time zero {shift:+.0f} +- {error:.0f} ps" in text
        else:
            assert "Time zero is fixed" in fit["notes"] and "time zero" not in text
        assert f"chi-square {fit['chi_square']:.0f} of {fit['freedom']}" in text
    else:
        assert re.search(
            r"fit: initial slope -?[\d.]+ \(-?[\d.]+ to -?[\d.]+\) % per mJ/cm2, linear to [\d.]+ mJ/cm2", text
        )


@pytest.mark.parametrize("axis", GRIDS)
def test_the_noise_of_dwells_is_published_by_the_time_between_them(tmp_path: Path, axis: str) -> None:
    """I0 readings that are off by 5 % at random, in dwells 2 s apart: half the mean square of their differences."""
    (documents, _), rng = two_passes(axis), np.random.default_rng(7)
    events = [doc for name, doc in documents if name == "event"]
    away, pattern = 0.05 * rng.standard_normal(len(events)), np.array(documents[0][1]["pattern"])
    for number, (event, factor) in enumerate(zip(events, np.exp(-away), strict=True)):
        event["time"] += 2.0 * number
        event["data"]["i0"] *= factor
    reduced = acquire(tmp_path, [documents])[uid_of_run(documents)]
    (honesty,), (trace,) = ([each["data"] for each in events_of(reduced, name)] for name in ("honesty", "trace"))
    of_points = away.reshape(-1, pattern.size)
    for lag in range(1, pattern.size):
        alike = np.flatnonzero(pattern[:-lag] == pattern[lag:])
        difference = of_points[:, alike + lag] - of_points[:, alike]
        expected = (difference**2).mean() / 2 if alike.size else np.nan
        assert honesty["noise_variance"][lag - 1] == pytest.approx(expected, rel=0.05, nan_ok=True)
        assert honesty["noise_lag"][lag - 1] == pytest.approx(2.0 * lag if alike.size else np.nan, nan_ok=True)
    assert trace["dwell_noise"] == pytest.approx(0.05, rel=0.15)


def test_too_little_gives_no_fit() -> None:
    x = np.linspace(-300, 1000, 20)
    value, stddev = np.full(20, np.nan), np.full(20, 1e-3)
    assert running_fit("laser_delay", x, value, stddev, False) is None
    value[:7] = 0.0
    assert running_fit("laser_delay", x, value, stddev, False) is None
    assert running_fit("laser_delay", x - 2000, np.zeros(20), stddev, False) is None  # nothing after time zero
    assert running_fit("laser_fluence", x[:4], value[:4], stddev[:4], True) is None


def test_a_running_fit_finds_a_decay_above_an_offset() -> None:
    """One decay of 500 ps sampled without noise, lifted by a constant that is there before time zero too."""
    delay = np.concatenate([np.arange(-400, 400, 40.0), np.geomspace(400, 20_000, 15)])
    value = np.where(delay > 0, -0.02 * np.exp(-np.maximum(delay, 0) / 500), 0.0) + 0.004
    far = np.abs(delay) > 200  # the response is not in these values
    fit = running_fit("laser_delay", delay[far], value[far], np.full(far.sum(), 1e-4), False)
    assert fit is not None
    middle = (fit.x > 400) & (fit.x < 3000)
    np.testing.assert_allclose(fit.y[middle], 0.004 - 0.02 * np.exp(-fit.x[middle] / 500), atol=4e-4)


@pytest.mark.parametrize("axis", GRIDS)
def test_the_live_table_shows_the_position_of_each_point(tmp_path: Path, axis: str) -> None:
    first, _ = two_passes(axis)
    reduced = acquire(tmp_path, [first])[uid_of_run(first)]
    data = events_of(reduced, "points")[-1]["data"]
    assert row_of(data)[0] == f"{GRIDS[axis][data['point_index']]:g} {UNITS[axis]}"
    table = LiveTable(Console(file=io.StringIO(), width=120))
    for name, doc in reduced:
        table(name, doc)


def test_a_pause_leaves_the_screen_to_the_prompt_and_does_not_count(tmp_path: Path, monkeypatch: Any) -> None:
    clock = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    first, _ = two_passes("laser_delay")
    start, *rest = acquire(tmp_path, [first])[uid_of_run(first)]
    with (tmp_path / "screen").open("w") as file:
        table = LiveTable(Console(file=file, width=120, force_terminal=True))
        table(*start)
        (task,) = table._progress.tasks
        began = task.start_time = 40.0  # whole seconds, as the clock: no rounding
        table.follow("paused", "pausing")
        shown = file.tell()
        for name, doc in rest[:-1]:
            table(name, doc)
        clock[0] += 60.0
        assert table._live is None and file.tell() == shown
        table.follow("running", "paused")
        assert table._live is not None and task.start_time == began + 60.0
        table(*rest[-1])
        assert table._live is None and file.tell() > shown


def test_the_table_ends_with_the_plan_and_a_screen_that_fails_stops_no_scan(tmp_path: Path, monkeypatch: Any) -> None:
    """A scan that is aborted while paused, or whose reduction has failed, sends the table no stop document."""
    first, _ = two_passes("laser_delay")
    start, *_ = acquire(tmp_path, [first])[uid_of_run(first)]
    with (tmp_path / "screen").open("w") as file:
        table = LiveTable(Console(file=file, width=120, force_terminal=True))
        table(*start)
        for state, before in (("paused", "pausing"), ("aborting", "paused"), ("idle", "aborting")):
            table.follow(state, before)
            assert table._live is None
        table(*start)
        table.follow("idle", "running")
        assert table._live is None
        table(*start)
        live = table._live
        with monkeypatch.context() as patch:
            patch.setattr(live, "stop", Mock(side_effect=OSError("no terminal")))
            table.follow("paused", "pausing")
        live.stop()
