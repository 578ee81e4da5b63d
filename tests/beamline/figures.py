"""Live figures drawn by tests: models that follow a journal, and values read from a figure."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imread

from beamline.outputs.live_figure.axes import LivePicture
from beamline.outputs.live_figure.content import PageContent
from beamline.outputs.live_figure.follow import ScanFollower
from beamline.outputs.live_figure.scan import LiveScan
from tests.beamline.example_runs import Documents, events_of
from tests.beamline.raw_scans import ENERGIES, MODEL

SLOTS = MODEL.divider
BEGAN = 1.7e9


def followed(root: Path, scan_set: str | None = None) -> LiveScan:
    """A live figure's model, opened now."""
    scan, follower = LiveScan(), ScanFollower(root, scan_set)
    for name, doc in follower.poll():
        scan.take(name, doc)
    return scan


class Live:
    """A model that follows the journal from before the scan, polled occasionally."""

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


def content_of(scan: LiveScan) -> PageContent:
    """A scan as what a page shows."""
    content = PageContent()
    content._scan = scan
    return content


def drawn(scan: LiveScan, now: float = BEGAN + 20.0) -> tuple[Figure, dict[str, list[tuple[np.ndarray, np.ndarray]]]]:
    """The figure, not rendered, and the line data of each panel by the text of the panel."""
    figure = Figure()
    FigureCanvasAgg(figure)
    LivePicture(figure).update(content_of(scan), now)
    panels = {}
    for axes in figure.axes:
        phrase = " ".join([axes.get_ylabel(), *(text.get_text() for text in axes.texts)])
        panels[phrase] = [(np.asarray(line.get_xdata()), np.asarray(line.get_ydata())) for line in axes.lines]
    return figure, panels


def words_of(figure: Figure) -> str:
    parts = [text.get_text() for text in figure.texts]
    for axes in figure.axes:
        parts += [axes.get_title(loc="left"), axes.get_ylabel(), *(text.get_text() for text in axes.texts)]
    return "\n".join(parts)


def panel(panels: dict[str, list[Any]], word: str) -> list[tuple[np.ndarray, np.ndarray]]:
    (found,) = [lines for phrase, lines in panels.items() if word in phrase]
    return found


def error_bars(figure: Figure, label: str) -> np.ndarray:
    """Half the length of each error bar of a panel."""
    (axes,) = [axes for axes in figure.axes if label in axes.get_ylabel()]
    return half_lengths(axes)


def half_lengths(axes: Axes) -> np.ndarray:
    return np.array([(high - low) / 2 for bars in bars_of(axes) for low, high in bars[:, :, 1] if high > low])


def bars_of(axes: Axes) -> list[np.ndarray]:
    """Lower and upper end of each error bar, shape (bars, 2, 2), by colour."""
    return [np.asarray(patch.get_path().vertices).reshape(-1, 2, 2) for patch in axes.patches]


def artists(figure: Figure) -> list[int]:
    return [id(artist) for axes in figure.axes for artist in (axes, *axes.lines, *axes.patches, *axes.texts)]


def wait_for(condition: Callable[[], bool], timeout: float = 90.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def whole(png: Path) -> tuple[int, ...]:
    """Shape of the picture; raises if the file is not whole."""
    return imread(png).shape


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def slot_axes(figure: Figure, slot: int) -> Axes:
    """The panel of a slot."""
    (found,) = [axes for axes in figure.axes if any(text.get_text().startswith(f"slot {slot} ") for text in axes.texts)]
    return found
