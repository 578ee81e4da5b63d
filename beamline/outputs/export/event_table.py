"""Events of any bluesky run as CSV tables, a file a stream, where there is nothing to reduce."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from beamline.formatting import as_json, printable
from beamline.outputs.export.about import utc
from beamline.outputs.export.errors import ExportError
from beamline.outputs.export.names import file_in, written_whole
from beamline.records.runs.run import Run
from beamline.records.runs.store import RunStore


def write_events(store: RunStore, run: Run, folder: Path) -> list[Path]:
    """Write the events of a run, a row each; arrays stand in their cells as JSON. Returns the files.

    Raises
    ------
    ExportError
        If the run has no events, or the folder cannot be written.
    """
    keys: dict[str, tuple[str, dict[str, Any]]] = {}
    rows: dict[str, dict[int, dict[str, Any]]] = {}  # an event that was retaken counts once
    for name, doc in store.documents(run.uid):
        if name == "descriptor":
            keys[doc["uid"]] = (str(doc["name"]), dict(doc["data_keys"]))
        elif name == "event" and doc["descriptor"] in keys:
            row = {"seq_num": doc["seq_num"], "time": doc["time"], **doc["data"]}
            rows.setdefault(keys[doc["descriptor"]][0], {})[doc["seq_num"]] = row
    if not rows:
        raise ExportError(f"run {run.uid[:8]} has no events: there is nothing to write")
    units = dict(keys.values())
    return [_write(store, run, folder, stream, list(events.values()), units[stream]) for stream, events in rows.items()]


def _write(
    store: RunStore, run: Run, folder: Path, stream: str, rows: list[dict[str, Any]], keys: Mapping[str, Any]
) -> Path:
    start = run.start
    about = {
        "uid": run.uid,
        "plan": start.get("plan_name", ""),
        "scan": start.get("scan_id", ""),
        "stream": stream,
        "began": utc(run.time),
        "ended": run.status,
        "mode": start.get("mode", ""),
        "damage": store.damage(run),
        "units": as_json({key: each["units"] for key, each in keys.items() if each.get("units")}),
        "start": as_json(start),
    }
    path = file_in(folder, str(start.get("plan_name", "run")), run.uid[:8], stream, suffix=".csv")
    with written_whole(path) as draft, draft.open("w", newline="", encoding="utf-8") as file:
        for key, value in about.items():
            if value not in ("", None):
                file.write(f"# {key}: {' '.join(printable(value).split())}\n")
        writer = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)))
        writer.writeheader()
        writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
    return path


def _cell(value: Any) -> Any:
    """A number or a text as it is, anything longer as JSON."""
    if isinstance(value, str):
        return printable(value)
    plain = np.asarray(value).tolist() if isinstance(value, np.ndarray | np.generic) else value
    return plain if isinstance(plain, int | float) else json.dumps(plain, default=str)
