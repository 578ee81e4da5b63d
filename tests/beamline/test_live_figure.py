"""The live figure shows what the reduced documents say, and whatever becomes of it changes nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imread

from beamline.config import ConfigurationError, load
from beamline.journal import Journal, run_files
from beamline.live_figure.__main__ import LiveView, main
from beamline.live_figure.artists import AutoLimits, ErrorBars, data_range
from beamline.live_figure.axes import LivePicture
from beamline.live_figure.follow import ScanFollower
from beamline.live_figure.process import figure_command, open_live_figure, png_path
from beamline.live_figure.progress import PassProgress
from beamline.live_figure.provisional import normalisation_of
from beamline.live_figure.scan import LiveScan
from beamline.live_figure.words import headline, messages, normalisation_state, progress_line, title
from beamline.runs.store import REPLAYED
from reduction.counting.multi_photon import multi_photon_fraction
from reduction.counting.phases import Pattern
from reduction.settings import Settings
from tests.beamline.configurations import configuration
from tests.beamline.example_runs import Documents, events_of, raw_run, uid_of_run
from tests.beamline.raw_scans import DWELLS, ENERGIES, MODEL, SEGMENTS, SETTINGS, Acquisition, acquire, scan_set_of

SLOTS = MODEL.divider
BEGAN = 1.7e9


def followed(root: Path, scan_set: str | None = None) -> LiveScan:
    """A live figure's model, opened now."""
    scan, follower = LiveScan(), ScanFollower(root, scan_set)
    for name, doc in follower.poll():
        scan.take(name, doc)
    return scan


class Live:
    """A model that follows the journal from before the scan, looking now and then."""

    def __init__(self, root: Path) -> None:
        self.scan = LiveScan()
        self._follower = ScanFollower(root)

    def look(self) -> LiveScan:
        for name, doc in self._follower.poll():
            self.scan.take(name, doc)
        return self.scan


def last_points(reduced: Documents) -> dict[int, dict[str, Any]]:
    """Data of the last event of each point."""
    return {event["data"]["point_index"]: event["data"] for event in events_of(reduced, "points")}


def assert_points(scan: LiveScan, *runs: Documents) -> None:
    """The model holds the last event of each point, of a later pass before that of an earlier one."""
    expected: dict[int, dict[str, Any]] = {}
    for run in runs:
        expected |= last_points(run)
    for key, values in scan.points.items():
        assert values.shape == (SLOTS, ENERGIES.size)
        for point in range(ENERGIES.size):
            column = expected[point][key] if point in expected else np.full(SLOTS, np.nan)
            np.testing.assert_array_equal(values[:, point], column, err_msg=key)


def drawn(scan: LiveScan, now: float = BEGAN + 20.0) -> tuple[Figure, dict[str, list[tuple[np.ndarray, np.ndarray]]]]:
    """The figure, and of each panel the data of its lines: by the words of the panel."""
    figure = Figure()
    FigureCanvasAgg(figure)
    LivePicture(figure).update(scan, now)
    figure.canvas.draw()
    panels = {}
    for axes in figure.axes:
        words = " ".join([axes.get_ylabel(), *(text.get_text() for text in axes.texts)])
        panels[words] = [(np.asarray(line.get_xdata()), np.asarray(line.get_ydata())) for line in axes.lines]
    return figure, panels


def words_of(figure: Figure) -> str:
    parts = [text.get_text() for text in figure.texts]
    for axes in figure.axes:
        parts += [axes.get_title(loc="left"), axes.get_ylabel(), *(text.get_text() for text in axes.texts)]
    return "\n".join(parts)


def panel(panels: dict[str, list[Any]], word: str) -> list[tuple[np.ndarray, np.ndarray]]:
    (found,) = [lines for words, lines in panels.items() if word in words]
    return found


# What is shown


