"""The drift page: every dwell by its readings, every pass by its results, and the hours that are still needed."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from beamline.outputs.live_figure import drift_body
from beamline.outputs.live_figure.drift_body import format_hours, format_needed_time, of_targets
from beamline.outputs.live_figure.drifts import Curve, against_mean, of_dwells, of_passes
from beamline.outputs.live_figure.dwells import DwellLog
from beamline.outputs.live_figure.hours import TIMES, hours_to
from beamline.outputs.live_figure.notebook import figure
from beamline.outputs.live_figure.pages import Page
from beamline.outputs.live_figure.targets import Outlook, falling_errors, outlook
from beamline.outputs.live_figure.view import LiveView
from plans.compilation.edges import find_edge
from tests.beamline.axis_runs import two_passes
from tests.beamline.configurations import FORECAST
from tests.beamline.example_runs import Documents, events_of, uid_of_run
from tests.beamline.figure_scenes import with_machine
from tests.beamline.figures import bars_of
from tests.beamline.raw_scans import DWELLS, MODEL, SETTINGS, Acquisition, acquire, scan_set_of

POINT = 3


def log_of(root: Path, over: str = "time") -> DwellLog:
    page = Page("drift", root, at=None, over=over)
    page.look()
    assert isinstance(page.content, DwellLog)
    return page.content


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Documents], dict[str, Documents]]:
    """Three passes with a bad dwell, and their live reduced runs."""
    root, passes = tmp_path_factory.mktemp("drift"), with_machine(scan_set_of(3))
    passes[1][10][1]["data"].update(quality="laser not locked", laser_locked=0)
    return root, passes, acquire(root, passes)


def test_every_dwell_is_shown_with_its_reading_and_error(measured) -> None:
    root, passes, reduced = measured
    found = of_dwells(log_of(root))
    raw = [doc["data"] for documents in passes for name, doc in documents if name == "event"]
    points = [event["data"] for each in passes for event in events_of(reduced[uid_of_run(each)], "points")]
    assert found["x"].size == 3 * DWELLS == len(points)
    np.testing.assert_allclose(found["ring"].y, [data["ring_current"] for data in raw])
    np.testing.assert_allclose(found["lock"].y, [data["laser_lock_error"] for data in raw])
    current = np.array([data["i0"] / data["i0_time"] - data["i0_dark"] for data in raw])
    np.testing.assert_allclose(found["i0"].y, current / 1e3)
    np.testing.assert_allclose(found["i0"].high - found["i0"].y, SETTINGS["i0_noise"] * current / 1e3)
    np.testing.assert_allclose(found["rate"].y, [each["photons"].mean() * MODEL.bunch_rate_hz / 1e6 for each in points])
    stddev = [np.sqrt((each["photons_stddev"] ** 2).sum()) / each["photons"].size for each in points]
    np.testing.assert_allclose(found["rate"].y - found["rate"].low, np.array(stddev) * MODEL.bunch_rate_hz / 1e6)
    assert np.flatnonzero(~found["good"]).tolist() == [DWELLS + 8] == np.flatnonzero(~found["locked"]).tolist()


def test_the_laser_off_level_is_flat_within_its_errors_and_a_step_shows(measured) -> None:
    root, *_ = measured
    level = of_dwells(log_of(root))["level"]
    there = np.isfinite(level.y)
    assert there.sum() == 3 * DWELLS // 2  # the bad dwell has the laser on
    pulls = level.y[there] / (level.high - level.y)[there]
    assert 0.7 < pulls.std() < 1.2
    point, chosen = np.array([0.0, 1, 0, 1, 0]), np.array([True, True, True, True, False])
    stepped = against_mean(np.array([1.0, 5, 1.1, 5.5, 9]), point, chosen)
    np.testing.assert_allclose(stepped, [-1 / 21, -1 / 21, 1 / 21, 1 / 21, np.nan])


def test_the_drift_that_was_taken_out_is_shown_at_its_dwells(measured) -> None:
    """A thickness of 0.9 at first and 1.1 in the last pass, known to 1 %; nothing without a result that has a drift."""
    root, *_ = measured
    log = log_of(root)
    points = log.scan.energy.size
    log.drift = np.log([[0.9] * points, [1.0] * points, [1.1] * points]) + 7.0, np.full((3, points), 0.01)
    found, mean = of_dwells(log)["drift"], (0.9 * 1.1) ** (1 / 3)
    np.testing.assert_allclose(found.y, 100 * (np.repeat([0.9, 1.0, 1.1], DWELLS) / mean - 1))
    np.testing.assert_allclose(found.high - found.y, np.repeat([0.9, 1.0, 1.1], DWELLS) / mean)
    log.drift = np.full((1, points), np.nan), np.full((1, points), np.nan)
    assert np.isnan(of_dwells(log)["drift"].y).all()


def test_passes_have_over_dispersion_residual_and_hours(measured) -> None:
    root, passes, reduced = measured
    log = log_of(root)
    found = of_passes(log, of_dwells(log)["x"], POINT)
    last = reduced[uid_of_run(passes[2])]
    diagnostics, spectrum = (events_of(last, stream)[0]["data"] for stream in ("honesty", "spectrum"))
    excess = found["excess"]
    assert (excess.y[-1], excess.low[-1], excess.high[-1]) == tuple(diagnostics["scatter"][0][:3])
    assert found["residual"].y[-1] == pytest.approx(100 * spectrum["residual"][4], nan_ok=True)
    value, stddev = spectrum["transient"][0][POINT], spectrum["transient_stddev"][0][POINT]
    seconds = sum(doc["data"]["i0_time"] for documents in passes for name, doc in documents if name == "event")
    assert found["spent"][-1] == pytest.approx(seconds / 3600)
    assert found["needed"][0].y[-1] == pytest.approx(seconds / 3600 * (3 * stddev / value) ** 2, rel=0.02)


def test_a_delay_scan_is_assessed_by_its_fit(tmp_path: Path) -> None:
    (first, _) = two_passes("laser_delay")
    reduced = acquire(tmp_path, [first])[uid_of_run(first)]
    fit = events_of(reduced, "kinetics")[0]["data"]
    log = log_of(tmp_path)
    found = of_passes(log, of_dwells(log)["x"], 5)
    assert found["excess"].y[0] == pytest.approx(fit["chi_square"] / fit["freedom"])
    assert found["excess"].low[0] < found["excess"].y[0] < found["excess"].high[0]
    assert np.isnan(found["residual"].y).all()


def test_dwells_that_were_not_reduced_leave_gaps_and_shift_nothing(tmp_path: Path) -> None:
    (documents,) = with_machine(scan_set_of(1))
    with Acquisition(tmp_path) as session:
        session.take(documents[:10])
        session.take(documents[10:14], reduce=False)
        session.take(documents[14:30])
    table = log_of(tmp_path).table()
    assert np.flatnonzero(np.isnan(table["photons"])).tolist() == [8, 9, 10, 11]
    assert np.isfinite(table["ring_current"]).all()


def test_the_page_draws_each_panel_with_units_over_time_or_dwells(measured) -> None:
    root, *_ = measured
    for over, label in (("time", "minutes since the first dwell"), ("dwells", "number of the dwell")):
        drawn = figure(root, page="drift", at=13.4675, over=over)
        assert sum(axes.get_xlabel() == label for axes in drawn.axes) == 2
        units = ("counts/s", "/ mA", "error / ps", "photons/s", "photons / %", "deviation / %", "hours of dwelling")
        for phrase in units:
            assert labelled(drawn, phrase).lines
        assert "at 13.4675 keV" in labelled(drawn, "hours of dwelling").get_title(loc="left")
        bars = [len(each) for each in bars_of(labelled(drawn, "counts/s"))]
        assert bars == [3 * DWELLS // 2] * 2
        crosses = next(line for line in labelled(drawn, "/ mA").lines if line.get_label() == "bad dwell")
        assert len(np.asarray(crosses.get_xdata())) == 1


def labelled(drawn: Figure, phrase: str) -> Axes:
    (found,) = [axes for axes in drawn.axes if phrase in axes.get_ylabel()]
    return found


def test_hours_to_a_significance_follow_the_square_root_of_the_time() -> None:
    hours, low, high = hours_to([3.0, -1.0, 0.5, 0.0, np.nan], 1.0, 2.0)
    np.testing.assert_allclose(hours, [2.0, 18.0, 72.0, np.inf, np.nan])
    np.testing.assert_allclose(low, [2 * 9 / 16, 4.5, 8.0, 18.0, np.nan])
    np.testing.assert_allclose(high, [4.5, np.inf, np.inf, np.inf, np.nan])


def test_hours_to_named_targets_are_those_of_the_allocation(tmp_path: Path) -> None:
    """Three passes are more than enough for an error of 1, and far from one of 1e-5."""
    file = tmp_path / "bromide.toml"
    file.write_text(FORECAST.replace("6e9", "3e9"))
    for wanted, low, high in ((1.0, 0.0, 0.0), (1e-5, 1.0, 1e9)):
        passes, root = scan_set_of(3), tmp_path / f"{wanted}"
        for documents in passes:
            target = [["transient(slot=0, energy=13.472)", wanted]]
            of_session = {
                "forecast": str(file),
                "passes": 4,
                "dwell": 1.5,
                "scan_axis": "mono_energy",
                "absorption_edge": find_edge("Br_K").document(),
            }
            documents[0][1].update(target=target, **of_session)
        acquire(root, passes)
        hours = outlook(log_of(root)).hours
        assert hours is not None and low <= hours <= high
    waited = outlook(log_of(root))
    assert of_targets(log_of(root)).endswith(" to the targets")
    assert waited.advice.startswith("What would help most now: ")
    shown_later(root, waited)


def shown_later(root: Path, waited: Outlook) -> None:
    """A redraw of the live figure does not wait for the hours, but one after it shows them; the last one waits."""
    for last in (False, True):
        view = LiveView(root, FigureCanvasAgg(Figure()).figure, 0.0, page="drift")
        view.look()
        if last:
            view.wait_for_predictions()
        assert isinstance(view.content, DwellLog)
        view.draw(lambda: None)
        assert view.content.predicting != last
        deadline = time.monotonic() + 60.0
        while view.content.predicting and time.monotonic() < deadline:
            view.look()
            time.sleep(0.01)
            if view.due():
                view.draw(lambda: None)
        assert outlook(view.content) == waited


def test_dwells_within_a_pixel_are_drawn_together_but_a_bad_one_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drift_body, "FINEST", 4)
    first, second = with_machine(scan_set_of(2))
    second[2 + 3][1]["data"]["quality"] = "laser not locked"
    view = LiveView(tmp_path, FigureCanvasAgg(Figure()).figure, 0.0, page="drift")
    shown = []
    with Acquisition(tmp_path) as session:
        session.take([*first, *second[:2]])
        for documents in (*([document] for document in second[2:9]), second[9:]):
            session.take(documents)
            view.look()
            view.draw(lambda: None)
            shown.append(sum(map(len, bars_of(labelled(view.figure, "counts/s")))) - DWELLS)
    assert shown == [1, 1, 1, 4, 4, 4, 4, DWELLS]


def test_needed_time_is_formatted() -> None:
    def line_of(total: float, low: float, high: float) -> str:
        one = np.array([1.0])
        return format_needed_time(Curve(one, total * one, low * one, high * one), 2.0, 1, 153_500.0)

    assert line_of(1.5, 1.0, 3.0) == "slot 1, 153.5 ns: reached"
    assert line_of(3.5, 2.5, 14.4) == "slot 1, 153.5 ns: 1.5 h more (30 min to 12 h)"
    assert line_of(3.0, 1.5, np.inf) == "slot 1, 153.5 ns: 1 h more (0 or more)"
    assert line_of(np.inf, np.inf, np.inf) == "slot 1, 153.5 ns: nothing seen yet"
    assert format_hours(658.2) == "658 h"


def test_hours_follow_the_predicted_error() -> None:
    """Of counting by hand: (3 stddev / value)^2 times the hours; an error with a floor takes longer, or for ever."""
    hours, low, high = hours_to([0.06, 0.0, np.nan], [0.03, 0.03, 0.03], 2.0)
    assert hours[0] == pytest.approx(2 * 1.5**2) and low[0] == pytest.approx(2.0) and high[0] == pytest.approx(18.0)
    assert np.isinf(hours[1]) and np.isnan(hours[2])
    floor = np.sqrt(0.9 / TIMES + 0.1)
    assert hours_to(0.06, 0.03, 2.0, floor)[0] == pytest.approx(2 * 0.9 / ((1 / 1.5) ** 2 - 0.1), rel=0.05)
    assert np.isinf(hours_to(0.02, 0.03, 2.0, floor)[0])


def test_the_error_of_a_scan_is_predicted_to_fall(measured) -> None:
    """With the laser off as reference as the root of the time, and from the error that it has."""
    root, *_ = measured
    found = falling_errors(log_of(root), POINT)
    assert found.shape == (5, TIMES.size)
    assert (np.diff(found, axis=1) < 0).all()
    assert np.array([np.interp(0.0, np.log(TIMES), each) for each in found]) == pytest.approx(np.ones(5), rel=0.02)


def test_errors_of_a_delay_scan_fall_as_predicted(tmp_path: Path) -> None:
    """Slots after the first share the reference of all their points, which is known from the laser off alone."""
    acquire(tmp_path, two_passes("laser_delay", reference="combined"))
    found = falling_errors(log_of(tmp_path), POINT)
    counting = 1 / np.sqrt(TIMES)
    assert found[0] == pytest.approx(counting, rel=1e-3)
    assert (found[1:4, -1] > 1.005 * counting[-1]).all() and (found[1:4, 0] < counting[0]).all()
