"""Content of a page, built from documents as they arrive."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from concurrent.futures import Executor
from typing import Any

import numpy as np

from beamline.outputs.live_figure.reference import DrawnBehind
from beamline.outputs.live_figure.scan import LiveScan
from beamline.outputs.live_figure.texts import HeaderTexts, header_of_finding, header_of_scan
from reduction.documents.finding_run import FindingRun

Document = Mapping[str, Any]


class PageContent:
    """Content of the scan page; other pages extend it.

    Parameters
    ----------
    at : float, optional
        Point of the scanned axis shown in detail: keV, ps or mJ/cm2.
    over : str
        Horizontal axis of drifts: ``time`` or ``dwells``.

    Attributes
    ----------
    reference : DrawnBehind or None
        Another result that the scan page draws behind the spectra.
    finding : FindingRun
        A finding that is newer than the scan set, shown instead; the other pages do not read it.
    waits : bool
        Whether a redraw waits for predictions. If not, it shows the last ones, and `predict_by` begins new ones.
    """

    waits = True

    def __init__(self, at: float | None = None, over: str = "time") -> None:
        self.at, self.over = at, over
        self.reference: DrawnBehind | None = None
        self.finding = FindingRun()
        self._scan = LiveScan()

    @property
    def scan(self) -> LiveScan:
        """The newest scan set, described by the header."""
        return self._scan

    @property
    def predicting(self) -> bool:
        """Whether a prediction is not shown yet."""
        return False

    def predict_by(self, worker: Executor) -> None:
        """Begin predictions that a redraw has asked for."""

    def take(self, name: str, doc: Document) -> None:
        """Process one document, raw or reduced, or of a finding."""
        self.finding.take(name, doc)
        if self.finding.start is None:
            self.scan.take(name, doc)

    def header(self, now: float) -> HeaderTexts:
        """Texts above the page at `now` (seconds since 1970)."""
        return (
            header_of_finding(self.finding, now) if self.finding.start is not None else header_of_scan(self.scan, now)
        )

    def layout(self) -> Hashable:
        """What the axes depend on; None without a scan or a finding."""
        if self.finding.start is not None:
            return "finding", self.finding.start["uid"]
        scan = self.scan
        if scan.start is None or not scan.num_slots:
            return None
        return scan.start["scan_set"], scan.num_slots, scan.axis, scan.energy.tobytes()

    def chosen_point(self) -> int | None:
        """Index of the point shown in detail: nearest to `at`, or most significant in slot 0; None without points."""
        return chosen_point(self.scan, self.at)


def chosen_point(scan: LiveScan, at: float | None) -> int | None:
    """Index of the point nearest to `at`, or else that with the most significant transient of slot 0."""
    if at is not None and scan.energy.size:
        return int(np.argmin(np.abs(scan.energy - at)))
    if not scan.points:
        return None
    with np.errstate(invalid="ignore", divide="ignore"):
        height = np.abs(scan.points["difference"][0] / scan.points["difference_stddev"][0])
    return int(np.nanargmax(height)) if np.isfinite(height).any() else None
