"""I0 and hits of a scan as counted, summed by point, for formats that require raw data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.counting.dwell import Dwell
from reduction.documents.events import dwell_of
from reduction.documents.frames import SweepDocuments, dwells_of_frames, frames_of
from reduction.documents.patterns import unbinned_pattern
from reduction.documents.raw import PRIMARY, RawRun, raw_run

Array = NDArray[np.float64]
Documents = Iterable[tuple[str, Mapping[str, Any]]]


@dataclass(frozen=True)
class Counted:
    """Sums over all good dwells; first axis laser off (0) and on (1), then points.

    Attributes
    ----------
    i0 : ndarray, shape (2, E)
        Counts of the ion chamber's scaler, dark included.
    net : ndarray, shape (2, E)
        I0 less dark, counts, for the opened gates.
    flux : ndarray, shape (2, E)
        I0 less dark at unit amplifier gain, for the opened gates: photons are the rate times this flux.
    hits, gates : ndarray of int, shape (2, E)
        Summed over all phases.
    seconds : ndarray, shape (2, E)
    dwell : float
        Nominal duration of a dwell, s; NaN if the start document lacks it.
    """

    i0: Array
    net: Array
    flux: Array
    hits: NDArray[np.int64]
    gates: NDArray[np.int64]
    seconds: Array
    dwell: float


def count_up(raw: Iterable[tuple[Mapping[str, Any], Iterable[tuple[str, Mapping[str, Any]]]]]) -> Counted:
    """Sum the dwells of raw runs over the same grid.

    Parameters
    ----------
    raw : iterable of (start document, documents)
    """
    total: Counted | None = None
    for start, documents in raw:
        run = raw_run(start)
        if total is None:
            shape = (2, run.grid.size)
            seconds = start.get("dwell")
            dwell = float(seconds) if isinstance(seconds, int | float) else float("nan")
            floats, integers = [np.zeros(shape) for _ in range(4)], [np.zeros(shape, np.int64) for _ in range(2)]
            total = Counted(floats[0], floats[1], floats[2], integers[0], integers[1], floats[3], dwell)
        for taken, data in _sweeps(run, documents) if run.frames else _dwells(run, documents):
            _add(total, taken, data)
    if total is None:
        raise ValueError("there is nothing to sum")
    return total


def _add(total: Counted, taken: Dwell, data: Mapping[str, Any]) -> None:
    """Add a dwell with its readings, unless it is rejected."""
    if taken.fault():
        return
    index = int(taken.laser_on), taken.point
    flux = taken.flux * taken.gates.sum()
    total.i0[index] += float(data["i0"])
    total.net[index] += flux * float(data["i0_gain"])
    total.flux[index] += flux
    total.seconds[index] += float(data["i0_time"])
    total.hits[index] += taken.hits.sum()
    total.gates[index] += taken.gates.sum()


def _dwells(run: RawRun, documents: Documents) -> Iterator[tuple[Dwell, Mapping[str, Any]]]:
    """Each dwell, with the data of its event; after a pause one may be repeated: the last one counts."""
    descriptors: dict[str, Any] = {}
    events: dict[int, Mapping[str, Any]] = {}
    for name, doc in documents:
        if name == "descriptor" and doc["name"] == PRIMARY:
            descriptors[doc["uid"]] = unbinned_pattern(doc, run)
        elif name == "event" and doc["descriptor"] in descriptors:
            events[doc["seq_num"]] = doc
    before = None
    for event in events.values():
        taken = dwell_of(event, run, descriptors[event["descriptor"]], before)
        before = taken.laser_phase
        yield taken, event["data"]


def _sweeps(run: RawRun, documents: Documents) -> Iterator[tuple[Dwell, Mapping[str, Any]]]:
    """Each frame of all sweeps, at the point of the grid that is nearest, with its readings."""
    joined, pattern = SweepDocuments(run), None
    for name, doc in documents:
        for what, found in joined.take(name, doc):
            if what == "descriptor":
                pattern = unbinned_pattern(found, run)
                continue
            assert pattern is not None  # its descriptor comes first
            (event, page), frame = found, float(found[0]["data"]["sweep_frame_time"])
            frames = frames_of(page, frame, run)
            nearest = np.abs((frames.begin + frames.end)[:, None] / 2 - run.grid).argmin(axis=1)
            for row, taken in enumerate(dwells_of_frames(frames, event, run, pattern, None)):
                readings = {**event["data"], "i0": frames.columns["frame_i0"][row], "i0_time": frame}
                yield replace(taken, point=int(nearest[row])), readings