def test_the_first_pass_is_shown_unnormalised_and_says_so(tmp_path: Path) -> None:
    (documents,) = scan_set_of(1, planned=2)
    with Acquisition(tmp_path) as session:
        session.take(documents[: 2 + 20])
        scan = followed(tmp_path)
    live = session.reduced[uid_of_run(documents)]
    assert_points(scan, live)
    assert scan.in_pass.tolist() == [True] * 5 + [False] * (ENERGIES.size - 5)
    assert "first pass, not normalised, relative to the laser-off rate" in normalisation_state(scan).text
    figure, panels = drawn(scan)
    assert "(laser on - off) / off / %" in words_of(figure) and "rate / highest laser-off rate" in words_of(figure)
    expected = last_points(live)
    for slot in range(SLOTS):
        (x, y) = panel(panels, f"slot {slot} ")[-1]
        np.testing.assert_array_equal(x, ENERGIES[:5])
        relative = [100 * expected[p]["difference"][slot] / expected[p]["off"][slot] for p in range(5)]
        np.testing.assert_allclose(y, relative, rtol=1e-12)


def test_later_passes_are_provisional_until_they_are_complete(tmp_path: Path) -> None:
    """The rates of the second pass, normalised with offset and integral of the first, by plain numpy."""
    first, second = scan_set_of(2)
    with Acquisition(tmp_path) as session:
        session.take(first)
        session.take(second[: 2 + 24])
        scan = followed(tmp_path)
    live = [session.reduced[uid_of_run(each)] for each in (first, second)]
    assert_points(scan, *live)
    assert "PROVISIONAL" in normalisation_state(scan).text and "the pass before" in normalisation_state(scan).text
    spectrum, points = events_of(live[0], "spectrum")[0]["data"], last_points(live[1])
    figure, panels = drawn(scan)
    assert "laser on - off / %" in words_of(figure)
    for slot in range(SLOTS):
        on, off = (by_hand(spectrum["rate"][laser][slot], [points[p][key][slot] for p in range(6)])
                   for laser, key in ((1, "on"), (0, "off")))  # fmt: skip
        provisional, complete = panel(panels, f"slot {slot} ")[-1], panel(panels, f"slot {slot} ")[-2]
        np.testing.assert_allclose(provisional[1], 100 * (on - off), rtol=1e-9)
        np.testing.assert_array_equal(complete[1], 100 * spectrum["transient"][slot])
        variance = sum(
            (points[p][f"{key}_stddev"][slot] / spectrum["integral"][laser][slot]) ** 2
            for laser, key in ((1, "on"), (0, "off")) for p in [5]
        )  # fmt: skip
        axes = figure.axes[1 + slot]
        assert half_lengths(axes)[-1] == pytest.approx(100 * np.sqrt(variance), rel=1e-6)
        faint, clear = axes.lines[1].get_alpha(), axes.lines[2].get_alpha()
        assert faint is not None and faint < 0.5 and clear is None


def by_hand(rate: np.ndarray, values: list[float]) -> np.ndarray:
    """Offset and trapezoid integral of one spectrum, taken out of other values."""
    pre, edge = ((low - 1e-9 <= ENERGIES) & (high + 1e-9 >= ENERGIES) for low, high in
                 (SETTINGS["pre_edge"], SETTINGS["integral"]))  # fmt: skip
    offset = rate[pre].mean()
    width = ENERGIES[edge][-1] - ENERGIES[edge][0]
    return (np.array(values) - offset) / (np.trapezoid(rate[edge] - offset, ENERGIES[edge]) / width)


def test_a_complete_pass_shows_its_spectrum_with_errors(tmp_path: Path) -> None:
    passes = scan_set_of(2)
    live = acquire(tmp_path, passes)
    scan = followed(tmp_path)
    spectrum = events_of(live[uid_of_run(passes[1])], "spectrum")[0]["data"]
    assert scan.complete and scan.spectrum_passes == 2
    assert "COMPLETE: 2 passes, reference 'paper'" in normalisation_state(scan).text
    figure, panels = drawn(scan)
    assert "PROVISIONAL" not in words_of(figure) and figure.axes[1].lines[1].get_alpha() == 1
    for slot in range(SLOTS):
        lines = panel(panels, f"slot {slot} ")
        np.testing.assert_array_equal(lines[1][0], ENERGIES)
        np.testing.assert_array_equal(lines[1][1], 100 * spectrum["transient"][slot])
        assert lines[2][0].size == 0  # nothing provisional
    static = panel(panels, "absorption / edge integral")
    np.testing.assert_array_equal(static[0][1], spectrum["off"][0])
    np.testing.assert_array_equal(static[1][1], spectrum["on"][0])
    delays = Pattern(MODEL.num_bunches, SLOTS, 0, MODEL.bunch_rate_hz).probe_delays(100.0)
    assert f"slot 1   {delays[1] / 1000:.4g} ns" in words_of(figure)


