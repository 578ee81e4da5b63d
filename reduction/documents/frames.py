"""Frames of a sweep from an event page, checked by their numbers and time stamps, as dwells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.counting.dwell import Dwell
from reduction.counting.phases import Pattern
from reduction.counting.sweeps import half_widths
from reduction.documents.detectors import PAIRS
from reduction.documents.events import dwell_of
from reduction.documents.raw import FRAMES, PRIMARY, RawRun
from reduction.errors import DocumentError

Array = NDArray[np.float64]

FRAME_KEYS = {
    "frame_sweep": (), "frame_number": (), "frame_stamp": (), "frame_begin": (), "frame_end": (), "frame_i0": (),
    "frame_counts": ("P",), "frame_gates": ("P",),
}  # fmt: skip
"""Keys of a frame, with their shapes (P phases)."""
PAIRS_OF_FRAME = {name: f"frame_pair_{name}" for name in PAIRS}
"""Keys of the pair counters of a frame, of lag 1 and of shape (P,), by their names in `Pairs`; not every counter has
them."""
SWEEP_KEYS = ("sweep_number", "sweep_frame_time")
"""Further keys of the event of a sweep."""
LATE = 0.25
"""Frames by which a time stamp may be off: the encoder was latched with it."""


@dataclass(frozen=True)
class Frames:
    """The usable frames of one sweep; axis F, ascending in their numbers, from the first one on the grid.

    Attributes
    ----------
    columns : mapping
        Key of `FRAME_KEYS` and `PAIRS_OF_FRAME` to array.
    index : ndarray of int, shape (F,)
        Number of each frame, counted from the first one on the grid.
    complaint : str
        What was lost, doubled or late; empty if nothing was.
    """

    columns: Mapping[str, NDArray[Any]]
    index: NDArray[np.int64]
    complaint: str

    @property
    def begin(self) -> Array:
        return np.asarray(self.columns["frame_begin"], dtype=np.float64)

    @property
    def end(self) -> Array:
        return np.asarray(self.columns["frame_end"], dtype=np.float64)


def with_frames(sweeps: Mapping[str, Any], frames: Mapping[str, Any], run: RawRun) -> dict[str, Any]:
    """Descriptor of sweeps with the data keys of a counter, which their frames have."""
    detector, keys = run.counters[0], frames["data_keys"]
    counted = {detector.key("hits"): keys["frame_counts"], detector.key("gates"): keys["frame_gates"]}
    pairs = {
        key: keys[PAIRS_OF_FRAME[name]] for name, key in detector.pair_keys.items() if PAIRS_OF_FRAME[name] in keys
    }
    return {**sweeps, "data_keys": {**sweeps["data_keys"], **counted, **pairs}}


class SweepDocuments:
    """Joins the event of each sweep of a run with its frames, in whatever order a store has the streams.

    Parameters
    ----------
    run : RawRun
    """

    def __init__(self, run: RawRun) -> None:
        self._run = run
        self._descriptors: dict[str, Mapping[str, Any]] = {}
        self._begun = False
        self._events: dict[int, Mapping[str, Any]] = {}
        self._pages: dict[int, Mapping[str, Any]] = {}
        self._rows: dict[int, list[Mapping[str, Any]]] = {}

    def take(self, name: str, doc: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """Take a document; yields the joined descriptor once, and each sweep that is complete: its event and frames."""
        if name == "descriptor" and doc["name"] in (PRIMARY, FRAMES):
            self._descriptors[doc["name"]] = doc
        elif doc.get("descriptor") == self._uid(FRAMES):
            self._take_frames(name, doc)
        elif name == "event" and doc["descriptor"] == self._uid(PRIMARY):
            self._events[int(doc["data"]["sweep_number"])] = doc
        if not self._begun and len(self._descriptors) == 2:
            self._begun = True
            yield "descriptor", with_frames(self._descriptors[PRIMARY], self._descriptors[FRAMES], self._run)
        yield from self._complete() if self._begun else ()

    def _uid(self, stream: str) -> str:
        return str(self._descriptors.get(stream, {"uid": ""})["uid"])

    def _take_frames(self, name: str, doc: Mapping[str, Any]) -> None:
        if name == "event":
            self._rows.setdefault(int(doc["data"]["frame_sweep"]), []).append(doc)
        elif len(sweeps := doc["data"].get("frame_sweep", ())):
            self._pages[int(sweeps[0])] = doc["data"]

    def _complete(self) -> Iterator[tuple[str, Any]]:
        for number in sorted(self._events):
            rows, event = self._rows.get(number, []), self._events[number]
            if rows and len(rows) >= int(event["data"]["sweep_frames"]):
                self._pages[number] = {key: [row["data"][key] for row in rows] for key in rows[0]["data"]}
            if number in self._pages:
                yield "sweep", (self._events.pop(number), self._pages.pop(number))


def frames_of(page: Mapping[str, Any], frame: float, run: RawRun) -> Frames:
    """Check the frames of a sweep.

    Parameters
    ----------
    page : mapping
        Key of `FRAME_KEYS` to the values of all frames, in the order in which they came.
    frame : float
        Length of a frame, s.
    run : RawRun

    Raises
    ------
    DocumentError
        If a key is missing.
    """
    if missing := [key for key in FRAME_KEYS if key not in page]:
        raise DocumentError(f"frames of run {run.uid} lack {', '.join(missing)}")
    columns = {key: np.asarray(page[key]) for key in (*FRAME_KEYS, *PAIRS_OF_FRAME.values()) if key in page}
    numbers = columns["frame_number"].astype(np.int64)
    _, first = np.unique(numbers, return_index=True)
    doubled = numbers.size - first.size
    columns = {key: values[first] for key, values in columns.items()}
    numbers = columns["frame_number"].astype(np.int64)
    late = np.abs(columns["frame_stamp"] - (numbers + 1) * frame) > LATE * frame
    lost = int(numbers.max(initial=-1)) + 1 - numbers.size
    inside = _on_grid(columns["frame_begin"], columns["frame_end"], run.grid)
    good = inside & ~late
    start = int(numbers[good][0]) if good.any() else 0
    fits = good & (numbers - start < run.frames)
    complaint = _complaint(lost, doubled, int(late.sum()), numbers.size + lost)
    return Frames({key: values[fits] for key, values in columns.items()}, numbers[fits] - start, complaint)


def _on_grid(begin: Array, end: Array, grid: Array) -> NDArray[np.bool_]:
    """Frames in which the energy moves between the ends of a grid."""
    half = half_widths(grid)
    return np.asarray((end > begin) & (end > grid[0] - half[0]) & (begin < grid[-1] + half[-1]))


def _complaint(lost: int, doubled: int, late: int, number: int) -> str:
    named = {"lost": lost, "sent twice": doubled, "latched late and left out": late}
    found = [f"{count} {what}" for what, count in named.items() if count]
    return f"{', '.join(found)} of {number}" if found else ""


def dwells_of_frames(
    frames: Frames, event: Mapping[str, Any], run: RawRun, pattern: Pattern, before: int | None
) -> Iterator[Dwell]:
    """Each frame as a dwell, whose point is the number of the frame.

    Parameters
    ----------
    frames : Frames
    event : mapping
        Of the sweep.
    run : RawRun
    pattern : Pattern
    before : int, optional
        Laser phase of the preceding sweep.
    """
    data, detector = event["data"], run.counters[0]
    pairs = {name: key for name, key in detector.pair_keys.items() if PAIRS_OF_FRAME[name] in frames.columns}
    length = float(data["sweep_frame_time"])
    whole = float(frames.columns["frame_stamp"][-1]) if frames.index.size else 0.0
    ended = (float(event["time"]) - run.time) * run.clock_rate
    for row, index in enumerate(frames.index):
        of_frame = {key: values[row] for key, values in frames.columns.items()}
        merged = {
            **data,
            "point_index": int(index),
            "i0": float(of_frame["frame_i0"]),
            "i0_time": length,
            detector.key("hits"): of_frame["frame_counts"],
            detector.key("gates"): of_frame["frame_gates"],
            **{key: of_frame[PAIRS_OF_FRAME[name]][None] for name, key in pairs.items()},
        }
        dwell = dwell_of({**event, "data": merged}, run, pattern, before, detector=detector)
        at = ended - whole + float(of_frame["frame_stamp"]) - length / 2
        yield replace(dwell, off_point=0.0, time=at)
