"""State of a scan set for the live figure: its reduced documents as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beamline.outputs.live_figure.detectors import EachDetector
from beamline.outputs.live_figure.provisional import Normalisation, normalisation_of
from beamline.session.pass_progress import PassProgress
from reduction.counting.phases import Pattern
from reduction.documents.patterns import binned_pattern
from reduction.documents.raw import ENERGY_AXIS, IMPORTED, PRIMARY, is_pumped, is_reducible, pump_delay_of
from reduction.errors import ReductionError

Array = NDArray[np.float64]
Document = Mapping[str, Any]
WITH_LASER = ("on", "on_stddev", "transient", "transient_stddev")
"""What a spectrum without the laser does not have."""
POINT_ARRAYS = ("off", "off_stddev", "on", "on_stddev", "difference", "difference_stddev", "photons", "photons_stddev")


class LiveScan:
    """One scan set, updated by `take` with each document; the start document of another scan set resets it.

    Attributes
    ----------
    start : mapping or None
        Start document of the newest raw pass.
    axis : str
        Data key of the scanned axis.
    energy : ndarray, shape (E,)
        The grid: keV, or ps or mJ/cm2 where another axis is scanned.
    trace : mapping or None
        The last complete trace of a delay or fluence scan.
    kinetics : mapping
        The fit of the last complete trace of a delay scan; empty without.
    points : dict of ndarray, shape (S, E)
        Sums so far of each point, by the keys of the stream `points`; NaN where not measured.
    bad_phases : ndarray of int, shape (E,)
        Phases of the last dwell of each point in this pass that were saturated or shut.
    in_pass : ndarray of bool, shape (E,)
        Points measured in the newest pass.
    spectrum : mapping or None
        The last complete spectrum of the scan set.
    spectrum_passes : int
        Number of passes summed in it.
    normalisation : Normalisation or None
        That of the spectrum.
    faults : list of str
        Faults of dwells of the newest pass.
    last_fault : str
        Fault of the last dwell; empty if it is good.
    message : str
        Why a pass has no spectrum.
    progress : PassProgress
    each : EachDetector
        Points and results of each of several counters.
    """

    def __init__(self) -> None:
        self._begin_set({})

    def _begin_set(self, start: Document) -> None:
        self.start: Document | None = start or None
        self.energy: Array = np.asarray(start.get("grid", ()), dtype=np.float64)
        self.pattern: Pattern | None = None
        self.points: dict[str, Array] = {}
        self.axis = str(start.get("scan_axis", ENERGY_AXIS))
        self.spectrum: Document | None = None
        self.trace: Document | None = None
        self.kinetics: Document = {}
        self.spectrum_passes = 0
        self.normalisation: Normalisation | None = None
        self.progress = PassProgress()
        self.each = EachDetector(self.energy.size)
        self._summed: list[str] = []
        self._raw_primary: str | None = None
        self._streams: dict[str, tuple[str, str]] = {}
        self._reduced_starts: dict[str, Document] = {}
        self._begin_pass()

    def _begin_pass(self) -> None:
        self.in_pass = np.zeros(self.energy.size, np.bool_)
        self.bad_phases = np.zeros(self.energy.size, np.int64)
        self.faults: list[str] = []
        self.last_fault = ""
        self.message = ""
        self.reduced = 0
        self.complete = False

    @property
    def num_slots(self) -> int:
        """Number of pump slots, or bins of them; 0 while unknown."""
        return self.pattern.num_slots if self.pattern is not None else 0

    @property
    def unreduced(self) -> int:
        """Dwells of the newest pass in the journal that are not reduced."""
        return 0 if self.imported else max(0, self.progress.saved - self.reduced)

    @property
    def imported(self) -> bool:
        """Whether the scan was imported from a file: its points are reduced together."""
        return IMPORTED in (self.start or {})

    @property
    def probe_delays(self) -> Array:
        """Delay of each slot after the pump, shape (S,), ps."""
        delay = pump_delay_of(self.start or {"scan_axis": self.axis})
        return self.pattern.probe_delays(delay) if self.pattern is not None else np.empty(0)

    @property
    def pumped(self) -> bool:
        """Whether there are dwells with the laser on."""
        return is_pumped(self.start or {})

    def take(self, name: str, doc: Document) -> None:
        """Process one document, raw or reduced, of the scan set that is shown."""
        if name == "start":
            self._take_reduced_start(doc) if "analysis_of" in doc else self._take_raw_start(doc)
        elif name == "descriptor":
            self._take_descriptor(doc)
        elif name == "event":
            self._take_event(doc)
        elif name == "stop":
            self._take_stop(doc)

    def _take_raw_start(self, start: Document) -> None:
        if not is_reducible(start):
            return
        another = self.start is None or start["scan_set"] != self.start["scan_set"]
        if another or not np.array_equal(np.asarray(start["grid"]), self.energy):
            self._begin_set(start)
        self.start = start
        self._begin_pass()
        self.progress.begin(start)

    def _take_reduced_start(self, start: Document) -> None:
        self._reduced_starts[start["uid"]] = start
        if list(start["accumulates"]) != self._summed:
            self.points = {}  # new sums: another session, or other settings
            self.each = EachDetector(self.energy.size)
        self._summed = [*start["accumulates"], start["analysis_of"]]

    def _take_descriptor(self, doc: Document) -> None:
        if doc["run_start"] in self._reduced_starts:
            self._streams[doc["uid"]] = (doc["run_start"], doc["name"])
        if doc["name"] == PRIMARY and self.start is not None and doc["run_start"] == self.start["uid"]:
            self._raw_primary = doc["uid"]
            try:
                self.pattern = binned_pattern(doc, self.start)
            except (ValueError, ReductionError) as error:
                self.message = str(error)

    def _take_event(self, doc: Document) -> None:
        if doc["descriptor"] == self._raw_primary:
            self.progress.advance(doc["seq_num"], int(doc["data"]["point_index"]), doc["time"])
        run, stream = self._streams.get(doc["descriptor"], ("", ""))
        if stream == "points":
            self._take_point(doc["data"])
        elif stream == "spectrum":
            self._take_spectrum(doc["data"], self._reduced_starts[run])
        elif stream == "kinetics":
            self.kinetics = doc["data"]
        elif stream == "trace":
            self.trace = doc["data"]
            self._count_passes(self._reduced_starts[run])
        else:
            self.each.take(stream, doc["data"])

    def _take_point(self, data: Document) -> None:
        point, size = int(data["point_index"]), self.energy.size
        if not self.points:
            slots = np.asarray(data["off"]).size
            self.points = {key: np.full((slots, size), np.nan) for key in POINT_ARRAYS}
        for key in POINT_ARRAYS:
            self.points[key][:, point] = data.get(key, np.nan)  # older versions lack some
        self.in_pass[point] = True
        self.bad_phases[point] = data["bad_phases"]
        self.reduced += 1
        self.last_fault = str(data["fault"])
        if self.last_fault:
            self.faults.append(self.last_fault)

    def _take_spectrum(self, data: Document, start: Document) -> None:
        nothing = np.full_like(np.asarray(data["off"]), np.nan)
        self.spectrum = {**dict.fromkeys(WITH_LASER, nothing), **data}
        self._count_passes(start)
        if self.imported:
            return
        try:
            self.normalisation = normalisation_of(data, start["settings"])
        except (ReductionError, ValueError) as error:
            self.normalisation, self.message = None, str(error)

    def _count_passes(self, start: Document) -> None:
        """Record the number of passes of a result, and whether it includes the newest."""
        self.spectrum_passes = len(start["accumulates"]) + 1
        self.complete = start["analysis_of"] == (self.start or {}).get("uid")

    def _take_stop(self, stop: Document) -> None:
        if stop["run_start"] in self._reduced_starts:
            if stop["exit_status"] == "fail" and stop.get("reason"):
                self.message = str(stop["reason"])
        elif self.start is not None and stop["run_start"] == self.start["uid"]:
            self.progress.end(stop)
