"""Spectra as CSV files that any program can open."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


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
    about = {
        "mode": start.get("mode"),
        "edge": start.get("edge"),
        "sample": start.get("sample"),
        "pump_delay_ps": start.get("pump_delay"),
        "raw_runs": ", ".join([*start.get("accumulates", ()), start["analysis_of"]]),
        "settings": start.get("settings"),
        "settings_hash": start.get("settings_hash"),
        "versions": start.get("versions"),
        "units": "spectra are divided by their edge integral; transient = laser on - laser off, same slot",
    }
    with path.open("w", newline="", encoding="utf-8") as file:
        for key, value in about.items():
            file.write(f"# {key}: {' '.join(str(value).split())}\n")
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*(np.asarray(column).tolist() for column in columns.values()), strict=True))
    return path
