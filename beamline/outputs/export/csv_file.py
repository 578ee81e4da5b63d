"""Spectra and traces as CSV files."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from beamline.formatting import as_json
from beamline.outputs.export.about import about
from beamline.outputs.export.result import Result
from reduction.documents.raw import AXES


def write_csv(path: Path, result: Result) -> Path:
    """Write a result with its errors, one row per point; header lines begin with ``#``.

    Of several counters the columns are those of their combination, then the transients of each.
    """
    of_each = result.detectors.columns("transient")
    if "energy" in result.data:
        columns = _spectrum_columns(result.data) | of_each | result.normalised()
        return _write(path, columns, {**about(result), "units": SPECTRUM_UNITS})
    axis, unit = AXES[result.axis]
    lines = {**about(result), "units": _trace_units(axis, unit, result.data)}
    if result.fit is not None:
        lines["fit"] = format_fit(result.fit)
    return _write(path, _trace_columns(axis, unit, result.data) | of_each, lines)


def format_fit(fit: Mapping[str, Any]) -> str:
    """Format lifetimes and fractions of a fit, or the reason that there is none."""
    if not fit["fitted"]:
        return f"none: {fit['notes']}"
    parts = [
        f"{lifetime:.4g} +- {stddev:.2g} ps ({100 * fraction:.0f} +- {100 * error:.0f} %)"
        if np.isfinite(lifetime)
        else f"offset ({100 * fraction:.0f} +- {100 * error:.0f} %)"
        for lifetime, stddev, fraction, error in zip(
            *(np.asarray(fit[key], dtype=np.float64) for key in ("lifetimes", "lifetimes_stddev")),
            *(np.asarray(fit[key], dtype=np.float64)[0] for key in ("fractions", "fractions_stddev")),
            strict=True,
        )
    ]
    chi = f"chi-square {float(fit['chi_square']):.1f} with {int(fit['freedom'])} degrees of freedom"
    return f"{', '.join(parts)}; response {float(fit['sigma']):.0f} ps; {chi}. {fit['notes']}"


SPECTRUM_UNITS = "spectra are divided by their edge integral; transient = laser on - laser off, same slot"


def write_spectrum_csv(path: Path, data: Mapping[str, Any], start: Mapping[str, Any]) -> Path:
    """Write static and transient spectra with their errors, one row per energy.

    Header lines begin with ``#``: edge, delay, settings and their hash, raw run, mode, units.
    """
    return _write(path, _spectrum_columns(data), _lines(start, SPECTRUM_UNITS))


def _spectrum_columns(data: Mapping[str, Any]) -> dict[str, Any]:
    columns: dict[str, Any] = {
        "energy_keV": data["energy"],
        "static": data["static"],
        "static_stddev": data["static_stddev"],
    }
    return columns | _by_slot(data)


def _trace_columns(axis: str, unit: str, data: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{axis}_{unit.replace('/', '_per_')}": data[axis], "used": data["used"]} | _by_slot(data)


def _by_slot(data: Mapping[str, Any]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    if not np.isfinite(data.get("transient", np.nan)).any():  # without the laser
        return columns
    for slot in range(np.asarray(data["transient"]).shape[0]):
        for key in ("on", "off", "transient"):
            columns[f"{key}_slot{slot}"] = np.asarray(data[key])[slot]
            columns[f"{key}_slot{slot}_stddev"] = np.asarray(data[f"{key}_stddev"])[slot]
    return columns


def _trace_units(axis: str, unit: str, data: Mapping[str, Any]) -> str:
    return f"{axis} in {unit}; procedure {data['procedure']}, reference {data['reference']}; {data['notes']}"


def _lines(start: Mapping[str, Any], units: str) -> dict[str, Any]:
    """Header entries from the start document of the reduced run alone."""
    return {
        "mode": start.get("mode"),
        "edge": start.get("edge"),
        "sample": start.get("sample"),
        "pump_delay_ps": start.get("pump_delay"),
        "raw_runs": ", ".join([*start.get("accumulates", ()), start["analysis_of"]]),
        "settings": as_json(start.get("settings")),
        "settings_hash": start.get("settings_hash"),
        "versions": as_json(start.get("versions")),
        "units": units,
    }


def _write(path: Path, columns: Mapping[str, Any], about: Mapping[str, Any]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        for key, value in about.items():
            file.write(f"# {key}: {' '.join(str(value).split())}\n")
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*(np.asarray(column).tolist() for column in columns.values()), strict=True))
    return path
