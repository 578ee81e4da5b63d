"""The pages of the live figure, and the documents that each reads."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from beamline.outputs.live_figure.axes import Body, LivePicture
from beamline.outputs.live_figure.content import PageContent
from beamline.outputs.live_figure.drift_body import DriftBody
from beamline.outputs.live_figure.dwells import DwellLog
from beamline.outputs.live_figure.exclusion_body import ExclusionBody
from beamline.outputs.live_figure.exclusion_content import ExclusionContent
from beamline.outputs.live_figure.finding_body import scan_or_finding
from beamline.outputs.live_figure.follow import ScanFollower
from beamline.outputs.live_figure.map_body import MapBody
from beamline.outputs.live_figure.reference import DrawnBehind
from beamline.outputs.live_figure.series import ScansOfSample, same_sample

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Kind:
    """Parts of a page: content, body, and what it reads (options of `ScanFollower`)."""

    content: Callable[[float | None, str], PageContent]
    body: Callable[[Figure, Any], Body]
    reads: dict[str, Any] = field(default_factory=dict)


PAGES = {
    "scan": Kind(PageContent, scan_or_finding, {"findings": True}),
    "map": Kind(ScansOfSample, MapBody, {"kin": same_sample}),
    "drift": Kind(DwellLog, DriftBody, {"whole": True}),
    "ledger": Kind(ExclusionContent, ExclusionBody, {"whole": True, "replays": True}),
}
"""Pages in the order of the keys 1, 2, ... of the window."""
OVER = ("time", "dwells")


class Page:
    """One page, which reads the journal itself, so that hidden pages cost nothing.

    Parameters
    ----------
    name : str
        One of `PAGES`.
    root : path
        The data root.
    scan_set : str, optional
        Uid of a scan set, or its beginning; by default the newest.
    at : float, optional
        Point of the scanned axis shown in detail: keV, ps or mJ/cm2.
    over : str
        Horizontal axis of drifts: ``time`` or ``dwells``.
    reference : DrawnBehind, optional
        Another result behind the spectra.
    reads
        Options of `ScanFollower`, instead of those of the page.
    """

    def __init__(
        self,
        name: str,
        root: str | Path,
        scan_set: str | None = None,
        at: float | None = None,
        over: str = "time",
        reference: DrawnBehind | None = None,
        **reads: Any,
    ) -> None:
        if name not in PAGES:
            raise ValueError(f"there is no page {name!r}; the pages are {', '.join(PAGES)}")
        self.kind = PAGES[name]
        self.content = self.kind.content(at, over)
        self.content.reference = reference
        self._root = root
        self._follower = ScanFollower(root, scan_set, **{**self.kind.reads, **reads})

    def look(self) -> bool:
        """Read new documents from the journal; True if there were any."""
        changed = False
        for name, doc in self._follower.poll():
            changed = True
            try:
                self.content.take(name, doc)
            except (KeyError, ValueError, IndexError, TypeError) as error:
                logger.warning("skipped a %s document: %s: %s", name, type(error).__name__, error)
        return changed

    def picture(self, figure: Figure, hint: str = "") -> LivePicture:
        """Draw this page into a figure, which is cleared."""
        figure.clear()
        return LivePicture(figure, self.kind.body, hint, f"waiting for a scan in {self._root}")
