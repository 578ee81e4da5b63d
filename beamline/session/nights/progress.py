"""What of a night is measured, from the start documents of its runs: rows, and the exposure of places."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beamline.records.runs.journal_runs import JournalRuns
from beamline.records.runs.run import Run, seconds_of_event
from beamline.session.nights.rows import NightRow
from beamline.session.persistent.places import NamedPlace
from beamline.session.scans.bind import PLANS, WITHOUT_REDUCTION
from beamline.session.scans.resume import CompleteError, remaining
from plans.compilation.compiled_scan import CompiledScan

NIGHT, PLACE = "night", "place"
"""Entries of start documents: of which night and row, and where the sample was."""
COUNTED = ("primary", "monitor")
"""Streams whose events are dwells."""


def entry(night: str, key: str) -> dict[str, str]:
    """Entry `NIGHT` of a start document."""
    return {"name": night, "row": key}


@dataclass(frozen=True)
class NightProgress:
    """Raw runs of a journal, by the row that they belong to.

    Attributes
    ----------
    root : Path
    night : str
        Name of the night.
    runs : tuple of Run
        Raw runs of this night, and those at places that were saved, the earliest first.
    store : JournalRuns
        The journal, which looks for damage once.
    """

    root: Path
    night: str
    runs: tuple[Run, ...]
    store: JournalRuns

    @classmethod
    def of(cls, root: Path, night: str) -> NightProgress:
        """As the journal has it now."""
        store = JournalRuns(root)
        return cls(root, night, tuple(store.where(lambda run: run.raw_uid is None and _counts(run, night))), store)

    def runs_of(self, row: NightRow) -> list[Run]:
        """Runs of a row."""
        return [run for run in self.runs if run.start.get(NIGHT) == entry(self.night, row.key)]

    def begun(self, row: NightRow) -> str:
        """Uid by which the measurement of a row goes on; empty if it has not begun, or starts anew."""
        runs = self.runs_of(row)
        resumable = row.plan in PLANS and row.plan not in WITHOUT_REDUCTION
        return runs[-1].series if runs and resumable else ""

    def rest(self, row: NightRow, sample: str) -> CompiledScan | None:
        """What is left of a row that has begun; None if all of it is.

        Raises
        ------
        beamline.session.scans.resume.CompleteError
            If nothing is left.
        beamline.session.scans.resume.ResumeError
            If it cannot go on.
        """
        if uid := self.begun(row):
            return remaining(self.root, uid, row.sample or sample)
        runs = self.runs_of(row)
        if runs and runs[-1].status == "success":
            raise CompleteError(f"row {row.number} is done")
        return None

    def is_done(self, row: NightRow, sample: str) -> bool:
        """Whether nothing of a row is left; False also where it cannot go on, which its plan reports."""
        try:
            self.rest(row, sample)
        except CompleteError:
            return True
        except ValueError:
            return False
        return False

    def exposure(self, place: NamedPlace) -> float:
        """Beamline seconds of dwells at a place since it was saved."""
        there = (run for run in self.runs if _is_at(run.start.get(PLACE), place))
        return sum(self._exposure(run) for run in there)

    def _exposure(self, run: Run) -> float:
        events = self.store.num_events(run)
        return seconds_of_event(run.start) * sum(events.get(name, 0) for name in COUNTED)


def _counts(run: Run, night: str) -> bool:
    found = run.start.get(NIGHT)
    return run.start.get(PLACE) is not None or (isinstance(found, Mapping) and found.get("name") == night)


def _is_at(found: Any, place: NamedPlace) -> bool:
    return isinstance(found, Mapping) and (found.get("name"), found.get("saved")) == (place.name, place.saved.time)


def planned_exposure(start: Mapping[str, Any]) -> float:
    """Beamline seconds of dwells of a run, if none is retaken."""
    return seconds_of_event(start) * float(start.get("num_events", 0))


class NoPlaceError(RuntimeError):
    """Every place of a row has had its exposure; the message has how much each."""


def choose(
    places: Iterable[NamedPlace], exposure: float | None, wanted: float, taken: Mapping[str, float]
) -> NamedPlace:
    """The first place that still takes `wanted` seconds of exposure.

    Raises
    ------
    NoPlaceError
        If there is none.
    """
    listed = list(places)
    for place in listed:
        if exposure is None or taken[place.name] + wanted <= exposure:
            return place
    had = ", ".join(f"{place.name} has had {taken[place.name]:.0f} s" for place in listed)
    raise NoPlaceError(
        f"a pass of {wanted:.0f} s is too much for its places, {exposure:g} s each: {had}; save another place"
    )
