"""Two layers are, to the pixel, the picture that matplotlib draws at once; most redraws draw only what moves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from beamline.formatting import own_style
from beamline.outputs.live_figure.__main__ import write_png
from beamline.outputs.live_figure.axes import DPI, SIZE
from beamline.outputs.live_figure.pages import PAGES
from beamline.outputs.live_figure.view import LiveView
from tests.beamline.axis_runs import two_passes
from tests.beamline.example_runs import Documents
from tests.beamline.figure_scenes import with_machine
from tests.beamline.figures import whole
from tests.beamline.raw_scans import Acquisition, scan_set_of

SCANS: dict[str, Callable[[], list[Documents]]] = {
    "energies": lambda: with_machine(scan_set_of(2)),
    "delays": lambda: with_machine(two_passes("laser_delay")),
}


def pixels(view: LiveView) -> np.ndarray:
    return np.array(view.figure.canvas.buffer_rgba())


def at_once(figure: Figure) -> None:
    """Draw all in one layer, as matplotlib does by itself."""
    for artist in figure.findobj(Artist):
        artist.set_animated(False)
    figure.canvas.draw()


@own_style()
@pytest.mark.parametrize(("scan", "page"), [*(("energies", page) for page in PAGES), ("delays", "scan")])
def test_the_layers_are_the_picture_of_one_layer(scan: str, page: str, tmp_path: Path) -> None:
    first, second = SCANS[scan]()
    canvas = FigureCanvasAgg(Figure(figsize=SIZE, dpi=DPI))
    drawn = []
    with Acquisition(tmp_path) as session:
        session.take(first)
        session.take(second[:30])
        view = LiveView(tmp_path, canvas.figure, 1.0, page=page)
        canvas.mpl_connect("draw_event", drawn.append)
        for number in range(30, 38):
            session.take(second[number : number + 1])
            view.look()
            view.draw(lambda: write_png(canvas, tmp_path / "figure.png"))
    assert len(drawn) <= 5, "most redraws draw only what moves"
    layered = pixels(view)
    assert layered.std() > 10 and whole(tmp_path / "figure.png") == layered.shape
    canvas.draw()
    np.testing.assert_array_equal(layered, pixels(view))
    at_once(canvas.figure)
    np.testing.assert_array_equal(layered, pixels(view))
