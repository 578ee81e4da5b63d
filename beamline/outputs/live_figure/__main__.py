"""The live figure, a process that reads the journal: ``python -m beamline.outputs.live_figure --journal DIR``.

It shows pages of the newest scan set on a screen, or writes a page to a PNG file. It only reads, at a lower priority,
so that its failures never affect the acquisition.
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

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imsave

from beamline.config.own_files import draft_path
from beamline.formatting import own_style
from beamline.outputs.live_figure.axes import DPI, SIZE
from beamline.outputs.live_figure.pages import OVER, PAGES
from beamline.outputs.live_figure.reference import DrawnBehind, Reference
from beamline.outputs.live_figure.view import LOOK_EVERY, LiveView

logger = logging.getLogger(__name__)

NICENESS = 10


def write_png(canvas: FigureCanvasAgg, path: Path) -> None:
    """Replace a PNG file atomically by what is drawn."""
    part = draft_path(path)
    try:
        imsave(part, np.asarray(canvas.buffer_rgba()), format="png", dpi=DPI, pil_kwargs={"compress_level": 1})
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def follow_to_png(view: LiveView, canvas: FigureCanvasAgg, path: Path, ended: Callable[[], bool]) -> None:
    """Update a PNG file until `ended` returns True, and once more then."""
    failure = ""
    last = False
    while True:
        view.look()
        if last:
            view.wait_for_predictions()
        if last or view.due():
            try:
                view.draw(lambda: write_png(canvas, path))
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


@own_style()
def main(arguments: list[str] | None = None) -> int:
    """Show the live figure until it is closed or the process is terminated; exit status 2 if it cannot be shown."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(format="%(asctime)s live figure: %(message)s")
    logging.getLogger("beamline.outputs.live_figure").setLevel(logging.WARNING)  # the command line shows errors alone
    os.nice(NICENESS)
    try:
        if options.png is None:
            from beamline.outputs.live_figure.screen import show

            show(lambda figure: _view(options, figure), _ending(options.with_parent))
            return 0
        options.png.parent.mkdir(parents=True, exist_ok=True)
        canvas = FigureCanvasAgg(Figure(figsize=SIZE, dpi=DPI))
        view = _view(options, canvas.figure)
        follow_to_png(view, canvas, options.png, (lambda: True) if options.once else _ending(options.with_parent))
    except (OSError, RuntimeError) as error:
        print(f"live figure: {error}", file=sys.stderr)
        return 2
    return 0


def _view(options: argparse.Namespace, figure: Figure) -> LiveView:
    """The view requested on the command line."""
    return LiveView(
        options.journal,
        figure,
        options.every,
        options.scan_set,
        options.page,
        options.at,
        options.over,
        keys=options.png is None,
        reference=_reference(options),
    )


def _reference(options: argparse.Namespace) -> DrawnBehind | None:
    """What is drawn behind the spectra."""
    if options.theory is not None:
        from beamline.outputs.live_figure.theory_overlay import TheoryOverlay  # imported here: a theory is rare

        return TheoryOverlay.from_file(options.journal, options.theory)
    if options.reference is None:
        return None
    from beamline.outputs.comparison.find import result_of  # imported here: readers of files take a second
    from beamline.records.runs.journal_runs import JournalRuns

    roots = [*options.with_journal, options.journal]
    return Reference(result_of([JournalRuns(root) for root in roots], options.reference))


def _ending(with_parent: bool) -> Callable[[], bool]:
    """Return a function that tests whether a signal has arrived or the parent process has ended."""
    ended = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    parent = os.getppid()
    return lambda: ended.is_set() or (with_parent and os.getppid() != parent)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m beamline.outputs.live_figure", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--journal", required=True, type=Path, metavar="DIR", help="the data root")
    parser.add_argument("--png", type=Path, metavar="FILE", help="write to this file instead of a screen")
    parser.add_argument(
        "--every", type=float, default=1.0, metavar="S", help="shortest interval between redraws, s (1)"
    )
    parser.add_argument("--scan-set", metavar="UID", help="show this scan set; by default follow the newest")
    parser.add_argument("--page", choices=list(PAGES), default="scan", help="page shown (first): scan")
    parser.add_argument(
        "--at", type=float, metavar="VALUE", help="show this point of the scanned axis in detail (keV, ps, mJ/cm2)"
    )
    parser.add_argument("--over", choices=OVER, default="time", help="horizontal axis of drifts (time)")
    parser.add_argument("--with", dest="reference", metavar="REF", help="a run or file drawn behind the spectra")
    parser.add_argument("--theory", type=Path, metavar="TOML", help="computed spectra fitted after each pass")
    parser.add_argument(
        "--with-journal", type=Path, action="append", default=[], metavar="DIR", help="look for it here first"
    )
    parser.add_argument("--once", action="store_true", help="with --png: write the file once and exit")
    parser.add_argument("--with-parent", action="store_true", help="exit when the parent process ends")
    return parser


if __name__ == "__main__":
    sys.exit(main())
