"""Finds runs by beamline, proposal, sample, edge, date, uid and note, page by page, the newest page first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from beamline.records.catalogue.wanted import MOST, Wanted
from beamline.records.runs.find import LAST
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

    A catalogue whose server can search is asked for this page alone; otherwise all runs are read.

    Parameters
    ----------
    store : RunStore
    wanted : Wanted
    newest : int
        Rows of a page.
    page : int
        1 has the newest ones.
    """
    if isinstance(store, CatalogueRuns):
        if (found := store.found(wanted, newest, page)) is not None:
            return RunPage(_rows(found[0]), found[0], None if found[1] else 0)
        if not wanted and page == 1:
            runs = store.runs(newest)
            rows = _rows(runs)
            return RunPage(rows[-newest:], runs, None if len(rows) > newest else 0)
    runs = store.runs()
    rows = list(_matching(_rows(runs), runs, wanted))
    last = max(0, len(rows) - (page - 1) * newest)
    return RunPage(rows[max(0, last - newest) : last], runs, max(0, last - newest))


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

    All runs of a store; of a catalogue whose server can search, those with these names and those related to them.
    """
    if not isinstance(store, CatalogueRuns) or (newest := store.found(Wanted(), 1)) is None:
        return store.runs()
    found = {run.uid: run for run in newest[0]}
    for name in names:
        if name.strip() not in ("", LAST):
            found |= {run.uid: run for run in _there(store, name.strip())}
    return with_related(store, list(found.values()))


def with_related(store: RunStore, runs: list[Run]) -> list[Run]:
    """These runs, the other passes of their scan sets, and the findings that they used; in order."""
    if not isinstance(store, CatalogueRuns):
        return runs
    found = {run.uid: run for run in runs}
    used = [run.start["findings"] for run in runs if isinstance(run.start.get("findings"), dict)]
    names = {run.scan_set for run in runs}.union(*(map(str, findings.values()) for findings in used))
    for name in sorted(filter(None, names - {*found})):
        found |= {run.uid: run for run in _there(store, name)}
    return in_order(list(found.values()))


def _there(store: CatalogueRuns, name: str) -> list[Run]:
    there = store.found(Wanted(uid=name), MOST)
    return there[0] if there is not None else []


def _rows(runs: Iterable[Run]) -> list[Run]:
    runs = list(runs)
    raw = {run.uid for run in runs if run.raw_uid is None}
    return [run for run in runs if run.raw_uid is None or run.raw_uid not in raw]


def _matching(rows: Iterable[Run], runs: Iterable[Run], wanted: Wanted) -> Iterator[Run]:
    reduced: dict[str, list[str]] = {}
    for run in runs:
        reduced.setdefault(run.raw_uid or run.uid, []).append(run.uid)
    return (run for run in rows if matches(run, wanted, reduced.get(run.uid, [])))


def matches(run: Run, wanted: Wanted, uids: Iterable[str]) -> bool:
    """Whether a run is wanted, as the server of a catalogue judges it; `uids` are its own and its reduced runs'."""
    entries = {**run.start, "beamline": run.start.get("beamline_name")}
    named = [*uids, run.uid, str(run.scan_set or "")]
    return (
        all(str(entries.get(key) or "").lower() == value.lower() for key, value in wanted.equal().items())
        and _has_words(str(run.start.get("sample") or ""), wanted.sample)
        and _has_words(" ".join(note.searched() for note in run.notes), wanted.note)
        and any(name.lower().startswith(wanted.uid.lower()) for name in named)
        and (wanted.since is None or run.time >= wanted.since)
        and (wanted.until is None or run.time < wanted.until)
    )


def _has_words(text: str, words: str) -> bool:
    return all(word in text.lower() for word in words.lower().split())
