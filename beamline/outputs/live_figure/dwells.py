"""Readings of every dwell of a scan set, and the results of each pass, for drifts."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from beamline.outputs.live_figure.content import Document, PageContent
from reduction.documents.raw import PRIMARY, transmission_of

Array = NDArray[np.float64]
Found = TypeVar("Found")
READINGS = (
    "point_index", "laser_on", "i0", "i0_time", "i0_gain", "i0_dark", "ring_current", "laser_lock_error",
    "laser_locked",
)  # fmt: skip
"""Readings of a raw event that are stored; NaN without such a device."""
OF_SWEEPS = 0
"""``point_index`` of a sweep."""
COUNTED = ("photons", "photons_stddev")
"""Means over the slots, from the live reduction."""
COLUMNS = (*READINGS, "time", "good", "run", *COUNTED)
KEPT = {
    "spectrum": ("transient", "transient_stddev", "residual", "residual_stddev", "dwell_noise"),
    "trace": ("transient", "transient_stddev", "dwell_noise"),
    "honesty": ("scatter", "noise_lag", "noise_variance", "noise_variance_stddev"),
    "kinetics": ("fitted", "chi_square", "freedom"),
}
"""What is kept of the streams at the end of a pass; their covariances would fill the memory in a night."""


class PassLog:
    """One pass: a column of numbers for each dwell, the sums of its points so far, and its results.

    Parameters
    ----------
    number : int
        Of the pass in its scan set.
    planned, pattern : int
        Dwells of the pass, and of each point; of a scan in sweeps, sweeps.
    swept : bool
        Whether the energy moves all the time: then a dwell is a sweep.

    Attributes
    ----------
    size, bad : int
        Dwells so far, and those that are bad.
    sums : dict
        By point, the last difference and its standard deviation, shape (2, S), and the dwells in it.
    rates : dict
        By point, photons per I0 count with the laser off and on, shape (2, S).
    results : dict
        By stream, what is `KEPT` of its data.
    """

    def __init__(self, number: int, planned: int, pattern: int, swept: bool = False) -> None:
        self.planned, self.pattern, self.swept = planned, pattern, swept
        self.sums: dict[int, tuple[Array, int]] = {}
        self.rates: dict[int, Array] = {}
        self.results: dict[str, Document] = {}
        self.size, self.bad = 0, 0
        self._number, self._counted = number, 0
        self._dwells: Array = np.full((len(COLUMNS), max(planned, 16)), np.nan)
        self._unplaced: deque[tuple[int, float, float]] = deque()

    def add(self, doc: Document) -> None:
        """Add a dwell by its raw event."""
        if self.size == self._dwells.shape[1]:
            self._dwells = np.concatenate([self._dwells, np.full_like(self._dwells, np.nan)], axis=1)
        data = doc["data"]
        readings = [float(data.get(key, np.nan)) for key in READINGS]
        values = [*readings, float(doc["time"]), float(data["quality"] == "good"), float(self._number)]
        self._dwells[: len(values), self.size] = values
        self.size += 1
        self.bad += data["quality"] != "good"

    def count(self, data: Document, point: int) -> None:
        """Take the counts of a dwell at a point, or of a sweep, from an event of the stream `points` or `sweeps`."""
        photons, stddev = np.asarray(data["photons"]), data.get("photons_stddev", np.nan)
        error = float(np.sqrt(np.mean(np.square(stddev)) / photons.size))
        self._unplaced.append((point, float(photons.mean()), error))

    def sum(self, data: Document, point: int) -> None:
        """Take the sums of a point from an event of the stream `points`."""
        if "difference" in data:
            dwells = int(data["dwells_off"]) + int(data["dwells_on"])
            self.sums[point] = np.array([data["difference"], data["difference_stddev"]], np.float64), dwells
            self.rates[point] = np.array([data["off"], data["on"]], np.float64)

    @property
    def dwells(self) -> Array:
        """`COLUMNS` of the dwells in their order, shape (C, D).

        The reduction processes dwells in order, but may have missed some: those have no counts.
        """
        there = self._dwells[:, : self.size]
        while self._unplaced:
            point, *counts = self._unplaced[0]
            same = np.flatnonzero(there[0, self._counted :] == point)
            if not same.size:
                break
            self._counted += int(same[0]) + 1
            there[-len(COUNTED) :, self._counted - 1] = counts
            self._unplaced.popleft()
        return there


@dataclass
class _Predicted:
    """What was predicted last, and the prediction after `ended` passes that is not shown yet."""

    value: Any
    ended: int = 0
    predict: Callable[[], Any] | None = None
    future: Future[Any] | None = None


class DwellLog(PageContent):
    """The newest scan set, with every dwell of its passes.

    Attributes
    ----------
    passes : dict of PassLog
        By the uid of the raw run.
    drift : tuple of ndarray, shape (passes, E), or None
        Logarithm of the thickness that the last result took out, and its standard deviation.
    whole : list of PassLog
        Passes that have ended with a result; `ended` is their number.
    size, bad : int
        Dwells so far, and those that are bad.
    swept : bool
        Whether the scan is one in sweeps, each of which is at all points.
    transmission : float, optional
        Of the attenuators, if the station has any.
    """

    def __init__(self, at: float | None = None, over: str = "time") -> None:
        super().__init__(at, over)
        self._begin(None)

    def _begin(self, scan_set: object) -> None:
        self._scan_set = scan_set
        self.passes: dict[str, PassLog] = {}
        self.drift: tuple[Array, Array] | None = None
        self._predicted: dict[object, _Predicted] = {}
        self.transmission: float | None = None
        self._raw_of: dict[str, str] = {}
        self._streams: dict[str, tuple[str, str]] = {}

    def take(self, name: str, doc: Document) -> None:
        """Process one document, raw or reduced."""
        super().take(name, doc)
        if name == "start":
            self._take_start(doc)
        elif name == "descriptor":
            self._streams[doc["uid"]] = (doc["run_start"], doc["name"])
        elif name == "event":
            self._take_event(doc)

    def _take_start(self, start: Document) -> None:
        if start["scan_set"] != self._scan_set:
            self._begin(start["scan_set"])
        if "analysis_of" in start:
            self._raw_of[start["uid"]] = start["analysis_of"]
        else:
            pattern = max(1, len(start.get("pattern", (1,))))
            planned = int(start.get("num_events", 0))
            self.passes[start["uid"]] = PassLog(len(self.passes), planned, pattern, "frame" in start)

    def _take_event(self, doc: Document) -> None:
        run, stream = self._streams.get(doc["descriptor"], ("", ""))
        mine = self.passes.get(self._raw_of.get(run, run))
        if mine is None:
            return
        if run not in self._raw_of:
            if stream == PRIMARY:
                mine.add(doc)
            elif stream == "baseline":
                self._take_baseline(doc["data"])
        elif stream == "sweeps":
            mine.count(doc["data"], OF_SWEEPS)
        elif stream == "points":
            point = int(doc["data"]["point_index"])
            mine.sum(doc["data"], point)
            if not mine.swept:
                mine.count(doc["data"], point)
        elif stream in KEPT:
            self._take_result(mine, stream, doc["data"])

    def _take_baseline(self, data: Document) -> None:
        self.transmission = transmission_of(self.scan.start or {}, data, self.transmission)

    @property
    def whole(self) -> list[PassLog]:
        return [each for each in self.passes.values() if each.results]

    @property
    def ended(self) -> int:
        return len(self.whole)

    @property
    def size(self) -> int:
        return sum(each.size for each in self.passes.values())

    @property
    def bad(self) -> int:
        return sum(each.bad for each in self.passes.values())

    @property
    def swept(self) -> bool:
        return any(each.swept for each in self.passes.values())

    def once(self, name: object, prepare: Callable[[], Callable[[], Found]], before: Found) -> Found:
        """What is predicted, once for each number of whole passes; without waiting, the last value until that is there.

        Parameters
        ----------
        name : object
        prepare : callable
            Takes what the prediction needs from this log, and returns the prediction.
        before : object
            The first value.
        """
        known = self._predicted.setdefault(name, _Predicted(before))
        if known.ended != self.ended:
            known.ended, known.predict, known.future = self.ended, prepare(), None
        if known.future is not None and (self.waits or known.future.done()):
            known.value, known.predict, known.future = known.future.result(), None, None
        elif known.predict is not None and self.waits:
            known.value, known.predict = known.predict(), None
        found: Found = known.value
        return found

    @property
    def predicting(self) -> bool:
        return any(each.predict is not None for each in self._predicted.values())

    def predict_by(self, worker: Executor) -> None:
        for each in self._predicted.values():
            if each.predict is not None and each.future is None:
                each.future = worker.submit(each.predict)

    def _take_result(self, mine: PassLog, stream: str, data: Document) -> None:
        mine.results[stream] = {key: np.array(data[key]) for key in KEPT[stream] if key in data}
        if "drift" in data:
            self.drift = np.array(data["drift"]), np.array(data["drift_stddev"])

    def table(self, *names: str) -> dict[str, Array]:
        """`COLUMNS` of all dwells in their order, or some of them, shape (D,)."""
        chosen = [COLUMNS.index(name) for name in names] if names else slice(None)
        passes = [each.dwells[chosen] for each in self.passes.values()]
        whole = np.concatenate(passes, axis=1) if passes else np.empty((len(names or COLUMNS), 0))
        return dict(zip(names or COLUMNS, whole, strict=True))
