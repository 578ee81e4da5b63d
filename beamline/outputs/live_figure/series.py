"""Energy scans of a sample at all delays: each slot of each scan set is a row of a delay-energy map."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beamline.outputs.live_figure.content import Document, PageContent
from beamline.outputs.live_figure.scan import LiveScan
from beamline.outputs.live_figure.shown import sums_so_far
from beamline.outputs.maps.content import component_sentence, shape_sentence, slot_spectra
from reduction.documents.raw import ENERGY_AXIS
from reduction.errors import ReductionError
from reduction.maps.components import components_of
from reduction.maps.shapes import shape_change
from reduction.maps.transient_map import map_of_spectra

Array = NDArray[np.float64]


def same_sample(start: Mapping[str, Any]) -> Hashable:
    """Key that the energy scans of one map share; a scan over another axis is alone."""
    if start.get("scan_axis", ENERGY_AXIS) != ENERGY_AXIS:
        return start["scan_set"]
    return str(start.get("edge")), str(start.get("sample")), start.get("pump_fluence"), start.get("mode")


@dataclass(frozen=True)
class MapRow:
    """One row of the map: the transient at one delay.

    Attributes
    ----------
    delay : float
        After the pump, ps.
    slot : int
    scan_set : str
    passes : int
        Number of summed passes.
    energy, value, stddev : ndarray, shape (E,)
        keV and edge integrals; if provisional, fractions of the laser-off rate.
    provisional : bool
        Whether the first pass is still incomplete.
    """

    delay: float
    slot: int
    scan_set: str
    passes: int
    energy: Array
    value: Array
    stddev: Array
    provisional: bool


def map_scale(rows: Sequence[MapRow]) -> tuple[float, float]:
    """Width of the linear part of the scale of a map, and its end, %: the typical error, and the largest transient."""
    noise = 100 * float(np.nanmedian(np.concatenate([row.stddev for row in rows])))
    highest = 100 * float(np.nanmax(np.abs(np.concatenate([row.value for row in rows]))))
    return max(noise, 1e-9), max(highest, noise)


class ScansOfSample(PageContent):
    """All energy scans of the sample and edge of the newest one."""

    def __init__(self, at: float | None = None, over: str = "time") -> None:
        super().__init__(at, over)
        self._scans: dict[str, LiveScan] = {}
        self._set_of: dict[str, str] = {}
        self._seen: tuple[tuple[int, int], ...] = ()
        self._views: list[str] = []

    @property
    def scan(self) -> LiveScan:
        """The newest scan set."""
        begun = [scan for scan in self._scans.values() if scan.start is not None]
        return max(begun, key=lambda scan: _began(scan.start or {}), default=self._scan)

    def take(self, name: str, doc: Document) -> None:
        """Process one document, raw or reduced, of any of the scan sets."""
        if name == "start":
            scan_set = str(doc["scan_set"])
            self._scans.setdefault(scan_set, LiveScan())
        else:
            scan_set = self._set_of.get(doc["descriptor"] if name == "event" else doc.get("run_start", ""), "")
        if name in ("start", "descriptor"):
            self._set_of[doc["uid"]] = scan_set
        if scan_set in self._scans:
            self._scans[scan_set].take(name, doc)

    def layout(self) -> Hashable:
        """The rows and their delays."""
        newest = super().layout()
        rows = tuple((row.delay, row.slot, row.scan_set, row.energy.tobytes()) for row in self.rows())
        return (newest, rows) if newest is not None else None

    def views(self) -> list[str]:
        """Significant components and change of shape of all complete passes, a sentence each; empty without any."""
        newest = max((scan.spectrum_passes for scan in self._scans.values()), default=0)
        complete = [scan for scan in self._scans.values() if scan.axis == ENERGY_AXIS and scan.spectrum is not None]
        state = tuple((id(scan), scan.spectrum_passes) for scan in complete)
        if newest and state != self._seen:
            self._seen, self._views = state, _sentences(complete)
        return self._views

    def rows(self) -> list[MapRow]:
        """Rows with at least one value, the shortest delay first."""
        rows = [row for uid, scan in self._scans.items() if scan.axis == ENERGY_AXIS for row in _rows_of(uid, scan)]
        return sorted(rows, key=lambda row: (row.delay, row.slot))


def _sentences(complete: list[LiveScan]) -> list[str]:
    """Components and shapes of the map of some scans, or why there are none."""
    try:
        found = map_of_spectra([
            slot_spectra(scan.spectrum, scan.probe_delays.tolist()) for scan in complete if scan.spectrum is not None
        ])  # fmt: skip
        sentences = [component_sentence(components_of(found))]
    except ReductionError as error:
        return [f"components: {error}"]
    try:
        return [*sentences, shape_sentence(shape_change(found))]
    except ReductionError as error:
        return [*sentences, f"shapes: {error}"]


def _rows_of(uid: str, scan: LiveScan) -> list[MapRow]:
    if scan.spectrum is not None:
        value, stddev = scan.spectrum["transient"], scan.spectrum["transient_stddev"]
    elif (sums := sums_so_far(scan)) is not None:
        value, stddev = sums[1]
    else:
        return []
    passes = scan.spectrum_passes if scan.spectrum is not None else 0
    return [
        MapRow(delay, slot, uid, passes, scan.energy, value[slot], stddev[slot], scan.spectrum is None)
        for slot, delay in enumerate(scan.probe_delays.tolist())
        if np.isfinite(value[slot]).any()
    ]


def _began(start: Document) -> tuple[int, float]:
    """When a scan began: by its number, as the clock may have been set back, then by its time."""
    number = start.get("scan_id")
    return number if isinstance(number, int) else 0, float(start["time"])
