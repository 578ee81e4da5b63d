"""Settings and readings of the whole beamline in two runs, and where they differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from beamline.records.runs.run import Run
from beamline.records.runs.store import RunStore

OF_EACH_RUN = frozenset(
    {"uid", "time", "scan_id", "scan_set", "series", "scan_index", "estimated_time", "resumes", "pv_map", "notes"}
)
"""Entries of start documents that differ anyway."""
BASELINE = "baseline"
LONGEST = 60
"""Characters of a value that are shown."""


def beamline_settings(store: RunStore, run: Run) -> dict[str, Any]:
    """Entries of the start document, configuration of the devices, and readings at the start of the run, by name."""
    found = dict(_flat({key: value for key, value in run.start.items() if key not in OF_EACH_RUN}, ""))
    streams: dict[str, str] = {}
    for name, doc in store.documents(run.uid):
        if name == "descriptor":
            streams[doc["uid"]] = doc["name"]
            for device in doc.get("configuration", {}).values():
                found |= device.get("data", {})
        elif name == "event" and streams.get(doc["descriptor"]) == BASELINE:
            return {**found, **doc["data"]}
    return found


def differences(one: Mapping[str, Any], other: Mapping[str, Any], tolerance: float) -> list[tuple[str, str, str]]:
    """Name and both values of all that differ; numbers by more than this fraction.

    What only one run has is shown as ``-`` for the other.
    """
    names = sorted({*one, *other})
    return [
        (name, _text(one, name), _text(other, name))
        for name in names
        if name not in one or name not in other or not _same(one[name], other[name], tolerance)
    ]


def _flat(entries: Mapping[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    for key, value in entries.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _same(one: Any, other: Any, tolerance: float) -> bool:
    first, second = np.asarray(one), np.asarray(other)
    if first.dtype.kind not in "biuf" or second.dtype.kind not in "biuf":
        return bool(np.array_equal(first, second))
    if first.shape != second.shape:
        return False
    return bool(np.allclose(first, second, rtol=tolerance, atol=0.0, equal_nan=True))


def _text(settings: Mapping[str, Any], name: str) -> str:
    if name not in settings:
        return "-"
    value = settings[name]
    text = f"{value:.7g}" if isinstance(value, float) else " ".join(str(value).split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
