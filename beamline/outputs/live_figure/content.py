"""What a page shows: made of documents as they come. The scan alone, and what the other pages add to it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np

from beamline.outputs.live_figure.scan import LiveScan

Document = Mapping[str, Any]


class PageContent:
    """The scan that a page is of. Other pages keep more beside it.

    Parameters
    ----------
    at : float, optional
        Point of the scanned axis that is looked at closely: keV, ps or mJ/cm2.
    over : str
        ``time`` or ``dwells``: what drifts are drawn over.
    """

    def __init__(self, at: float | None = None, over: str = "time") -> None:
        self.at, self.over = at, over
        self._scan = LiveScan()

    @property
    def scan(self) -> LiveScan:
        """The newest scan set, which the header is of."""
        return self._scan

    def take(self, name: str, doc: Document) -> None:
        """Process one document, raw or reduced."""
        self.scan.take(name, doc)

    def layout(self) -> Hashable:
        """What the axes depend on; None while there is nothing to show."""
        scan = self.scan
        if scan.start is None or not scan.num_slots:
            return None
        return scan.start["scan_set"], scan.num_slots, scan.axis, scan.energy.tobytes()

    def chosen_point(self) -> int | None:
        """Point that is looked at closely: nearest to `at`, or where slot 0 stands out most; None without points."""
        return chosen_point(self.scan, self.at)


def chosen_point(scan: LiveScan, at: float | None) -> int | None:
    """The point of a scan nearest to `at`, or else the one where the transient of slot 0 stands out most."""
    if at is not None and scan.energy.size:
        return int(np.argmin(np.abs(scan.energy - at)))
    if not scan.points:
        return None
    with np.errstate(invalid="ignore", divide="ignore"):
        height = np.abs(scan.points["difference"][0] / scan.points["difference_stddev"][0])
    return int(np.nanargmax(height)) if np.isfinite(height).any() else None
