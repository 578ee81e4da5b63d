"""Header entries of every file: what was measured, settings, versions, raw runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from beamline.formatting import as_json, printable
from beamline.outputs.export.errors import ExportError
from beamline.outputs.export.result import Result
from beamline.records.logbook import CORRECTED, Note
from beamline.records.runs.run import RAW_DAMAGE
from plans.compilation.edges import find_edge

SIMULATED = "SIMULATED DATA: not a measurement"

ORIGIN = ("file", "sha256", "reader", "part", "signal", "errors", "began")
"""Entries of an imported run that every file names."""


def about(result: Result) -> dict[str, str]:
    """Header entries, without line breaks or control characters."""
    start, first, last = result.start, result.raw[0], result.raw_stops[-1]
    entries: dict[str, Any] = {
        "kind": _kind(result),
        "mode": start.get("mode", ""),
        **{f"imported_{key}": result.imported[key] for key in ORIGIN if result.imported.get(key)},
        "beamline": first.get("beamline_name", ""),
        "edge": start.get("edge", ""),
        **_tabulated(absorption_edge(start)),
        "edge_step": result.edge_step_text(),
        "sample": start.get("sample", ""),
        "pump_delay_ps": start.get("pump_delay", ""),
        "slot_delays_ps": ", ".join(f"{delay:.1f}" for delay in result.slot_delays),
        "probe_energy_keV": start.get("probe_energy", ""),
        "began": utc(first.get("time")),
        "ended": utc(last.get("time")),
        "scan_set": start.get("scan_set", ""),
        "scan_numbers": ", ".join(str(raw["scan_id"]) for raw in result.raw if "scan_id" in raw),
        "passes": len(result.raw),
        "reduced_run": start["uid"],
        "raw_runs": ", ".join(str(raw["uid"]) for raw in result.raw),
        "reference": str(result.data.get("reference", start.get("reference", ""))),
        "detectors": result.detectors.text,
        "notes": str(result.data.get("notes", "")),
        "corrected": as_json(start.get(CORRECTED)),
        "logbook": " | ".join(_line(note) for note in result.notes),
        "damage": result.damage,
        "raw_damage": as_json(start.get(RAW_DAMAGE)),
        "settings": as_json(start.get("settings")),
        "settings_hash": start.get("settings_hash", ""),
        "configuration_hash": ", ".join(
            dict.fromkeys(str(raw["configuration_hash"]) for raw in result.raw if "configuration_hash" in raw)
        ),
        "versions": as_json(start.get("versions")),
        "raw_versions": as_json(first.get("versions")),
    }
    lines = {key: " ".join(printable(value).split()) for key, value in entries.items() if value is not None}
    return {key: value for key, value in lines.items() if value}


def _line(note: Note) -> str:
    return f"{utc(note.time)} {note.who}, run {note.run[:8]} dwell {note.dwell}: {note.tagged_text()}"


def _kind(result: Result) -> str:
    measured = "imported data" if result.imported else "measured data"
    return SIMULATED if result.simulated else measured


def _tabulated(edge: Mapping[str, Any]) -> dict[str, Any]:
    """Header entries of an edge."""
    named = {"element": "element", "shell": "shell", "e0": "tabulated_e0_keV", "core_hole_width": "core_hole_width_eV"}
    return {title: edge[key] for key, title in named.items() if key in edge}


def about_all(results: Sequence[Result]) -> dict[str, str]:
    """Header entries of several results; where they differ, all values."""
    entries = [about(result) for result in results]
    keys = dict.fromkeys(key for each in entries for key in each)
    return {key: " | ".join(dict.fromkeys(each[key] for each in entries if key in each)) for key in keys}


def utc(seconds: Any) -> str:
    """ISO 8601 in UTC to the second; `seconds` since 1970."""
    if not isinstance(seconds, int | float):
        return ""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def element_and_edge(result: Result) -> tuple[str, str]:
    """Symbols of element and edge, for example ``Br``, ``K``.

    Raises
    ------
    ExportError
        If the name of the edge has another form.
    """
    edge = absorption_edge(result.start)
    if not {"element", "shell"} <= set(edge):
        raise ExportError(
            f"this format needs element and edge, but the edge of this scan is called {result.start.get('edge')!r}, not"
            " like Fe_K; write CSV instead (--format csv)"
        )
    return str(edge["element"]), str(edge["shell"])


def absorption_edge(start: Mapping[str, Any]) -> Mapping[str, Any]:
    """Entry ``absorption_edge`` of a start document; of an earlier version, that of the edge of the same name.

    Empty if there is none.
    """
    if "absorption_edge" in start:
        return dict(start["absorption_edge"])
    try:
        return find_edge(start.get("edge", "")).document()
    except ValueError:
        return {}


def edge_energy(result: Result) -> float:
    """Energy (keV) at which the laser-off spectrum has risen to half of its maximum.

    Stated in the files, so that no program has to guess it: an automatic E0 can be 5 eV off.
    """
    rows = result.rows("static")
    energy, static = np.asarray(result.data["energy"])[rows], np.asarray(result.data["static"])[rows]
    top = int(np.argmax(static))
    half = static[top] / 2
    below = np.flatnonzero(static[:top] < half)
    if not below.size:
        return float(energy[top])
    i = int(below[-1])
    return float(energy[i] + (half - static[i]) / (static[i + 1] - static[i]) * (energy[i + 1] - energy[i]))


def require_energy_scan(result: Result, what: str) -> None:
    """Refuse results that are not energy scans.

    Raises
    ------
    ExportError
    """
    if "energy" not in result.data:
        raise ExportError(
            f"{what} holds spectra, and run {result.start['uid'][:8]} is a scan of {result.axis}; write csv, nexus,"
            " png or pdf instead"
        )


def pieces(text: str, longest: int) -> list[str]:
    """Split a text into pieces of limited length, none of which begins or ends with a space.

    Header lines have a limited length, and readers strip them; the joined pieces are the original text.
    """
    found = []
    while len(text) > longest:
        end = longest
        while end > 1 and (text[end - 1].isspace() or text[end].isspace()):
            end -= 1
        found.append(text[:end])
        text = text[end:]
    return [*found, text]
