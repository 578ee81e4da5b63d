"""Spectra and traces as CSV files that any program can open."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from reduction.documents import AXES


def write_spectrum_csv(path: Path, data: Mapping[str, Any], start: Mapping[str, Any]) -> Path:
    """Write static and transient spectra with their errors, a row an energy.

    Lines that begin with ``#`` say what it is: edge, delay, settings and their hash, raw run, mode, units.
    """
    slots = range(np.asarray(data["transient"]).shape[0])
    columns: dict[str, Any] = {
        "energy_keV": data["energy"],
        "static": data["static"],
        "static_stddev": data["static_stddev"],
    }
    for slot in slots:
        for key in ("on", "off", "transient"):
            columns[f"{key}_slot{slot}"] = np.asarray(data[key])[slot]
            columns[f"{key}_slot{slot}_stddev"] = np.asarray(data[f"{key}_stddev"])[slot]
    units = "spectra are divided by their edge integral; transient = laser on - laser off, same slot"
    return _write(path, columns, start, units)


def write_trace_csv(path: Path, data: Mapping[str, Any], start: Mapping[str, Any]) -> Path:
    """Write a delay or fluence trace with its errors, a row a point; the lines above say what it is."""
    axis, unit = AXES[start["scan_axis"]]
    columns: dict[str, Any] = {f"{axis}_{unit.replace('/', '_per_')}": data[axis], "used": data["used"]}
    for slot in range(np.asarray(data["transient"]).shape[0]):
        for key in ("on", "off", "transient"):
            columns[f"{key}_slot{slot}"] = np.asarray(data[key])[slot]
            columns[f"{key}_slot{slot}_stddev"] = np.asarray(data[f"{key}_stddev"])[slot]
    units = f"{axis} in {unit}; procedure {data['procedure']}, reference {data['reference']}; {data['notes']}"
    return _write(path, columns, start, units)


def _write(path: Path, columns: Mapping[str, Any], start: Mapping[str, Any], units: str) -> Path:
    about = {
        "mode": start.get("mode"),
        "edge": start.get("edge"),
        "sample": start.get("sample"),
        "pump_delay_ps": start.get("pump_delay"),
        **({"probe_energy_keV": start["probe_energy"]} if "probe_energy" in start else {}),
        "raw_runs": ", ".join([*start.get("accumulates", ()), start["analysis_of"]]),
        "settings": start.get("settings"),
        "settings_hash": start.get("settings_hash"),
        "versions": start.get("versions"),
        "units": units,
    }
    with path.open("w", newline="", encoding="utf-8") as file:
        for key, value in about.items():
            file.write(f"# {key}: {' '.join(str(value).split())}\n")
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*(np.asarray(column).tolist() for column in columns.values()), strict=True))
    return path
