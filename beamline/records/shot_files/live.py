"""Live reduction of blocks of shots in step with their points."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from beamline.records.shot_files.file import ROWS, ShotReader, path_of
from reduction.counting.accumulate import CountingAccumulator, PointUpdate
from reduction.counting.background import Background
from reduction.counting.dwell import Dwell
from reduction.counting.phases import Pattern
from reduction.documents.events import dwell_of
from reduction.documents.patterns import unbinned_pattern
from reduction.documents.raw import PRIMARY, RawRun, SummedPasses, is_reducible, raw_run
from reduction.documents.results import SHOT_UNITS, point_data, shot_data
from reduction.documents.streams import SHOTS_STREAM
from reduction.shots.sums import ShotCounts, ShotSums
from reduction.shots.warm_up import warm_up

HEIGHTS = ROWS[0]
THRESHOLD = "shot_threshold"
"""Start-document entry: threshold above which a height is a hit, ADC units."""
Beside = Callable[[str, dict[str, Any], Mapping[str, str]], None]


@dataclass(frozen=True)
class ShotUpdate:
    """A dwell whose shots have been reduced.

    Attributes
    ----------
    counts : ShotCounts
        Sums of its shots.
    dwell : Dwell
        The dwell computed from them.
    counted : Dwell
        The dwell as the photon counter reported it.
    point : PointUpdate
        The point after this dwell, from shots only.
    """

    counts: ShotCounts
    dwell: Dwell
    counted: Dwell
    point: PointUpdate

    def agrees(self) -> bool:
        """Whether hits and gates by phase equal those of the photon counter."""
        same_hits = np.array_equal(self.dwell.hits, self.counted.hits)
        return same_hits and np.array_equal(self.dwell.gates, self.counted.gates)


@dataclass
class _Run:
    """A raw run with shots, from its documents so far."""

    raw: RawRun
    threshold: int
    primary: str = ""
    pattern: Pattern | None = None
    counted: Dwell | None = None
    laser_phase: int | None = None
    blocks: range = range(0)
    resource: str = ""
    reported: bool = False
    reader: ShotReader | None = None


@dataclass
class _Sums(SummedPasses):
    points: CountingAccumulator


class LiveShots:
    """Reduces the shots of each dwell when its rows are referenced. A RunEngine subscriber, to be wrapped in a `Guard`.

    Parameters
    ----------
    threshold : int
        Default threshold above which a height is a hit, ADC units.
    listener : callable
        Called with each `ShotUpdate`.
    notify : callable
        Called with messages about missing shots.
    beside : callable, optional
        Called with stream, data and units of each event for the reduced run.
    """

    def __init__(
        self,
        threshold: int,
        listener: Callable[[ShotUpdate], None] = lambda _: None,
        notify: Callable[[str], None] = lambda _: None,
        beside: Beside | None = None,
    ) -> None:
        self._threshold = threshold
        self._listener = listener
        self._notify = notify
        self._beside = beside
        self._run: _Run | None = None
        self._sums: _Sums | None = None

    def warm_up(self) -> None:
        """Compile the kernels now instead of at the first block."""
        warm_up()

    def close(self) -> None:
        """Close the file."""
        if self._run is not None and self._run.reader is not None:
            self._run.reader.close()
        self._run = None

    def __call__(self, name: str, doc: Mapping[str, Any]) -> None:
        """Process one raw document.

        Raises
        ------
        reduction.shots.block.BlockError, reduction.documents.raw.DocumentError, OSError
            If a block or a document is invalid.
        """
        if name == "start":
            self.close()
            self._run = _Run(raw_run(doc), doc.get(THRESHOLD, self._threshold)) if is_reducible(doc) else None
        elif self._run is None:
            return
        elif name == "descriptor" and doc["name"] == PRIMARY:
            self._begin(self._run, doc)
        elif name == "event" and doc["descriptor"] == self._run.primary:
            self._take_event(self._run, doc)
        elif name == "stream_resource" and doc["parameters"].get("dataset") == f"/shots/{HEIGHTS}":
            self._run.resource, self._run.reader = doc["uid"], ShotReader(path_of(doc))
        elif name == "stream_datum" and doc["stream_resource"] == self._run.resource:
            self._reduce(self._run)
        elif name == "stop":
            self.close()

    def _begin(self, run: _Run, descriptor: Mapping[str, Any]) -> None:
        run.primary, run.pattern = descriptor["uid"], unbinned_pattern(descriptor, run.raw)
        if self._sums is None or not self._sums.continues(run.raw, run.pattern):
            settings = run.raw.digitised.own_settings(run.raw.settings)
            background = Background.of(settings, run.pattern)
            points = CountingAccumulator(
                run.pattern, run.raw.grid.size, settings.i0_noise, background=background, pile_up=settings.pile_up
            )
            self._sums = _Sums(run.raw, run.pattern, points)

    def _take_event(self, run: _Run, event: Mapping[str, Any]) -> None:
        """Store the counts of a dwell and the numbers of its blocks, until their rows are referenced."""
        run.counted = None
        if run.pattern is None or "num_blocks" not in event["data"]:
            return
        self._report_missing(run, event["data"])
        first, number = (int(event["data"][key]) for key in ("first_block", "num_blocks"))
        run.counted = dwell_of(event, run.raw, run.pattern, run.laser_phase, detector=run.raw.digitised)
        run.laser_phase, run.blocks = run.counted.laser_phase, range(first, first + number)

    def _report_missing(self, run: _Run, data: Mapping[str, Any]) -> None:
        if data["shots_dropped"]:
            self._notify(f"point {data['point_index']}: the digitiser dropped {data['shots_dropped']} shots")
        if not data["num_blocks"] and not run.reported:
            run.reported = True
            self._notify("the digitiser has stopped writing shots; the scan continues with the counter only")

    def _reduce(self, run: _Run) -> None:
        """Reduce the blocks of the last event, now that their rows are referenced."""
        if run.counted is None or run.reader is None or run.pattern is None or self._sums is None:
            return
        counted, run.counted = run.counted, None
        run.reader.require_phases(run.pattern.num_phases)
        sums = ShotSums(run.pattern.num_phases, run.threshold)
        for row in run.blocks:
            block = run.reader.block(
                row, with_monitor=False
            )  # its memory is released once the point has been published
            sums.add(block)
        counts = sums.result()
        dwell = replace(counted, hits=counts.hits, gates=counts.gates, pairs=counts.pairs)
        points = self._sums.points
        update = ShotUpdate(counts, dwell, counted, points.add(dwell))
        self._listener(update)
        if self._beside is None:
            return
        point_index = dwell.point
        data = point_data(update.point, run.raw.axis, run.raw.grid[point_index], points.dwells_at(point_index))
        self._beside(SHOTS_STREAM, {**data, **shot_data(counts, update.agrees())}, SHOT_UNITS)
