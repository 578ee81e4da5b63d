"""The result of a run in a few words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any

import numpy as np

from beamline.formatting import printable
from beamline.outputs.report.numbers import percent
from beamline.records.runs.compare import streams_of
from beamline.records.runs.journal_runs import JournalRuns
from beamline.records.runs.run import Run
from plans.commissioning.document import STREAM as FINDING
from reduction.documents.raw import AXES

Data = Mapping[str, Any]


def result_of(store: JournalRuns, run: Run, reduced: list[str]) -> dict[str, Any]:
    """The most significant transient of a reduced pass, or the finding of a run; empty without a result."""
    if (found := _last(store, run.uid, FINDING)) is not None:
        return _finding(found)
    for uid in reversed(reduced):
        for stream in ("spectrum", "trace"):
            if (data := _last(store, uid, stream)) is not None:
                return {"result": _transient(data)}
    return {}


def _last(store: JournalRuns, uid: str, stream: str) -> Data | None:
    events = streams_of(list(store.documents(uid))).get(stream)
    return events[-1] if events else None


def _transient(data: Data) -> str:
    """Value with error of the most significant point of slot 0, and its significance."""
    if "transient" not in data:
        return "spectrum without laser"
    value, stddev = (np.asarray(data[key], dtype=np.float64)[0] for key in ("transient", "transient_stddev"))
    with np.errstate(divide="ignore", invalid="ignore"):
        sigma = np.abs(value / stddev)
    if not np.isfinite(sigma).any():
        return "no transient"
    at = int(np.nanargmax(sigma))
    where = next((f" at {float(data[key][at]):.6g} {unit}" for key, unit in AXES.values() if key in data), "")
    return f"{percent(value[at], stddev[at])}{where}, {sigma[at]:.1f} sigma"


def _finding(data: Data) -> dict[str, Any]:
    unit = printable(data["finding_unit"])
    value, stddev = float(data["finding_value"]), float(data["finding_stddev"])
    further = json.loads(str(data["finding_numbers"]))
    verdict, outcome = printable(data["finding_verdict"]), printable(data["finding_outcome"])
    return {
        "result": f"{printable(data['finding_name'])} {_with_error(value, stddev)} {unit}, {verdict}, {outcome}",
        "finding": {
            "name": printable(data["finding_name"]),
            "value": f"{_with_error(value, stddev)} {unit}".strip(),
            "verdict": verdict,
            "outcome": outcome,
            "reason": printable(data["finding_reason"]),
            "numbers": [f"{printable(name)}: {_with_error(*pair)}" for name, pair in further.items()],
        },
    }


def _with_error(value: float, stddev: float) -> str:
    return f"{value:.6g}" + (f" ± {stddev:.2g}" if isfinite(stddev) else "")
