"""The counters of a scan set: an accumulator each, and their combination after each dwell and at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from reduction.counting.accumulate import CountingAccumulator
from reduction.counting.background import Background
from reduction.counting.dwell import Dwell
from reduction.counting.kernels import EMPTY
from reduction.counting.phases import Pattern
from reduction.counting.rows import PointRates, PointUpdate
from reduction.detectors.combine import combine
from reduction.detectors.live_point import combined_update
from reduction.diagnostics.exclusions import Exclusions
from reduction.documents.detectors import Detector
from reduction.documents.raw import RawRun
from reduction.errors import DocumentError, ReductionError
from reduction.settings import Settings


@dataclass(frozen=True)
class Combined:
    """Rates of a scan set: those that its result is made of, and those of each counter if there are several.

    Attributes
    ----------
    rates : PointRates
        Of the only counter, or of all that are not left out.
    each : dict of str to PointRates
        By name; empty if there is one counter.
    left_out : tuple of str
        Counters that are in `each` and not in `rates`.
    """

    rates: PointRates
    each: Mapping[str, PointRates]
    left_out: tuple[str, ...] = ()

    @property
    def compared(self) -> dict[str, PointRates]:
        """The counters of the combination that have a good dwell."""
        return {name: rates for name, rates in self.each.items() if name not in self.left_out and _counts(rates)}


def _counts(rates: PointRates) -> bool:
    """Whether any dwell counts."""
    return rates.rows is not None and bool((rates.rows.state != EMPTY).any())


class Counters:
    """Sums of the dwells of all counters of a scan set.

    Parameters
    ----------
    run : RawRun
        Its first pass.
    pattern : Pattern

    Raises
    ------
    DocumentError
        If settings of a counter are invalid.
    """

    def __init__(self, run: RawRun, pattern: Pattern) -> None:
        self._run = run
        self.by_name: dict[str, CountingAccumulator] = {}
        for detector in run.counters:
            settings = settings_of(run, detector)
            background = Background.of(settings, pattern)
            more = settings.after_effects, settings.bunch_noise, settings.pile_up
            sums = CountingAccumulator(pattern, run.frames or run.grid.size, settings.i0_noise, background, *more)
            self.by_name[detector.name] = sums

    @property
    def several(self) -> bool:
        return len(self.by_name) > 1

    @property
    def first(self) -> CountingAccumulator:
        """Sums of the first counter; all have the same passes and rows."""
        return next(iter(self.by_name.values()))

    def add(self, dwells: Mapping[str, Dwell]) -> dict[str, PointUpdate]:
        """Add one dwell of each counter, in the order of their names."""
        return {name: self.by_name[name].add(dwell) for name, dwell in dwells.items()}

    def together(self, updates: Mapping[str, PointUpdate], exclusions: Exclusions) -> PointUpdate:
        """The point after a dwell by all counters that are not left out, with equal weights: provisional."""
        first = next(iter(updates.values()))
        out = exclusions.detectors_out(self.first.pass_uids)
        used = {name: update for name, update in updates.items() if (self.first.pass_uids[-1], name) not in out}
        if len(used) < 2:
            return next(iter(used.values()), first)
        parts = [self.by_name[name].point_rows(first.point) for name in used]
        return combined_update(used, parts, self._run.settings.i0_noise)

    def dwells_at(self, point: int, name: str = "") -> tuple[int, int]:
        """Good dwells of a point, laser off and on, by one counter or by the first."""
        return (self.by_name[name] if name else self.first).dwells_at(point)

    def drop_incomplete_points(self, pass_uid: str, segments: int) -> dict[int, int]:
        """Drop the points of a pass at which the on/off pattern was cut off; dwells that had counted, by point."""
        found: dict[int, int] = {}
        for sums in self.by_name.values():
            for point, dwells in sums.drop_incomplete_points(pass_uid, segments).items():
                found[point] = max(dwells, found.get(point, 0))
        return found

    def result(self, exclusions: Exclusions) -> Combined:
        """Rates without the exclusions.

        Raises
        ------
        ReductionError
            If all counters are left out.
        """
        uids, rows, points = self.first.pass_uids, self.first.row_pass, self.first.num_points
        if not self.several:
            return Combined(self.first.result(exclusions.mask(uids, rows, points)), {})
        out = exclusions.detectors_out(uids)
        left_out = tuple(name for name in self.by_name if all((uid, name) in out for uid in uids))
        each = {  # one that is left out keeps its own result
            name: sums.result(exclusions.mask(uids, rows, points, "" if name in left_out else name))
            for name, sums in self.by_name.items()
        }
        used = {name: rates for name, rates in each.items() if name not in left_out}
        if not used:
            raise ReductionError(f"all detectors are left out ({', '.join(each)}): take one of them back")
        rates = combine(used, self._run.settings.i0_noise)
        notes = (f"Left out: {', '.join(left_out)}.",) if left_out else ()
        return Combined(replace(rates, notes=(*notes, *rates.notes)), each, left_out)


def settings_of(run: RawRun, detector: Detector) -> Settings:
    """Settings of a run for one of its detectors."""
    try:
        return detector.own_settings(run.settings)
    except (TypeError, ValueError) as error:
        raise DocumentError(f"detector {detector.name}: {error}") from error


def not_read(name: str, like: Dwell) -> Dwell:
    """The dwell of a counter that was not read, so that the rows of all counters are the same."""
    nothing = np.zeros_like(like.gates)
    return replace(like, quality=f"{name} was not read", hits=nothing, gates=nothing, pairs=None)
