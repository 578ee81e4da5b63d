"""Finds runs by beamline, proposal, sample, edge, date, uid and note, page by page, the newest page first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from beamline.records.catalogue.wanted import MOST, Wanted
from beamline.records.runs.find import LAST
from beamline.records.runs.matching import listed_rows, matching, page_of
from beamline.records.runs.run import Run, in_order
from beamline.records.runs.store import CatalogueRuns, RunStore


@dataclass(frozen=True)
class RunPage:
    """A page of runs.

    Attributes
    ----------
    rows : list of Run
        Raw runs, and reduced ones whose raw run is missing, in the order in which they were measured.
    runs : list of Run
        These, and the reduced runs of the raw ones.
    earlier : int or None
        Rows before these; None if there are some, of unknown number.
    """

    rows: list[Run] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    earlier: int | None = 0


def search(store: RunStore, wanted: Wanted, newest: int, page: int = 1) -> RunPage:
    """A page of the runs that are wanted.

    A journal, and a catalogue whose server can search, are asked for this page alone; otherwise all runs are read.

    Parameters
    ----------
    store : RunStore
    wanted : Wanted
    newest : int
        Rows of a page.
    page : int
        1 has the newest ones.
    """
    if (found := store.found(wanted, newest, page)) is not None:
        return RunPage(listed_rows(found[0]), *found)
    if isinstance(store, CatalogueRuns) and not wanted and page == 1:
        runs = store.runs(newest)
        rows = listed_rows(runs)
        return RunPage(rows[-newest:], runs, None if len(rows) > newest else 0)
    runs = store.runs()
    rows = list(matching(listed_rows(runs), runs, wanted))
    first, last = page_of(rows, newest, page)
    return RunPage(rows[first:last], runs, first)


def search_all(store: RunStore, wanted: Wanted) -> list[Run]:
    """All runs that are wanted with their reduced runs, in the order in which they were measured."""
    found: list[Run] = []
    page = 1
    while True:
        one = search(store, wanted, MOST, page)
        uids = {run.uid for run in one.rows}
        found = [run for run in one.runs if run.uid in uids or run.raw_uid in uids] + found
        if one.earlier == 0:
            return found
        page += 1


def runs_named(store: RunStore, names: Iterable[str]) -> list[Run]:
    """Runs among which these names are looked up, see `beamline.records.runs.find.find`.

    Those with these names, those related to them and the newest one; all runs of a catalogue without a search.
    """
    if (newest := store.found(Wanted(), 1)) is None:
        return store.runs()
    given = [name.strip() for name in names]
    asked = store.named([name for name in given if name not in ("", LAST)])
    return with_related(store, [*newest[0], *asked])


def with_related(store: RunStore, runs: list[Run]) -> list[Run]:
    """These runs, the other passes of their scan sets, and the findings that they used; in order."""
    found = {run.uid: run for run in runs}
    used = [run.start["findings"] for run in runs if isinstance(run.start.get("findings"), dict)]
    names = {run.scan_set for run in runs}.union(*(map(str, findings.values()) for findings in used))
    found |= {run.uid: run for run in store.named(sorted(filter(None, names - {*found})))}
    return in_order(list(found.values()))
