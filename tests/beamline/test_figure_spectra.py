"""What the live figure shows of an energy scan: the numbers of the reduced documents, with their errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from beamline.outputs.live_figure.axes import LivePicture
from beamline.outputs.live_figure.provisional import normalisation_of
from beamline.outputs.live_figure.texts import messages, normalisation_state
from reduction.counting.phases import Pattern
from reduction.counting.pileup import multi_photon_fraction
from reduction.settings import Settings
from tests.beamline.example_runs import events_of, uid_of_run
from tests.beamline.figures import (
    BEGAN,
    SLOTS,
    Live,
    artists,
    assert_points,
    bars_of,
    content_of,
    drawn,
    error_bars,
    followed,
    half_lengths,
    last_points,
    panel,
    slot_axes,
    words_of,
)
from tests.beamline.raw_scans import DWELLS, ENERGIES, MODEL, SEGMENTS, SETTINGS, Acquisition, acquire, scan_set_of


def test_the_first_pass_is_shown_unnormalised_and_marked_so(tmp_path: Path) -> None:
    (documents,) = scan_set_of(1, planned=2)
    with Acquisition(tmp_path) as session:
        session.take(documents[: 2 + 20])
        scan = followed(tmp_path)
    live = session.reduced[uid_of_run(documents)]
    assert_points(scan, live)
    assert scan.in_pass.tolist() == [True] * 5 + [False] * (ENERGIES.size - 5)
    assert "first pass, relative to the laser-off rate" in normalisation_state(scan).text
    figure, panels = drawn(scan)
    assert "(laser on - off) / off / %" in words_of(figure) and "rate / highest\nlaser-off rate" in words_of(figure)
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
        axes = slot_axes(figure, slot)
        assert half_lengths(axes)[-1] == pytest.approx(100 * np.sqrt(variance), rel=1e-6)
        faint, clear = axes.lines[1].get_alpha(), axes.lines[2].get_alpha()
        assert faint is not None and faint < 0.5 and clear is None


def by_hand(rate: np.ndarray, values: list[float]) -> np.ndarray:
    """Offset and trapezoid integral of one spectrum, removed from other values."""
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
    assert "PROVISIONAL" not in words_of(figure) and slot_axes(figure, 0).lines[1].get_alpha() == 1
    for slot in range(SLOTS):
        lines = panel(panels, f"slot {slot} ")
        np.testing.assert_array_equal(lines[1][0], ENERGIES)
        np.testing.assert_array_equal(lines[1][1], 100 * spectrum["transient"][slot])
        assert lines[2][0].size == 0  # nothing provisional
    static = panel(panels, "absorption /\nedge integral")
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


def test_every_spectrum_and_transient_has_error_bars(tmp_path: Path) -> None:
    passes = scan_set_of(2)
    with Acquisition(tmp_path) as session:
        session.take(passes[0])
        session.take(passes[1][:30])
        figure, _ = drawn(followed(tmp_path))
    for axes in figure.axes:
        if axes.lines and axes.get_ylabel().startswith(("absorption", "laser")):
            assert sum(map(len, bars_of(axes))) > ENERGIES.size


def test_simulated_data_are_marked_and_real_data_do_not(tmp_path: Path) -> None:
    for mode, expected in (("sim", True), ("real", False)):
        acquire(tmp_path / mode, scan_set_of(1, mode=mode))
        phrase = words_of(drawn(followed(tmp_path / mode))[0]).split("\n")
        assert ("SIM" in phrase) is expected and ("SIMULATED DATA" in phrase) is expected


def test_a_redraw_creates_no_axes_and_no_artists(tmp_path: Path) -> None:
    first, second = scan_set_of(2)
    figure = Figure()
    FigureCanvasAgg(figure)
    picture, live = LivePicture(figure), Live(tmp_path)
    with Acquisition(tmp_path) as session:
        session.take(first[:10])
        picture.update(content_of(live.look()), BEGAN)
        before = artists(figure)
        session.take(first[10:])
        picture.update(content_of(live.look()), BEGAN)
        session.take(second)
        picture.update(content_of(live.look()), BEGAN)
    assert artists(figure) == before and len(before) > 50


def test_the_normalisation_is_that_of_the_reduction(tmp_path: Path) -> None:
    (documents,) = scan_set_of(1)
    data = events_of(acquire(tmp_path, [documents])[uid_of_run(documents)], "spectrum")[0]["data"]
    found = normalisation_of(data, Settings.from_mapping(SETTINGS).to_mapping())
    np.testing.assert_allclose(found.offset, data["offset"], rtol=1e-12)
    np.testing.assert_allclose(found.integral, data["integral"], rtol=1e-12)


def test_the_example_has_the_pattern_of_the_scans() -> None:
    """Guards the numbers of dwells in this file."""
    assert len(SEGMENTS) == 4 and DWELLS == 48 and SLOTS == 5