def test_photon_rate_pile_up_and_saturation_are_shown(tmp_path: Path) -> None:
    (documents,) = scan_set_of(1)
    full = [i for i, (name, doc) in enumerate(documents) if name == "event" and doc["data"]["point_index"] == 3][-1]
    documents[full][1]["data"]["fpga_counts"][7] = documents[full][1]["data"]["fpga_gates"][7]
    live = acquire(tmp_path, [documents])[uid_of_run(documents)]
    scan = followed(tmp_path)
    photons = np.array([data["photons"].mean() for _, data in sorted(last_points(live).items())])
    figure, panels = drawn(scan)
    np.testing.assert_allclose(panel(panels, "photons / s")[1][1], photons * MODEL.bunch_rate_hz / 1e6, rtol=1e-12)
    shown = panel(panels, "hits with 2+")
    np.testing.assert_allclose(shown[1][1], 100 * multi_photon_fraction(photons), rtol=1e-12)
    np.testing.assert_array_equal(shown[2][0], ENERGIES[3:4])  # the mark of saturation
    stddev = [np.sqrt((d["photons_stddev"] ** 2).sum()) / SLOTS for _, d in sorted(last_points(live).items())]
    reach = error_bars(figure, "photons / s")
    np.testing.assert_allclose(reach, np.array(stddev) * MODEL.bunch_rate_hz / 1e6, rtol=1e-6)
    slope = (multi_photon_fraction(photons + 1e-6) - multi_photon_fraction(photons)) / 1e-6
    np.testing.assert_allclose(error_bars(figure, "hits with 2+"), 100 * slope * stddev, rtol=1e-3)
    assert "Saturated or shut: up to 1 of 120 phases" in messages(scan) and "Bunches left out: 7" in messages(scan)
    assert f"{photons[-1]:.3f} photons / pulse" in words_of(figure)


def error_bars(figure: Figure, label: str) -> np.ndarray:
    """Half the length of each error bar of a panel."""
    (axes,) = [axes for axes in figure.axes if label in axes.get_ylabel()]
    return half_lengths(axes)


def half_lengths(axes: Axes) -> np.ndarray:
    segments = [segment for bars in axes.collections for segment in bars.get_segments()]
    return np.array([(high[1] - low[1]) / 2 for low, high in segments if high[1] > low[1]])


def test_error_bars_reach_one_standard_deviation_up_and_down() -> None:
    axes = Figure().add_subplot()
    bars = ErrorBars(axes, "black")
    bars.set(np.array([1.0, 2.0, 3.0]), np.array([5.0, np.nan, 7.0]), np.array([0.5, 1.0, 0.25]))
    segments = [np.asarray(segment).tolist() for segment in bars._bars.get_segments()]
    assert segments == [[[1.0, 4.5], [1.0, 5.5]], [[3.0, 6.75], [3.0, 7.25]]]


def test_every_spectrum_and_transient_has_error_bars(tmp_path: Path) -> None:
    passes = scan_set_of(2)
    with Acquisition(tmp_path) as session:
        session.take(passes[0])
        session.take(passes[1][:30])
        figure, _ = drawn(followed(tmp_path))
    for axes in figure.axes:
        if axes.lines and axes.get_ylabel().startswith(("absorption", "laser")):
            assert sum(len(c.get_segments()) for c in axes.collections) > ENERGIES.size


