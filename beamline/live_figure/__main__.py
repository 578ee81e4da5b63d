"""The live figure, a process of its own that reads the journal: ``python -m beamline.live_figure --journal DIR``.

It shows the newest scan set on a screen, or writes it to a PNG file. Whatever becomes of it, the acquisition does not
notice: it only reads, and at a lower priority.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from beamline.live_figure.axes import SIZE, LivePicture
from beamline.live_figure.follow import ScanFollower
from beamline.live_figure.scan import LiveScan
from beamline.live_figure.words import headline, progress_line

logger = logging.getLogger(__name__)

LOOK_EVERY = 0.25
"""Seconds between looks at the journal."""
IDLE_SHARE = 10.0
"""A redraw waits for so many times the processor time of the last one: drawing stays below a tenth of a core."""
CLOCK_EVERY = 5.0
"""Seconds between redraws that only move the clock forward."""
NICENESS = 10


class LiveView:
    """Feeds a picture from the journal and says when it is worth drawing again.

    Parameters
    ----------
    root : path
        The data root.
    figure : Figure
    every : float
        Least number of seconds between two redraws.
    scan_set : str, optional
        Uid of a scan set, or its beginning, to stay with; by default the newest.
    """

    def __init__(self, root: Path, figure: Figure, every: float, scan_set: str | None = None) -> None:
        self.picture = LivePicture(figure)
        self.scan = LiveScan()
        self._follower = ScanFollower(root, scan_set)
        self._every = every
        self._changed = True
        self._said: tuple[str, str] | None = None
        self._not_before = 0.0
        self._clock = 0.0

    def look(self) -> None:
        """Take what is new in the journal."""
        for name, doc in self._follower.poll():
            self._changed = True
            try:
                self.scan.take(name, doc)
            except (KeyError, ValueError, IndexError, TypeError) as error:
                logger.warning("left out a %s document: %s: %s", name, type(error).__name__, error)

    def due(self) -> bool:
        """Whether there is something new to draw and it is time for it."""
        now = time.monotonic()
        if now < self._not_before:
            return False
        return self._changed or (now >= self._clock and self._words() != self._said)

    def draw(self, render: Callable[[], None]) -> None:
        """Bring the picture up to date and have it drawn. If `render` raises, it stays due."""
        began = time.process_time()
        said = self._words()
        self.picture.update(self.scan, time.time())
        try:
            render()
        finally:
            ended = time.monotonic()
            self._not_before = ended + max(self._every, IDLE_SHARE * (time.process_time() - began))
            self._clock = ended + max(CLOCK_EVERY, self._every)
        self._changed, self._said = False, said

    def _words(self) -> tuple[str, str]:
        now = time.time()
        return headline(self.scan, now).text, progress_line(self.scan, now)


def write_png(figure: Figure, path: Path) -> None:
    """Replace a PNG file as a whole: a reader sees the old picture or the new one."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        figure.savefig(part, format="png", dpi=100)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def follow_to_png(view: LiveView, path: Path, ended: Callable[[], bool]) -> None:
    """Keep a PNG file up to date until `ended` says so, and once more then."""
    failure = ""
    last = False
    while True:
        view.look()
        if last or view.due():
            try:
                view.draw(lambda: write_png(view.picture.figure, path))
            except OSError as error:
                if str(error) != failure:
                    failure = str(error)
                    logger.warning("cannot write %s: %s; trying again", path, error.strerror)
            else:
                failure = ""
        if last:
            return
        last = ended()
        if not last:
            time.sleep(LOOK_EVERY)


def main(arguments: list[str] | None = None) -> int:
    """Show the live figure until it is closed or the process is ended; 0, or 2 if it cannot be shown."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s live figure: %(message)s")
    os.nice(NICENESS)
    try:
        if options.png is None:
            from beamline.live_figure.screen import show

            show(options.journal, options.every, options.scan_set, _ending(options.with_parent))
            return 0
        options.png.parent.mkdir(parents=True, exist_ok=True)
        figure = Figure(figsize=SIZE)
        FigureCanvasAgg(figure)
        view = LiveView(options.journal, figure, options.every, options.scan_set)
        follow_to_png(view, options.png, (lambda: True) if options.once else _ending(options.with_parent))
    except (OSError, RuntimeError) as error:
        print(f"live figure: {error}", file=sys.stderr)
        return 2
    return 0


def _ending(with_parent: bool) -> Callable[[], bool]:
    """Says whether a signal came, or the parent process is gone."""
    ended = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    parent = os.getppid()
    return lambda: ended.is_set() or (with_parent and os.getppid() != parent)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m beamline.live_figure", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--journal", required=True, type=Path, metavar="DIR", help="the data root")
    parser.add_argument("--png", type=Path, metavar="FILE", help="write to this file instead of a screen")
    parser.add_argument("--every", type=float, default=1.0, metavar="S", help="least seconds between redraws (1)")
    parser.add_argument("--scan-set", metavar="UID", help="stay with this scan set; by default follow the newest")
    parser.add_argument("--once", action="store_true", help="with --png: write what is there and end")
    parser.add_argument("--with-parent", action="store_true", help="end when the parent process ends")
    return parser


if __name__ == "__main__":
    sys.exit(main())
