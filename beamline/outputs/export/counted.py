"""I0 and hits of a scan as counted, summed by point, for formats that require raw data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.documents.events import dwell_of
from reduction.documents.patterns import unbinned_pattern
from reduction.documents.raw import PRIMARY, raw_run

Array = NDArray[np.float64]


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
        descriptors: dict[str, Any] = {}
        events: dict[int, Mapping[str, Any]] = {}  # after a pause a dwell may be repeated: the last one counts
        for name, doc in documents:
            if name == "descriptor" and doc["name"] == PRIMARY:
                descriptors[doc["uid"]] = unbinned_pattern(doc, run)
            elif name == "event" and doc["descriptor"] in descriptors:
                events[doc["seq_num"]] = doc
        before = None
        for event in events.values():
            dwell_taken = dwell_of(event, run, descriptors[event["descriptor"]], before)
            before = dwell_taken.laser_phase
            if dwell_taken.fault():
                continue
            index = int(dwell_taken.laser_on), dwell_taken.point
            flux = dwell_taken.flux * dwell_taken.gates.sum()
            total.i0[index] += float(event["data"]["i0"])
            total.net[index] += flux * float(event["data"]["i0_gain"])
            total.flux[index] += flux
            total.seconds[index] += float(event["data"]["i0_time"])
            total.hits[index] += dwell_taken.hits.sum()
            total.gates[index] += dwell_taken.gates.sum()
    if total is None:
        raise ValueError("there is nothing to sum")
    return total