def test_simulated_data_say_so_and_real_data_do_not(tmp_path: Path) -> None:
    for mode, expected in (("sim", True), ("real", False)):
        acquire(tmp_path / mode, scan_set_of(1, mode=mode))
        words = words_of(drawn(followed(tmp_path / mode))[0]).split("\n")
        assert ("SIM" in words) is expected and ("SIMULATED DATA" in words) is expected


def test_a_redraw_makes_no_axes_and_no_artists_anew(tmp_path: Path) -> None:
    first, second = scan_set_of(2)
    figure = Figure()
    FigureCanvasAgg(figure)
    picture, live = LivePicture(figure), Live(tmp_path)
    with Acquisition(tmp_path) as session:
        session.take(first[:10])
        picture.update(live.look(), BEGAN)
        before = artists(figure)
        session.take(first[10:])
        picture.update(live.look(), BEGAN)
        session.take(second)
        picture.update(live.look(), BEGAN)
    assert artists(figure) == before and len(before) > 50


def artists(figure: Figure) -> list[int]:
    return [id(artist) for axes in figure.axes for artist in (axes, *axes.lines, *axes.collections, *axes.texts)]


# Opened late, twice, in the middle


def test_opened_late_it_shows_what_it_would_have_shown_from_the_start(tmp_path: Path) -> None:
    passes = scan_set_of(3)
    live = Live(tmp_path)
    with Acquisition(tmp_path) as session:
        for number, (name, doc) in enumerate(doc for documents in passes[:2] for doc in documents):
            session.take([(name, doc)])
            if number % 7 == 0:
                live.look()
        session.take(passes[2][:31])
        early, late = live.look(), followed(tmp_path)
    assert early.points.keys() == late.points.keys()
    for key in early.points:
        np.testing.assert_array_equal(early.points[key], late.points[key])
    assert early.spectrum is not None and late.spectrum is not None
    np.testing.assert_array_equal(early.spectrum["transient"], late.spectrum["transient"])
    for attribute in ("in_pass", "bad_phases", "faults", "reduced", "complete", "spectrum_passes", "unreduced"):
        assert np.array_equal(getattr(early, attribute), getattr(late, attribute)), attribute
    for now in (BEGAN + 150.0, BEGAN + 1000.0):
        assert headline(early, now) == headline(late, now)
        assert progress_line(early, now) == progress_line(late, now)


def test_it_follows_the_newest_scan_and_stays_where_it_is_told(tmp_path: Path) -> None:
    one, other = scan_set_of(1, seed=1), scan_set_of(1, seed=2)
    live = Live(tmp_path)
    acquire(tmp_path, one)
    assert live.look().start["uid"] == uid_of_run(one[0])
    acquire(tmp_path, other)
    scan = live.look()
    assert scan.start["uid"] == uid_of_run(other[0]) and scan.spectrum_passes == 1 and scan.reduced == DWELLS
    assert followed(tmp_path).start["uid"] == uid_of_run(other[0])
    assert followed(tmp_path, one[0][0][1]["scan_set"][:13]).start["uid"] == uid_of_run(one[0])


def test_a_new_scan_is_not_normalised_by_another_and_one_that_goes_on_is_by_its_own(tmp_path: Path) -> None:
    (first, third), (second,) = scan_set_of(2, seed=1), scan_set_of(1, seed=1)
    for documents, began in ((second, 1.7e9 + 2e4), (third, 1.7e9 + 3e4)):
        documents[0][1]["time"] = began
    live = Live(tmp_path)
    with Acquisition(tmp_path) as session:
        session.take(first)
        assert live.look().complete
        session.take(second[:20])
        assert live.look().spectrum is None and live.scan.normalisation is None
        session.take(second[20:])
        session.take(third[:20])
        scan = live.look()
    assert scan.start["uid"] == uid_of_run(third) and not scan.complete
    expected = events_of(session.reduced[uid_of_run(first)], "spectrum")[0]["data"]
    np.testing.assert_array_equal(scan.spectrum["transient"], expected["transient"])


