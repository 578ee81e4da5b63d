"""What a night would do: which rows are left, where, and how long each takes. Touches nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from beamline.session.commissioning.beam_time import expected
from beamline.session.nights.progress import NightProgress, NoPlaceError, choose, planned_exposure
from beamline.session.nights.rows import NightRow, Plans
from beamline.session.persistent.places import Saved, find_place
from beamline.session.scans.resume import CompleteError, ResumeError
from plans.compilation.compiled_scan import CompiledScan
from plans.compilation.estimate import Duration, pass_durations, return_duration
from plans.compilation.positions import Position
from plans.protocols import MoveTimes


@dataclass(frozen=True)
class RowForecast:
    """One row.

    Attributes
    ----------
    row : NightRow
    state : str
        ``done``, ``begun``, ``to do``, or why it is refused.
    seconds : float
        Beamline seconds of what is left.
    passes : int
        Runs that are left.
    places : tuple of str
        Where they are made, in order.
    stops_early : bool
        Whether a target may end it before.
    refused : bool
    """

    row: NightRow
    state: str
    seconds: float = 0.0
    passes: int = 0
    places: tuple[str, ...] = ()
    stops_early: bool = False
    refused: bool = False


@dataclass
class Forecaster:
    """Goes through the rows of a night in their order.

    Parameters
    ----------
    progress : NightProgress
    sample : str
        The present one.
    saved : mapping
        Places.
    times : MoveTimes
    clock_rate : float
        Beamline seconds per wall second.
    """

    progress: NightProgress
    sample: str
    saved: Saved
    times: MoveTimes
    clock_rate: float
    _taken: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    _at: Position | None = None

    def of(self, row: NightRow, plans: Plans) -> RowForecast:
        """The forecast of the next row."""
        self.sample = row.sample or self.sample
        try:
            rest = self.progress.rest(row, self.sample)
            state = "to do" if rest is None else "begun"
            compiled = rest or self._compiled(row, plans)
            places = self._places(row, compiled)
        except CompleteError:
            return RowForecast(row, "done")
        except (ResumeError, NoPlaceError) as error:
            return RowForecast(row, str(error), refused=True)
        if compiled is None:
            seconds = expected(plans[row.plan], row.arguments) or Duration()
            return RowForecast(row, state, seconds.total, 1, places)
        return RowForecast(row, state, self._seconds(compiled), len(compiled.passes), places, compiled.stops_early)

    def _compiled(self, row: NightRow, plans: Plans) -> CompiledScan | None:
        compiled = getattr(plans[row.plan], "compile", None)
        return compiled(**row.arguments) if compiled is not None else None

    def _seconds(self, compiled: CompiledScan) -> float:
        durations = pass_durations(compiled, self.times, self.clock_rate, self._at)
        back = return_duration(compiled, self.times, self.clock_rate, self._at)
        self._at = compiled.passes[-1].positions[-1]
        return sum(durations, back).total

    def _places(self, row: NightRow, compiled: CompiledScan | None) -> tuple[str, ...]:
        """Places of the runs of a row, whose exposure is added to theirs."""
        places = [find_place(self.saved, name) for name in row.places]
        if not places:
            return ()
        for place in places:
            self._taken.setdefault(place.name, self.progress.exposure(place))
        starts: Iterable[Mapping[str, Any]] = [one.start for one in compiled.passes] if compiled is not None else [{}]
        chosen = [self._choose(places, row, planned_exposure(start)) for start in starts]
        return tuple(dict.fromkeys(chosen))

    def _choose(self, places: list[Any], row: NightRow, wanted: float) -> str:
        name = choose(places, row.exposure, wanted, self._taken).name
        self._taken[name] += wanted
        return name
