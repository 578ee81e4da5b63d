"""Feeds a figure from the journal and says when it is worth drawing again."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

from beamline.outputs.live_figure.axes import LivePicture
from beamline.outputs.live_figure.pages import OVER, PAGES, Page
from beamline.outputs.live_figure.scan import LiveScan
from beamline.outputs.live_figure.texts import headline, progress_line

LOOK_EVERY = 0.25
"""Seconds between looks at the journal."""
IDLE_SHARE = 10.0
"""A redraw waits for so many times the processor time of the last one: drawing stays below a tenth of a core."""
CLOCK_EVERY = 5.0
"""Seconds between redraws that only move the clock forward."""


class LiveView:
    """One page at a time of a data root, in a figure.

    Parameters
    ----------
    root : path
        The data root.
    figure : Figure
    every : float
        Least number of seconds between two redraws.
    scan_set : str, optional
        Uid of a scan set, or its beginning, to stay with; by default the newest.
    page : str
        The page that is shown first.
    at : float, optional
        Point of the scanned axis that is looked at closely: keV, ps or mJ/cm2.
    over : str
        ``time`` or ``dwells``: what drifts are drawn over.
    keys : bool
        The lower margin tells the keys of the window.
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
    ) -> None:
        self.figure = figure
        self._make = lambda name: Page(name, root, scan_set, at, over)
        self._keys = keys
        self._pages: dict[str, Page] = {}
        self._every = every
        self._shown: tuple[str, str] | None = None
        self.page = ""
        self.picture: LivePicture
        self.show(page)

    @property
    def scan(self) -> LiveScan:
        """The scan set that is shown."""
        return self._pages[self.page].content.scan

    def show(self, page: str) -> None:
        """Show another page, at the next look at the journal."""
        if page == self.page:
            return
        if page not in self._pages:
            self._pages[page] = self._make(page)
        self.page = page
        self.picture = self._pages[page].picture(self.figure, self._hint() if self._keys else "")
        self._changed, self._not_before, self._clock = True, 0.0, 0.0

    def other_axis(self) -> None:
        """Draw drifts over the number of the dwell instead of time, or the other way round."""
        content = self._pages[self.page].content
        content.over = OVER[content.over == OVER[0]]
        self.picture.show_all()
        self._changed = True

    def look(self) -> None:
        """Take what is new in the journal."""
        self._changed = self._pages[self.page].look() or self._changed

    def due(self) -> bool:
        """Whether there is something new to draw and it is time for it."""
        now = time.monotonic()
        if now < self._not_before:
            return False
        return self._changed or (now >= self._clock and self._texts() != self._shown)

    def draw(self, render: Callable[[], object]) -> None:
        """Bring the picture up to date and have it drawn. If `render` raises, it stays due."""
        began = time.process_time()
        texts = self._texts()
        self.picture.update(self._pages[self.page].content, time.time())
        try:
            render()
        finally:
            ended = time.monotonic()
            self._not_before = ended + max(self._every, IDLE_SHARE * (time.process_time() - began))
            self._clock = ended + max(CLOCK_EVERY, self._every)
        self._changed, self._shown = False, texts

    def _texts(self) -> tuple[str, str]:
        now = time.time()
        return headline(self.scan, now).text, progress_line(self.scan, now)

    def _hint(self) -> str:
        names = [f"[{n}] {name}" if name == self.page else f"{n} {name}" for n, name in enumerate(PAGES, 1)]
        return f"keys:  {'   '.join(names)}   a everything in sight   t drifts over time or dwells"