def test_other_runs_and_replays_leave_it_alone(tmp_path: Path) -> None:
    (documents,) = scan_set_of(1)
    live = acquire(tmp_path, [documents])[uid_of_run(documents)]
    before = followed(tmp_path)
    with Acquisition(tmp_path) as session:
        session.take(raw_run(3), reduce=False)
        replay = [(name, {**doc}) for name, doc in live]
        uid = "abcdef00" + replay[0][1]["uid"][8:]
        replay[0][1].update(uid=uid, **{REPLAYED: "journal"})
        for name, doc in replay:
            if "run_start" in doc:
                doc["run_start"] = uid
            if name == "event":
                doc["data"] = {**doc["data"], "off": 2.0}
            session.journal(name, doc)
    after = followed(tmp_path)
    assert len(run_files(tmp_path)) == 4
    for key in before.points:
        np.testing.assert_array_equal(before.points[key], after.points[key])
    assert after.reduced == DWELLS and after.complete


def test_sums_that_began_anew_replace_the_old_ones(tmp_path: Path) -> None:
    """Another session goes on with a scan set: its points are sums of its own passes only."""
    first, second = scan_set_of(2)
    acquire(tmp_path, [first])
    with Acquisition(tmp_path) as session:
        session.take(second[:20])
        scan = followed(tmp_path)
    assert_points(scan, session.reduced[uid_of_run(second)])
    assert scan.normalisation is not None and not scan.complete


def test_a_spectrum_of_an_earlier_pass_does_not_complete_the_newest(tmp_path: Path) -> None:
    first, second = scan_set_of(2)
    reduced = acquire(tmp_path, [first])[uid_of_run(first)]
    scan = LiveScan()
    for name, doc in [*first, *reduced[:-2], *second[:9], *reduced[-2:]]:
        scan.take(name, doc)
    assert scan.spectrum is not None and not scan.complete


def test_documents_that_make_no_sense_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (documents,) = scan_set_of(1)
    with Acquisition(tmp_path) as session:
        session.take(documents[:20])
        odd = {**session.reduced[uid_of_run(documents)][-1][1]}
        session.journal("event", {**odd, "data": {**odd["data"], "point_index": 10_000}})
        session.take(documents[20:])
    view = LiveView(tmp_path, Figure(), 1.0)
    view.look()
    assert view.scan.complete and "left out a event document: IndexError" in caplog.text


# What it says


def test_what_it_says_of_a_scan_that_goes_well_and_of_one_that_does_not(tmp_path: Path) -> None:
    (documents,) = scan_set_of(1, planned=2)
    live = Live(tmp_path)
    assert headline(live.scan, 0.0).text == "WAITING FOR A SCAN"
    bad = documents[2 + 9][1]["data"]
    bad["quality"] = "beam lost"
    said = []
    with Acquisition(tmp_path) as session:
        for upto in (11, 12, 14):
            session.take(documents[len(said) and (11, 12)[len(said) - 1] : upto])
            said.append(headline(live.look(), documents[upto - 1][1]["time"]).text)
        assert said == ["RUNNING", "BAD DWELL: beam lost", "RUNNING"]
        assert "1 bad dwells this pass: beam lost" in messages(live.scan)
        assert headline(live.scan, documents[13][1]["time"] + 11.0).text == "NO DWELL FOR 11 s"
        session.take(documents[14:20], reduce=False)
        assert "DEGRADED: 6 dwells not reduced" in headline(live.look(), documents[19][1]["time"]).text


def test_what_it_says_of_a_scan_that_has_ended(tmp_path: Path) -> None:
    one, two = scan_set_of(2, planned=2)
    live = Live(tmp_path)
    acquire(tmp_path, [one])
    assert headline(live.look(), BEGAN + 1e4).text == "PASS FINISHED"
    stop = {**two[-1][1], "exit_status": "abort", "reason": "somebody needed the beam"}
    acquire(tmp_path, [[*two[:20], ("stop", stop)]])
    assert headline(live.look(), BEGAN + 1e4).text == "ENDED EARLY (abort)"
    assert "somebody needed the beam" in messages(live.scan)
    acquire(tmp_path, scan_set_of(1, seed=1))
    assert headline(live.look(), BEGAN + 1e6).text == "FINISHED"


