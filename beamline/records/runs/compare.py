"""Comparison of two reduced runs: numbers to the bit, and apart from them the wording of notes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from reduction.documents.streams import RESULT_STREAMS

Document = Mapping[str, Any]
Streams = dict[str, list[Document]]

SENTENCES = frozenset({"notes", "sentences", "sentence", "fault", "seen"})
"""Data keys that hold sentences for the reader; versions may word them differently."""
NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?")


@dataclass(frozen=True)
class Agreement:
    """Agreement of a replay with a stored reduced run.

    Attributes
    ----------
    events : int
        Number of compared events.
    missing : int
        Number of events missing at the end of the stored run.
    differences : tuple of str
        Descriptions of all differences; empty if bit-identical.
    last_of_points : bool
        Whether only the last event of each point was compared, since dwells were retaken after a pause and one side has
        only the later ones.
    added : tuple of str
        Data keys of the replay that the stored run, reduced by an earlier version, lacks; they are no difference.
    reworded : tuple of str
        Notes that state the same numbers in other words; they are no difference.
    """

    events: int
    missing: int = 0
    differences: tuple[str, ...] = ()
    last_of_points: bool = False
    added: tuple[str, ...] = ()
    reworded: tuple[str, ...] = ()

    @property
    def exact(self) -> bool:
        return not self.differences and not self.missing

    @property
    def only_begins(self) -> bool:
        """Whether the stored run is only the beginning of the replay: interrupted, or its reducer failed."""
        return not self.differences and self.missing > 0

    def __str__(self) -> str:
        which = " (of dwells retaken after a pause, the last)" if self.last_of_points else ""
        since = [f"new since then: {', '.join(self.added)}"] if self.added else []
        if self.reworded:
            since.append(f"notes worded differently since then: {len(self.reworded)}")
        new = f" ({'; '.join(since)})" if since else ""
        if self.differences:
            return f"{len(self.differences)} of {self.events} events differ, the first: {self.differences[0]}{new}"
        if self.missing:
            return f"{self.events} events agree to the bit{which}, {self.missing} were missing at the end{new}"
        return f"all {self.events} events agree to the bit{which}{new}"


def compare(
    replayed: Iterable[tuple[str, Document]], stored: Iterable[tuple[str, Document]], without: Collection[str] = ()
) -> Agreement:
    """Compare the data of all events, stream by stream, in order, ignoring uids and times.

    Streams in `without` are omitted.
    """
    ours, theirs = streams_of(replayed), streams_of(stored)
    count, missing, last_only = 0, 0, False
    differences: list[str] = []
    reworded: list[str] = []
    added: set[str] = set()
    for name in sorted({*ours, *theirs} - set(without)):
        one, other = ours.get(name, []), theirs.get(name, [])
        if (
            name.partition("_")[0] == "points"
            and len(other) > len(one)
            and any(ours.get(stream) for stream in RESULT_STREAMS)
        ):
            one, other, last_only = last_of_each_point(one), last_of_each_point(other), True
        count += min(len(one), len(other))
        missing += max(0, len(one) - len(other))
        if len(other) > len(one):
            differences.append(f"{name} has {len(other)} events stored, {len(one)} replayed")
        for number, (mine, its) in enumerate(zip(one, other, strict=False), start=1):
            added |= mine.keys() - its.keys()
            keys = differing(mine, its)
            worded = [key for key in keys if key in SENTENCES and only_reworded(mine.get(key), its[key])]
            reworded += [f"{key} of event {number} in {name}" for key in worded]
            if keys := [key for key in keys if key not in worded]:
                differences.append(f"{', '.join(keys)} of event {number} in {name}")
    return Agreement(count, missing, tuple(differences), last_only, tuple(sorted(added)), tuple(reworded))


def streams_of(documents: Iterable[tuple[str, Document]]) -> Streams:
    """Event data of a run by stream; of a repeated sequence number, the last."""
    names: dict[str, str] = {}
    events: dict[str, dict[int, Document]] = {}
    for name, doc in documents:
        if name == "descriptor":
            names[doc["uid"]] = doc["name"]
        elif name == "event":
            events.setdefault(names[doc["descriptor"]], {})[doc["seq_num"]] = doc["data"]
    return {stream: list(numbered.values()) for stream, numbered in events.items()}


def last_of_each_point(events: list[Document]) -> list[Document]:
    """The last event of each point, in the order of the points."""
    last = {event["point_index"]: event for event in events}
    return [last[point] for point in sorted(last)]


def differing(one: Document, other: Document) -> list[str]:
    """Keys of the stored event, `other`, whose values are missing or not bit-identical; NaN equals NaN."""
    return sorted(key for key in other if key not in one or not same(one[key], other[key]))


def only_reworded(one: Any, other: Any) -> bool:
    """Whether two values are texts that state the same numbers in the same order; an empty text states nothing."""
    if not (isinstance(one, str) and isinstance(other, str) and one and other):
        return False
    return NUMBER.findall(one) == NUMBER.findall(other)


def same(one: Any, other: Any) -> bool:
    """Same type, shape and bits."""
    a, b = np.asarray(one), np.asarray(other)
    if a.dtype.kind != b.dtype.kind or a.shape != b.shape:
        return False
    if a.dtype.kind != "f":
        return bool(np.array_equal(a, b))
    if a.dtype != b.dtype or not np.array_equal(np.isnan(a), np.isnan(b)):
        return False
    return bool(np.where(np.isnan(a), 0.0, a).tobytes() == np.where(np.isnan(b), 0.0, b).tobytes())
