"""Which runs are wanted, and which of them have a row of their own in a list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized

from beamline.records.catalogue.wanted import Wanted
from beamline.records.runs.run import Run

ENTRY_OF = {"beamline": "beamline_name"}
"""Entries of start documents that are asked for by another name."""


def listed_rows(runs: Iterable[Run]) -> list[Run]:
    """Raw runs, and reduced ones whose raw run is missing."""
    runs = list(runs)
    raw = {run.uid for run in runs if run.raw_uid is None}
    return [run for run in runs if run.raw_uid is None or run.raw_uid not in raw]


def matching(rows: Iterable[Run], runs: Iterable[Run], wanted: Wanted) -> Iterator[Run]:
    """The rows that are wanted; `runs` has their reduced runs."""
    if not wanted:
        return iter(rows)
    reduced = by_raw_run(runs) if wanted.uid else {}
    return (run for run in rows if matches(run, wanted, reduced.get(run.uid, [])))


def by_raw_run(runs: Iterable[Run]) -> dict[str, list[str]]:
    """Uids of each raw run and of its reduced runs, by that of the raw run."""
    found: dict[str, list[str]] = {}
    for run in runs:
        found.setdefault(run.raw_uid or run.uid, []).append(run.uid)
    return found


def is_named(run: Run, beginnings: tuple[str, ...], uids: Iterable[str]) -> bool:
    """Whether one of these lower-case texts begins the uid of a run, its scan set, or one of its own `uids`."""
    return any(name.lower().startswith(beginnings) for name in (*uids, run.uid, str(run.scan_set or "")))


def page_of(rows: Sized, newest: int, page: int) -> tuple[int, int]:
    """First and last (exclusive) index of a page of so many rows, page 1 with the newest."""
    last = max(0, len(rows) - (page - 1) * newest)
    return max(0, last - newest), last


def matches(run: Run, wanted: Wanted, uids: Iterable[str]) -> bool:
    """Whether a run is wanted, as the server of a catalogue judges it; `uids` are its own and its reduced runs'."""
    entries = run.start
    return (
        all(
            str(entries.get(ENTRY_OF.get(key, key)) or "").lower() == value.lower()
            for key, value in wanted.equal().items()
        )
        and (not wanted.sample or _has_words(str(entries.get("sample") or ""), wanted.sample))
        and (not wanted.note or _has_words(" ".join(note.searched() for note in run.notes), wanted.note))
        and (not wanted.uid or is_named(run, (wanted.uid.lower(),), uids))
        and (wanted.since is None or run.time >= wanted.since)
        and (wanted.until is None or run.time < wanted.until)
    )


def _has_words(text: str, words: str) -> bool:
    return all(word in text.lower() for word in words.lower().split())