def test_a_pass_without_a_spectrum_says_why(tmp_path: Path) -> None:
    (documents,) = scan_set_of(1)
    for name, doc in documents:
        if name == "event":
            doc["data"]["quality"] = "beam lost"
    acquire(tmp_path, [documents])
    scan = followed(tmp_path)
    assert "no point has both" in " ".join(messages(scan).replace("\n", " ").split()) and not scan.complete
    drawn(scan)


def test_progress_and_time_left() -> None:
    """Ten dwells of 2 s a pass, three passes, ten seconds between them that count to nobody."""
    progress = PassProgress()
    assert progress.seconds_left(0.0) is None and progress.fraction == 0
    progress.begin({"num_events": 10, "scan_index": 0, "passes": 3})
    for n in range(1, 5):
        progress.advance(n, 100.0 + 2.0 * n)
    assert progress.fraction == pytest.approx(4 / 30)
    assert progress.seconds_left(108.0) == pytest.approx(26 * 2.0)
    assert progress.seconds_left(109.0) == pytest.approx(26 * 2.0 - 1.0)
    assert progress.seconds_left(500.0) == pytest.approx(25 * 2.0)  # no dwell is done before it is saved
    assert progress.silent_for(117.0) is None and progress.silent_for(120.0) == pytest.approx(12.0)
    progress.advance(4, 140.0)  # taken again after a pause
    assert progress.done == 4
    progress.end({"exit_status": "success"})
    assert not progress.over and progress.silent_for(1e6) is None
    progress.begin({"num_events": 10, "scan_index": 2, "passes": 3})
    assert progress.fraction == pytest.approx(20 / 30)
    progress.end({"exit_status": "abort", "reason": "stopped"})
    assert progress.over and progress.seconds_left(1e6) is None and progress.reason == "stopped"


def test_pauses_and_a_clock_that_was_set_do_not_spoil_the_time_left() -> None:
    """Dwells of 1 s, a move of 1 s after each fourth, a pause of 5 min, the clock an hour forward, then back."""
    progress = PassProgress()
    progress.begin({"num_events": 100, "scan_index": 0, "passes": 1})
    clock, jumps = 1.7e9, {10: 300.0, 20: 3600.0, 30: -3600.0}
    for number in range(1, 50):
        clock += 1.0 + (number % 4 == 1) + jumps.get(number, 0.0)
        progress.advance(number, clock)
    assert progress.seconds_left(clock) == pytest.approx(51 * 1.25, rel=0.02)


def test_metadata_cannot_write_elsewhere_or_in_another_script(tmp_path: Path) -> None:
    acquire(tmp_path, scan_set_of(1, sample="x\x1b[2J$\\frac{\n$\x07"))
    scan = followed(tmp_path)
    assert "\x1b" not in title(scan) and "\n" not in title(scan)
    drawn(scan)  # a formula that is none would raise here


def test_limits_follow_the_data_without_jumping_and_leave_the_users_alone() -> None:
    axes = Figure().add_subplot()
    bars, limits = ErrorBars(axes, "black"), AutoLimits([axes], zero=True)

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


def test_one_wild_point_does_not_hide_the_others() -> None:
    values, stddev = np.array([1.0, 1.1, 0.9, 50.0]), np.array([0.1, 0.1, 0.1, 40.0])
    assert data_range([(values, stddev)], zero=False) == pytest.approx((0.8, 1.2))
    assert data_range([], zero=True) is None
    low, high = data_range([(np.array([2.0]), np.array([0.0]))], zero=False) or (0.0, 0.0)
    assert low < 2.0 < high


def test_the_normalisation_is_that_of_the_reduction(tmp_path: Path) -> None:
    (documents,) = scan_set_of(1)
    data = events_of(acquire(tmp_path, [documents])[uid_of_run(documents)], "spectrum")[0]["data"]
    found = normalisation_of(data, Settings.from_mapping(SETTINGS).to_mapping())
    np.testing.assert_allclose(found.offset, data["offset"], rtol=1e-12)
    np.testing.assert_allclose(found.integral, data["integral"], rtol=1e-12)


