"""Unusable documents, and missing parts of a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeGuard

Document = Mapping[str, Any]
Intervals = list[tuple[int, int]]
"""Sequence numbers, as [first, after the last), in rising order and apart."""


def unfit(name: str, doc: Document) -> str:
    """Why a document is unusable, regardless of its data; empty if usable.

    Sequence numbers, names and times must have valid types: readers count, sort and look up by them.
    """
    needed = _NEEDED.get(name, {})
    for key, fits in {**needed, **_OPTIONAL.get(name, {})}.items():
        if key not in doc and key in needed:
            return f"it has no {key}"
        if key in doc and not fits(doc[key]):
            return f"its {key} is no {_WORDS[fits]}"
    return ""


def _text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _time(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


def _number(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _numbers(value: Any) -> bool:
    return isinstance(value, list) and all(map(_number, value))


def _counts(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_number, value.values()))


def _range(value: Any) -> bool:
    if not isinstance(value, Mapping):
        return False
    start, stop = value.get("start"), value.get("stop")
    return _number(start) and _number(stop) and bool(start <= stop)


Fits = Callable[[Any], bool]
_WORDS: dict[Fits, str] = {
    _text: "text",
    _time: "time",
    _mapping: "mapping",
    _number: "number",
    _numbers: "list of numbers",
    _counts: "mapping of numbers",
    _range: "range",
}
_NEEDED: dict[str, dict[str, Fits]] = {
    "start": {"uid": _text, "time": _time},
    "descriptor": {"uid": _text, "name": _text, "data_keys": _mapping},
    "event": {"descriptor": _text, "seq_num": _number, "time": _time, "data": _mapping},
    "event_page": {"descriptor": _text, "seq_num": _numbers, "data": _mapping},
    "stream_datum": {"descriptor": _text},
    "stop": {"run_start": _text},
    "note": {"uid": _text, "time": _time, "who": _text, "text": _text},
    "correction": {"uid": _text, "time": _time, "run": _text, "entries": _mapping},
}
_OPTIONAL: dict[str, dict[str, Fits]] = {
    "stop": {"num_events": _counts, "time": _time},
    "stream_datum": {"seq_nums": _range, "indices": _range},
}


def orphans_removed(documents: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Drop documents whose descriptor is missing."""
    known = {doc["uid"] for name, doc in documents if name == "descriptor"}
    return [
        (name, doc) for name, doc in documents
        if name not in ("event", "event_page", "stream_datum") or doc["descriptor"] in known
    ]  # fmt: skip


def sequence_numbers(documents: Iterable[tuple[str, Document]]) -> dict[str, Intervals]:
    """Sequence numbers by stream, of events, pages and rows of files; repeated ones once."""
    streams: dict[str, str] = {}
    found: dict[str, Intervals] = {}
    for name, doc in documents:
        if name == "descriptor":
            streams[doc["uid"]] = doc["name"]
            continue
        intervals = found.setdefault(streams.get(doc["descriptor"], "unknown"), []) if name in _COUNTED else []
        if name == "event":
            intervals.append((doc["seq_num"], doc["seq_num"] + 1))
        elif name == "event_page":
            intervals.extend((number, number + 1) for number in doc["seq_num"])
        elif name == "stream_datum" and "seq_nums" in doc:
            intervals.append((doc["seq_nums"]["start"], doc["seq_nums"]["stop"]))
    return {stream: _merged(intervals) for stream, intervals in found.items()}


_COUNTED = ("event", "event_page", "stream_datum")


def _merged(intervals: Intervals) -> Intervals:
    merged: Intervals = []
    for first, end in sorted(intervals):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif first < end:
            merged.append((first, end))
    return merged


def count_events(documents: Iterable[tuple[str, Document]]) -> dict[str, int]:
    """Number of events by stream, including rows of pages and of files; repeated sequence numbers count once."""
    return {name: _size(intervals) for name, intervals in sequence_numbers(documents).items()}


def _size(intervals: Intervals) -> int:
    return sum(end - first for first, end in intervals)


def lacking(documents: Sequence[tuple[str, Document]]) -> list[str]:
    """Describe what a run lacks: its start document, events by stream and number, descriptors."""
    kinds = [name for name, _ in documents]
    lacks = [] if "start" in kinds else ["its start document"]
    stop: Document = next((doc for name, doc in documents if name == "stop"), {})
    here = sequence_numbers(documents)
    if "unknown" in here:
        lacks.append(f"the descriptor of {_size(here.pop('unknown'))} events")
    announced = dict(stop.get("num_events", {}))
    for stream in sorted({*here, *announced}):
        intervals = here.get(stream, [])
        last = max(announced.get(stream, 0), intervals[-1][1] - 1 if intervals else 0)
        gaps = _gaps(intervals, last)
        if gaps:
            lacks.append(f"{_size(gaps)} of {last} events of {stream} (number {_format_intervals(gaps)})")
    return lacks


def _gaps(intervals: Intervals, last: int) -> Intervals:
    gaps, expected = [], 1
    for first, end in [*intervals, (last + 1, last + 1)]:
        if first > expected:
            gaps.append((expected, first))
        expected = max(expected, end)
    return gaps


def _format_intervals(intervals: Intervals) -> str:
    ranges = [f"{first}" if end == first + 1 else f"{first} to {end - 1}" for first, end in intervals]
    return ", ".join(ranges[:5]) + (f" and {len(ranges) - 5} more ranges" if len(ranges) > 5 else "")
