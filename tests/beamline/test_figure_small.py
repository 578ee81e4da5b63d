"""A window of 800 x 600 pixels: no text of the live figure lies over another one, or outside, whatever is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from beamline.formatting import own_style
from beamline.outputs.live_figure.axes import DPI, SIZE
from beamline.outputs.live_figure.pages import PAGES
from beamline.outputs.live_figure.screen import fit
from beamline.outputs.live_figure.view import LiveView
from tests.beamline.figure_scenes import faults
from tests.beamline.raw_scans import acquire, scan_set_of

SMALL = (800, 600)
BEHIND = "SIM"
"""Written across the figure, behind everything."""


def many_delays(root: Path) -> None:
    """Six delays of a sample, five slots each."""
    acquire(root, [scan_set_of(1, seed=n, pump_delay=100.0 * 3**n)[0] for n in range(6)])


@pytest.fixture(
    scope="module", params=[faults, pytest.param(many_delays, marks=pytest.mark.long)], ids=["faults", "many delays"]
)
def root(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    there = tmp_path_factory.mktemp("small")
    scene: Callable[[Path], None] = request.param
    scene(there)
    return there


def drawn_texts(figure: Figure, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Any]]:
    """Texts that are really drawn, with their boxes in pixels."""
    found: dict[Text, None] = {}
    draw = Text.draw

    def noted(text: Text, *args: Any, **kwargs: Any) -> None:
        found[text] = None
        draw(text, *args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(Text, "draw", noted)
        figure.canvas.draw()
    for text in found:
        if text.get_visible() and text.get_text().strip() not in ("", BEHIND):
            yield text.get_text(), text.get_window_extent()


@own_style()
@pytest.mark.parametrize("page", PAGES)
def test_no_text_lies_over_another_one_or_outside(root: Path, page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    figure = Figure(figsize=SIZE, dpi=DPI)
    FigureCanvasAgg(figure)
    fit(figure, SMALL)
    assert figure.canvas.get_width_height() == SMALL
    view = LiveView(root, figure, 1.0, page=page, keys=True)
    view.look()
    view.draw(figure.canvas.draw)
    texts = list(drawn_texts(figure, monkeypatch))
    assert len(texts) > 20
    over = [(one, other) for (one, box), (other, there) in combinations(texts, 2) if overlap(box, there)]
    assert over == []
    assert [text for text, box in texts if box.x0 < -1 or box.y0 < -1 or box.x1 > 801 or box.y1 > 601] == []


def overlap(one: Any, other: Any) -> bool:
    """Whether two boxes share more than a pixel."""
    wide = min(one.x1, other.x1) - max(one.x0, other.x0)
    high = min(one.y1, other.y1) - max(one.y0, other.y0)
    return wide > 1 and high > 1


def test_a_large_window_keeps_the_size_of_its_texts() -> None:
    figure = Figure(figsize=SIZE, dpi=DPI)
    FigureCanvasAgg(figure)
    fit(figure, (1920, 1080))
    assert figure.dpi == DPI and figure.canvas.get_width_height() == (1920, 1080)
