"""Which runs are wanted, and which of them have a row of their own in a list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized

from beamline.records.catalogue.wanted import Wanted
from beamline.records.runs.run import Run


def listed_rows(runs: Iterable[Run]) -> list[Run]:
    """Raw runs, and reduced ones whose raw run is missing."""
    runs = list(runs)
    raw = {run.uid for run in runs if run.raw_uid is None}
    return [run for run in runs if run.raw_uid is None or run.raw_uid not in raw]


def matching(rows: Iterable[Run], runs: Iterable[Run], wanted: Wanted) -> Iterator[Run]:
    """The rows that are wanted; `runs` has their reduced runs."""
    reduced: dict[str, list[str]] = {}
    for run in runs:
        reduced.setdefault(run.raw_uid or run.uid, []).append(run.uid)
    return (run for run in rows if matches(run, wanted, reduced.get(run.uid, [])))


def page_of(rows: Sized, newest: int, page: int) -> tuple[int, int]:
    """First and last (exclusive) index of a page of so many rows, page 1 with the newest."""
    last = max(0, len(rows) - (page - 1) * newest)
    return max(0, last - newest), last


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
