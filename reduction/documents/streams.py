"""Streams of reduced runs; without the reduction itself, which takes a second to import, for all that only reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reduction.documents.raw import DELAY_AXIS, ENERGY_AXIS, FLUENCE_AXIS

DETECTORS_STREAM = "detectors"
"""Stream with the agreement of several counters, and the share of each in the result."""
SHOTS_STREAM = "shots"
"""Stream of the points computed from shots alone."""
RATE_UNITS = "photons per I0 count"
STREAM_OF_AXIS = {ENERGY_AXIS: "spectrum", DELAY_AXIS: "trace", FLUENCE_AXIS: "trace"}
"""Stream with the result of a whole grid."""
RESULT_STREAMS = frozenset(STREAM_OF_AXIS.values())


def stream_of(stream: str, detector: str = "") -> str:
    """Stream of one of several counters; without its name, of their combination or of the only one."""
    return f"{stream}_{detector}" if detector else stream


def has_result(stop: Mapping[str, Any] | None) -> bool:
    """Whether a reduced run has the result of a whole grid, by its stop document."""
    numbers = (stop or {}).get("num_events") or {}
    return any(numbers.get(stream) for stream in RESULT_STREAMS)
