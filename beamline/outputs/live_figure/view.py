"""Updates a figure from the journal, and decides when to redraw it."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from matplotlib.figure import Figure

from beamline.outputs.live_figure.axes import LivePicture
from beamline.outputs.live_figure.content import PageContent
from beamline.outputs.live_figure.layers import Layers
from beamline.outputs.live_figure.pages import OVER, PAGES, Page
from beamline.outputs.live_figure.reference import DrawnBehind
from beamline.outputs.live_figure.scan import LiveScan

LOOK_EVERY = 0.25
"""Polling interval of the journal, s."""
IDLE_SHARE = 10.0
"""Least interval between redraws, in units of the processor time of the last: less than a tenth of a core."""
CLOCK_EVERY = 5.0
"""Interval of redraws that only update the clock, s."""


class LiveView:
    """Shows pages of a data root in a figure, one at a time.

    Parameters
    ----------
    root : path
        The data root.
    figure : Figure
    every : float
        Shortest interval between redraws, s.
    scan_set : str, optional
        Uid of a scan set, or its beginning; by default the newest.
    page : str
        Initial page.
    at : float, optional
        Point of the scanned axis shown in detail: keV, ps or mJ/cm2.
    over : str
        Horizontal axis of drifts: ``time`` or ``dwells``.
    keys : bool
        Show the keys of the window in the lower margin.
    reference : DrawnBehind, optional
        Another result behind the spectra.
    """

    def __init__(
        self,
        root: Path,
        figure: Figure,
        every: float,
        scan_set: str | None = None,
        page: str = "scan",
        at: float | None = None,
        over: str = "time",
        keys: bool = False,
        reference: DrawnBehind | None = None,
    ) -> None:
        self.figure = figure
        self._layers = Layers(figure)
        self._make = lambda name: Page(name, root, scan_set, at, over, reference)
        self._keys = keys
        self._pages: dict[str, Page] = {}
        self._every = every
        self._worker = ThreadPoolExecutor(1, "prediction")
        self._shown: tuple[str, str] | None = None
        self.page = ""
        self.picture: LivePicture
        self.show(page)

    @property
    def scan(self) -> LiveScan:
        """The scan set shown."""
        return self.content.scan

    @property
    def content(self) -> PageContent:
        """Content of the page shown."""
        return self._pages[self.page].content

    def show(self, page: str) -> None:
        """Select another page, shown at the next poll of the journal."""
        if page == self.page:
            return
        if page not in self._pages:
            self._pages[page] = self._make(page)
            self._pages[page].content.waits = False
        self.page = page
        self.picture = self._pages[page].picture(self.figure, self._hint() if self._keys else "")
        self._changed, self._not_before, self._clock = True, 0.0, 0.0

    def other_axis(self) -> None:
        """Toggle the horizontal axis of drifts between time and dwell number."""
        self.content.over = OVER[self.content.over == OVER[0]]
        self.picture.show_all()
        self._changed = True

    def look(self) -> None:
        """Poll the journal."""
        self._changed = self._pages[self.page].look() or self.content.predicting or self._changed

    def due(self) -> bool:
        """Whether there is something new to draw and a redraw is due."""
        now = time.monotonic()
        if now < self._not_before:
            return False
        return self._changed or (now >= self._clock and self._texts() != self._shown)

    def wait_for_predictions(self) -> None:
        """Let the next redraws wait for what they show: they are the last ones."""
        self.content.waits = True

    def draw(self, publish: Callable[[], object]) -> None:
        """Draw the picture on its canvas, then publish it; if `publish` raises, the redraw stays due."""
        began = time.process_time()
        texts = self._texts()
        self.picture.update(self.content, time.time())
        self._layers.draw()
        try:
            publish()
        finally:
            self.content.predict_by(self._worker)
            ended = time.monotonic()
            self._not_before = ended + max(self._every, IDLE_SHARE * (time.process_time() - began))
            self._clock = ended + max(CLOCK_EVERY, self._every)
        self._changed, self._shown = False, texts

    def _texts(self) -> tuple[str, str]:
        header = self.content.header(time.time())
        return header.state.text, header.progress

    def _hint(self) -> str:
        names = [f"[{n}] {name}" if name == self.page else f"{n} {name}" for n, name in enumerate(PAGES, 1)]
        return f"keys:  {'   '.join(names)}   a reset zoom   t drifts over time or dwells"
