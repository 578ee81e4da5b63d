"""Figures in the layout of the paper."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from beamline.outputs.export.errors import ExportError
from beamline.outputs.export.paper import paper_figure
from beamline.outputs.export.write import write_results
from beamline.outputs.live_figure.fit import running_fit
from tests.beamline.shift import PLACE, Shift


def test_figures_have_error_bars_and_are_marked_as_simulated(shift: Shift, tmp_path: Path) -> None:
    for kind in ("energy", "delay", "fluence"):
        result = shift.result(kind)
        figure = paper_figure([result], fluence_used=8.8)
        assert any("SIMULATED" in text.get_text() for text in figure.texts), kind
        assert all(axes.containers for axes in figure.axes), kind  # error bars
        real = paper_figure([replace(result, start={**result.start, "mode": "real"})])
        assert not any("SIM" in text.get_text() for text in real.texts)
    png, pdf = write_results([shift.result("energy")], ["png", "pdf"], tmp_path, PLACE)
    with Image.open(png) as picture:
        assert min(picture.size) > 1000
    assert pdf.read_bytes().startswith(b"%PDF")


def test_transients_of_a_figure_are_over_their_area(shift: Shift) -> None:
    result = shift.result("energy")
    static, transients = paper_figure([result], same_area=True).axes
    drawn = [container.lines[0].get_ydata() for container in transients.containers]
    live = shift.data("energy", "spectrum")
    steps = np.diff(1e3 * live["energy"])
    for slot, values in enumerate(drawn):
        size = np.abs(live["transient"][slot])
        shape = live["transient"][slot] / (steps * (size[1:] + size[:-1]) / 2).sum()
        np.testing.assert_allclose(np.diff(values), np.diff(shape), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(static.containers[0].lines[0].get_ydata(), live["static"] / live["static"][-1])


def test_factors_are_beside_the_panel_and_explained_in_the_margin(shift: Shift) -> None:
    figure = paper_figure([shift.result("energy")], same_area=True)
    figure.canvas.draw()
    _, transients = figure.axes
    edge = transients.get_window_extent().x1
    labels = [text for text in transients.texts if "/ eV" in text.get_text()]
    assert len(labels) == len(transients.containers)
    for label in labels:
        place = label.get_window_extent()
        assert edge < place.x0 and place.x1 <= figure.bbox.x1
    assert "factor beside a transient: 1 / its absolute area" in figure.get_supxlabel()


def test_transients_have_one_scale_unless_the_same_area_is_requested(shift: Shift) -> None:
    """A slot without signal is noise, and has to look like it."""
    result = shift.result("energy")
    data = {**result.data, "transient": np.array(result.data["transient"], dtype=np.float64)}
    data["transient"][4] /= 50.0
    figure = paper_figure([replace(result, data=data)])
    drawn = [container.lines[0].get_ydata() for container in figure.axes[1].containers]
    heights = sorted(float(np.ptp(values)) for values in drawn)
    expected = sorted(float(np.ptp(np.asarray(values))) for values in data["transient"])
    np.testing.assert_allclose(heights, expected, rtol=1e-9)
    assert "factor" not in figure.get_supxlabel() and figure.axes[1].get_ylabel().startswith("(on - off) / edge")


def test_two_runs_of_the_same_delay_have_different_labels(shift: Shift) -> None:
    one = shift.result("energy")
    two = replace(one, start={**one.start, "uid": "0badc0de", "scan_id": 77})
    labels = [text.get_text() for text in paper_figure([one, two], slots=[0]).axes[1].texts]
    assert len(set(labels)) == 2 and any("scan 77" in label for label in labels)


def test_slots_of_a_figure_may_be_chosen(shift: Shift) -> None:
    result = shift.result("energy")
    assert len(paper_figure([result], slots=[0, 1]).axes[1].containers) == 2
    with pytest.raises(ExportError, match="no transient in slots 9"):
        paper_figure([result], slots=[9])


def test_edges_stand_side_by_side_and_a_delay_keeps_its_colour(shift: Shift) -> None:
    bromine = shift.result("energy")
    lead = replace(bromine, start={**bromine.start, "edge": "Pb_L3"}, slot_delays=(10_100.0, *bromine.slot_delays[1:]))
    axes = paper_figure([bromine, lead], slots=[0, 1]).axes
    colours = [[container.lines[0].get_color() for container in panel.containers] for panel in axes[2:]]
    assert [panel.get_title("left")[-5:] for panel in axes[:2]] == [" Br K", "Pb L3"]
    (first, second), (other, same) = colours
    assert second == same and len({first, second, other}) == 3


def test_a_fit_is_drawn_with_its_chi_square(shift: Shift) -> None:
    (axes,) = paper_figure([shift.result("delay")]).axes
    fit = shift.data("delay", "kinetics")
    phrase = [text.get_text() for text in axes.get_legend().get_texts()]
    assert any(f"chi-square {fit['chi_square']:.0f} for {fit['freedom']}" in each for each in phrase)


def test_fluence_figures_show_the_initial_slope_of_what_saturates_gradually(shift: Shift) -> None:
    """A saturable absorber without noise: a line through its low points is a fifth too flat."""
    result = shift.result("fluence")
    fluence = np.linspace(0.5, 14, 15)
    value = np.tile(0.01 * fluence / (1 + fluence / 20), (5, 1))
    data = {
        **result.data, "used": np.ones(15, int), "laser_fluence": fluence, "transient": value,
        "transient_stddev": np.full((5, 15), 3e-4), "transient_covariance": np.tile(9e-8 * np.eye(15), (5, 1, 1)),
    }  # fmt: skip
    (axes,) = paper_figure([replace(result, data=data)]).axes
    (line,) = [each for each in axes.lines if each.get_label() == "initial slope"]
    x, y = line.get_data()
    assert np.ptp(y) / np.ptp(x) == pytest.approx(1.0, rel=0.08)  # per cent per mJ/cm2
    live = running_fit("laser_fluence", fluence, value[0], np.full(15, 3e-4), True)
    assert live is not None and np.ptp(live.y) / np.ptp(live.x) == pytest.approx(0.01, rel=0.08)
    assert live.text.startswith("initial slope ") and live.stddev is not None and (live.stddev > 0).all()


def test_figures_refuse_what_does_not_go_together(shift: Shift) -> None:
    energy, delay = shift.result("energy"), shift.result("delay")
    with pytest.raises(ExportError, match="do not go into one figure"):
        paper_figure([energy, delay])
    with pytest.raises(ExportError, match="simulated and measured"):
        paper_figure([energy, replace(energy, start={**energy.start, "mode": "real"})])
