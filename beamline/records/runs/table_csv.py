"""The table of all runs as a CSV file."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from beamline.formatting import as_json, printable, when
from beamline.records.logbook import CORRECTED
from beamline.records.runs.run import RAW_DAMAGE, Run, RunError
from beamline.records.runs.store import RunStore
from reduction.documents.raw import PRIMARY

FORMULA = ("=", "+", "-", "@")
"""Cells with these first characters are formulas in spreadsheets; texts from metadata are quoted."""


def write_run_table(path: Path, store: RunStore, runs: list[Run]) -> int:
    """Write one row per run, the earliest first; return the number of runs.

    Raises
    ------
    RunError
        If the file cannot be written.
    """
    rows = [_row(store, run) for run in runs]
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]) if rows else ["uid"])
            writer.writeheader()
            writer.writerows(rows)
    except OSError as error:
        raise RunError(f"{path} cannot be written ({error.strerror}); choose another --csv file") from error
    return len(rows)


def _row(store: RunStore, run: Run) -> dict[str, Any]:
    start, number = run.start, run.start.get("scan_index")
    raw = run.raw_uid is None
    return {
        "began": when(run.time),
        "kind": "raw" if raw else "reduced",
        "mode": _cell(start.get("mode")),
        "scan": _cell(start.get("scan_id")),
        "plan": _cell(start.get("plan_name")),
        "edge": _cell(start.get("edge")),
        "sample": _cell(start.get("sample")),
        "pump_delay_ps": _cell(start.get("pump_delay")),
        "pass": number + 1 if isinstance(number, int) else "",
        "passes": _cell(start.get("passes") if raw else len(start.get("accumulates", ())) + 1),
        "events": store.num_events(run).get(PRIMARY if raw else "points", 0),
        "reference": _cell(start.get("reference")),
        "settings_hash": _cell(start.get("settings_hash")),
        "settings": _json(start.get("settings")),
        "configuration_hash": _cell(start.get("configuration_hash")),
        "versions": _json(start.get("versions")),
        "ended": run.status,
        "reason": _cell((run.stop or {}).get("reason")),
        "damage": _cell(store.damage(run)),
        "raw_damage": _json(start.get(RAW_DAMAGE)),
        "corrected": _json(start.get(CORRECTED)),
        "notes": _cell(" | ".join(str(note) for note in run.notes)),
        "uid": run.uid,
        "scan_set": _cell(run.scan_set),
        "raw_uid": _cell(run.raw_uid),
    }


def _json(value: Any) -> str:
    """A mapping on one line, empty for none."""
    return printable(as_json(value) or "")


def _cell(value: Any) -> Any:
    """A number unchanged, a text without control characters, never a formula."""
    if value is None:
        return ""
    if isinstance(value, int | float):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(FORMULA) else text
