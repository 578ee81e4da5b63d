"""The map of delay and energy: a row for each slot of each energy scan of the sample, with its errors in the cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from beamline.outputs.live_figure.map_body import cell_boundaries
from beamline.outputs.live_figure.notebook import figure
from beamline.outputs.live_figure.pages import Page
from beamline.outputs.live_figure.series import MapRow, ScansOfSample
from tests.beamline.axis_runs import two_passes
from tests.beamline.example_runs import events_of, uid_of_run
from tests.beamline.figures import SLOTS, bars_of
from tests.beamline.raw_scans import ENERGIES, Acquisition, scan_set_of


def rows_of(root: Path) -> list[MapRow]:
    page = Page("map", root)
    page.look()
    assert isinstance(page.content, ScansOfSample)
    return page.content.rows()


def with_label(drawn: Figure, label: str) -> Axes:
    (found,) = [axes for axes in drawn.axes if label in (axes.get_xlabel(), axes.get_title(loc="left"))]
    return found


def test_every_slot_of_every_scan_of_the_sample_is_a_row_in_the_order_of_delays(tmp_path: Path) -> None:
    """Two delays, one of them measured twice; another sample stays out; the last pass is not complete."""
    first = scan_set_of(2, seed=1)
    other = scan_set_of(1, seed=2, sample="another")
    later = scan_set_of(1, seed=3, pump_delay=10_100.0)
    again = scan_set_of(1, seed=4)
    with Acquisition(tmp_path) as session:
        for documents in (*first, *other, *later):
            session.take(documents)
        session.take(again[0][:22])
    rows = rows_of(tmp_path)
    delays = [row.delay for row in rows]
    assert delays == sorted(delays) and len(rows) == 3 * SLOTS
    assert delays[:3] == [100.0, 100.0, 10_100.0]
    sums = events_of(session.reduced[uid_of_run(first[1])], "spectrum")[0]["data"]
    assert (rows[0].slot, rows[0].passes, rows[0].provisional) == (0, 2, False)
    np.testing.assert_array_equal(rows[0].value, sums["transient"][0])
    np.testing.assert_array_equal(rows[0].stddev, sums["transient_stddev"][0])
    assert rows[1].provisional and np.isfinite(rows[1].value).sum() == 5
    point = events_of(session.reduced[uid_of_run(again[0])], "points")[-1]["data"]
    assert rows[1].value[4] == pytest.approx(point["difference"][0] / point["off"][0])

    drawn = figure(tmp_path, page="map", at=ENERGIES[3])
    left, middle = [axes for axes in drawn.axes if axes.get_xlabel() == "X-ray energy / keV"]
    assert len(left.collections) == len(rows) == len(middle.collections)
    for number, row in enumerate(rows):
        np.testing.assert_allclose(left.collections[number].get_array().ravel(), 100 * row.value)
        np.testing.assert_allclose(middle.collections[number].get_array().ravel(), row.value / row.stddev)
    names = [text.get_text() for text in left.get_yticklabels()]
    assert names[0] == "100 ps\nslot 0, 2 passes" and names[2] == "10.1 ns\nslot 0, 1 pass"
    assert "provisional" in names[1]
    cut = with_label(drawn, f"at {ENERGIES[3]:.4f} keV")
    assert cut.get_xlabel() == "delay of the probe / ps" and cut.get_ylabel() == "laser on - off / %"
    of_slot_0 = next(line for line in cut.lines if line.get_label() == "slot 0")
    np.testing.assert_allclose(of_slot_0.get_xdata(), [100.0, 100.0, 10_100.0])
    np.testing.assert_allclose(of_slot_0.get_ydata(), [100 * row.value[3] for row in rows[:3]])
    reach = [np.ptp(bar[:, 1]) / 2 for bar in bars_of(cut)[0]]
    np.testing.assert_allclose(reach, [100 * row.stddev[3] for row in rows[:3]])


def test_a_scan_over_another_axis_is_reported_instead_of_drawn(tmp_path: Path) -> None:
    with Acquisition(tmp_path) as session:
        session.take(two_passes("laser_fluence")[0][:10])
    assert any("the map is of energy scans" in text.get_text() for text in figure(tmp_path, page="map").texts)


def test_cells_meet_half_way_between_points() -> None:
    np.testing.assert_allclose(cell_boundaries(np.array([1.0, 2.0, 4.0])), [0.5, 1.5, 3.0, 5.0])
    low, high = cell_boundaries(np.array([13.472]))
    assert low < 13.472 < high