# The process


@pytest.fixture
def figure_process() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts live figures that end with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(root: Path, png: Path, *more: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "beamline.live_figure", "--journal", str(root), "--png", str(png)]
        started.append(subprocess.Popen([*command, "--every", "0.1", *more], stderr=subprocess.PIPE))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def wait_for(condition: Callable[[], bool], timeout: float = 90.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def whole(png: Path) -> tuple[int, ...]:
    """Shape of the picture; raises if the file is not whole."""
    return imread(png).shape


def test_as_a_process_it_writes_whole_pictures_and_ends_when_told(tmp_path: Path, figure_process) -> None:
    png = tmp_path / "figure" / "live.png"
    (documents,) = scan_set_of(1)
    process = figure_process(tmp_path, png)
    wait_for(png.exists)
    waiting = png.read_bytes()
    with Acquisition(tmp_path) as session:
        session.take(documents[:30])
        wait_for(lambda: png.read_bytes() != waiting)
        assert whole(png)[:2] == (860, 1300)
        running = png.read_bytes()
        session.take(documents[30:])
    process.terminate()
    assert process.wait(timeout=60) == 0
    assert png.read_bytes() not in (waiting, running)  # the end was still drawn
    assert [path.name for path in png.parent.iterdir()] == ["live.png"]
    assert process.stderr.read() == b""


def test_killed_frozen_or_opened_twice_it_changes_nothing(tmp_path: Path, figure_process) -> None:
    """The same documents, written with and without figures to which bad things happen, make the same files."""
    passes = scan_set_of(2)
    names = ("killed.png", "frozen.png", "both.png", "both.png")
    killed, frozen, other, twin = (figure_process(tmp_path / "with", tmp_path / name) for name in names)
    for name in names:
        wait_for((tmp_path / name).exists)
    with Acquisition(tmp_path / "with") as session:
        session.take(passes[0][:20])
        killed.kill()
        os.kill(frozen.pid, signal.SIGSTOP)
        session.take(passes[0][20:])
        session.take(passes[1])
    acquire(tmp_path / "without", passes)
    with_figures, without = (raw_bytes(tmp_path / name, passes) for name in ("with", "without"))
    assert with_figures == without
    os.kill(frozen.pid, signal.SIGCONT)
    wait_for(lambda: twin.poll() is None and handles_sigterm(twin.pid))
    for process in (frozen, other, twin):
        process.terminate()
        assert process.wait(timeout=60) == 0
        assert process.stderr.read() == b""
    for name in names:
        whole(tmp_path / name)
    parts = [path.name for path in tmp_path.iterdir() if path.suffix == ".part"]
    assert all(name.startswith(".killed.png") for name in parts)
    assert {path.name for path in (tmp_path / "with").iterdir()} == {"journal"}


def handles_sigterm(pid: int) -> bool:
    """Whether a process has a handler for SIGTERM by now (Linux: the caught signals as a mask)."""
    caught = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) & 1 << (signal.SIGTERM - 1))


def raw_bytes(root: Path, passes: list[Documents]) -> list[bytes]:
    uids = [uid_of_run(documents) for documents in passes]
    return [path.read_bytes() for path in run_files(root) if path.stem.rpartition("_")[2] in uids]


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys\n"
        f"p = subprocess.Popen([sys.executable, '-m', 'beamline.live_figure', '--journal', {str(tmp_path)!r},"
        f" '--png', {str(tmp_path / 'p.png')!r}, '--with-parent'])\n"
        "print(p.pid, flush=True)\n"
        "import time\n"
        f"from pathlib import Path\n"
        f"while not Path({str(tmp_path / 'p.png')!r}).exists(): time.sleep(0.05)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    pid = int(done.stdout)
    wait_for(lambda: not alive(pid))


def alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.long
def test_a_picture_that_cannot_be_written_is_told_once_and_tried_again(tmp_path: Path, figure_process) -> None:
    """A folder stands where the picture should go; then it is taken away."""
    png = tmp_path / "live.png"
    (png / "in the way").mkdir(parents=True)
    process = figure_process(tmp_path, png)
    acquire(tmp_path, scan_set_of(1))
    assert process.stderr.peek()  # waits until something is said
    (png / "in the way").rmdir()
    png.rmdir()
    wait_for(png.is_file)
    process.terminate()
    assert process.wait(timeout=60) == 0
    said = process.stderr.read().decode()
    assert said.count("cannot write") == 1 and "trying again" in said


def test_once_draws_what_is_there(tmp_path: Path) -> None:
    acquire(tmp_path, scan_set_of(1))
    niceness = os.nice(0)
    code = "import sys; from beamline.live_figure.__main__ import main; sys.exit(main(sys.argv[1:]))"
    arguments = ["--journal", str(tmp_path), "--png", str(tmp_path / "one.png"), "--once"]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, timeout=120)
    assert whole(tmp_path / "one.png")[:2] == (860, 1300) and os.nice(0) == niceness


def test_without_a_display_or_qt_it_says_what_to_do(monkeypatch, capsys, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "nice", lambda _: 0)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert main(["--journal", str(tmp_path)]) == 2
    assert "no display here; write a picture instead with --png" in capsys.readouterr().err
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("beamline.live_figure.screen.has_qt", lambda: False)
    assert main(["--journal", str(tmp_path)]) == 2
    assert "install the extra 'qt'" in capsys.readouterr().err


# The session


@pytest.mark.parametrize(
    ("choice", "display", "qt", "expected"),
    [
        ("off", True, True, None), ("auto", False, True, None), ("auto", True, True, "screen"),
        ("auto", True, False, "png"), ("png", False, False, "png"),
    ],
)  # fmt: skip
def test_which_figure_a_session_opens(monkeypatch, tmp_path: Path, choice, display, qt, expected) -> None:
    monkeypatch.setattr("beamline.live_figure.process.has_display", lambda: display)
    monkeypatch.setattr("beamline.live_figure.process.has_qt", lambda: qt)
    told: list[str] = []
    config = configuration(tmp_path, display={"live_figure": choice, "png": "figures/now.png"})
    command = figure_command(config, told.append)
    if expected is None:
        assert command is None and told == []
        return
    assert command is not None and "--with-parent" in command
    assert (str(tmp_path / "figures" / "now.png") in command) is (expected == "png")
    assert any("now.png" in line for line in told) is (expected == "png")


def test_the_display_section_is_checked() -> None:
    assert png_path(load("simulated")) == Path("trxas_data/live.png")
    with pytest.raises(ConfigurationError, match=r"display\.live_figure"):
        load("simulated", display={"live_figure": "on"})
    with pytest.raises(ConfigurationError, match=r"display\.pgn"):
        load("simulated", display={"pgn": "x"})


def test_the_sessions_figure_is_out_of_reach_of_ctrl_c_and_ends_even_when_frozen(tmp_path: Path) -> None:
    config = configuration(tmp_path, display={"live_figure": "png"})
    Journal(tmp_path, min_free_bytes=0).close()
    process = open_live_figure(config, lambda _: None)
    assert process is not None
    try:
        assert os.getsid(process.pid) != os.getsid(0)
        wait_for(png_path(config).exists)
        os.kill(process.pid, signal.SIGSTOP)
    finally:
        process.close(timeout=0.5)
    assert not alive(process.pid)
    assert (tmp_path / "log" / "live_figure.log").read_text() == ""


def test_a_figure_that_cannot_start_is_told_and_no_more(tmp_path: Path, monkeypatch) -> None:
    told: list[str] = []
    config = configuration(tmp_path, display={"live_figure": "png"})
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no python here"))
    assert open_live_figure(config, told.append) is None
    assert "could not be started" in told[-1]


def test_the_example_has_the_pattern_of_the_scans() -> None:
    """Guards the numbers of dwells in this file."""
    assert len(SEGMENTS) == 4 and DWELLS == 48 and SLOTS == 5
