"""Spectra in XDI 1.0, the text interchange format of X-ray absorption, which Athena and Larch read.

Format and names: XAS Data Interchange, specification and dictionary 1.0,
https://github.com/XraySpectroscopy/XAS-Data-Interchange
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from beamline.outputs.export.about import about, edge_energy, element_and_edge, pieces, require_energy_scan, utc
from beamline.outputs.export.beamline_info import BeamlineInfo
from beamline.outputs.export.result import Result
from reduction.counting.kernels import OFF

LONGEST = 1900
"""Most characters of a value; the specification limits lines to 2048."""
DETECTOR_I0 = (
    "ion chamber, not gated: counts less dark over amplifier gain, in the gates that opened, laser off, all passes"
)
DETECTOR_IF = "avalanche photodiode, gated counting of single photons (total fluorescence yield)"


def write_xdi(path: Path, result: Result, beamline_info: BeamlineInfo) -> Path:
    """Write the spectra of an energy scan with their errors, one row per energy (eV).

    Unused points are omitted. Columns in the dictionary: ``energy``, ``i0`` (counts less dark, laser off), ``mufluor``
    (photons per I0 count, laser off, mean of the slots), ``normfluor`` (the same divided by its edge integral); then
    laser on, laser off and their difference for each slot, each with its standard deviation; of several counters, these
    are of their combination, and the transients of each counter follow.

    Raises
    ------
    ExportError
        If the scan is not an energy scan, or the element of its edge is unknown.
    """
    require_energy_scan(result, "XDI")
    rows = result.rows("static", "static_stddev")
    columns = {name: values[rows] for name, values in _columns(result).items()}
    lines = [f"# XDI/1.0 trxas/{version('trxas')}", *_header(result, beamline_info, columns)]
    lines += _ours(result)
    if left_out := int((~rows).sum()):
        lines.append(f"# trxas.points_left_out: {left_out} of {rows.size}, without laser-on or laser-off dwells")
    lines += ["# ///", f"# {about(result)['kind']}"]
    lines += ["#" + "-" * 60, "# " + " ".join(columns)]
    table = np.column_stack(list(columns.values()))
    lines += [" ".join(f"{value:.10g}" for value in row) for row in table]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _columns(result: Result) -> dict[str, Any]:
    data = result.data
    slots = np.asarray(data["rate"]).shape[1]
    variance = np.asarray(data["rate_covariance"])[OFF].sum(axis=(0, 1)) / slots**2
    own = _as_counted(result, np.asarray(data["rate"])[OFF].mean(axis=0), np.sqrt(variance))
    columns: dict[str, Any] = {
        "energy": 1e3 * np.asarray(data["energy"]),
        **own,
        "normfluor": np.asarray(data["static"]),
        "normfluor_stddev": np.asarray(data["static_stddev"]),
    }
    for slot in result.slots():
        for key in ("on", "off", "transient"):
            columns[f"{key}_slot{slot}"] = np.asarray(data[key])[slot]
            columns[f"{key}_slot{slot}_stddev"] = np.asarray(data[f"{key}_stddev"])[slot]
    return columns | result.detectors.columns("transient") | result.normalised()


def _as_counted(result: Result, rate: Any, stddev: Any) -> dict[str, Any]:
    """I0 and the absorption per count of it; of an imported run the absorption alone, in the units of its file."""
    counted = result.counted
    if counted is None:
        return {"mufluor": rate, "mufluor_stddev": stddev}
    net = np.where(counted.net[OFF] > 0, counted.net[OFF], np.nan)  # a point that is missing has none
    per_count = counted.flux[OFF] / net  # rates are per count at unit gain
    return {"i0": counted.net[OFF], "mufluor": rate * per_count, "mufluor_stddev": stddev * per_count}


def _header(result: Result, beamline_info: BeamlineInfo, columns: Mapping[str, Any]) -> list[str]:
    element, edge = element_and_edge(result)
    header = about(result)
    entries = {
        "Element.symbol": element,
        "Element.edge": edge,
        **({} if result.imported else _station(result, beamline_info, header.get("beamline", ""))),
        "Sample.name": header.get("sample", ""),
        "Scan.start_time": header.get("began", ""),
        "Scan.end_time": utc(result.raw_stops[-1].get("time")),
        "Scan.edge_energy": f"{1e3 * edge_energy(result):.3f} eV",
    }
    of_rate = "as_imported" if result.imported else "photons/I0_count"
    units = {"energy": "eV", "i0": "counts", "mufluor": of_rate, "mufluor_stddev": of_rate}
    units |= dict.fromkeys(result.normalised(), "edge_steps")
    named = [f"# Column.{n}: {name} {units.get(name, 'edge_integrals')}" for n, name in enumerate(columns, start=1)]
    return [*named, *(f"# {key}: {value[:LONGEST]}" for key, value in entries.items() if value)]


def _station(result: Result, beamline_info: BeamlineInfo, name: str) -> dict[str, str]:
    """Beamline and detectors of a run of ours; nobody knows those of a file."""
    return {
        "Mono.name": beamline_info.crystal,
        "Mono.d_spacing": f"{beamline_info.d_spacing:.6g}",
        "Facility.name": "simulation" if result.simulated else beamline_info.facility,
        "Facility.xray_source": beamline_info.source,
        "Beamline.name": name,
        "Detector.i0": DETECTOR_I0,
        "Detector.if": DETECTOR_IF,
    }


def _ours(result: Result) -> list[str]:
    """Entries in our own namespace, as the specification allows; long values continue in ``key_2``, ``key_3`` ..."""
    there = ("beamline", "sample", "began", "ended")
    lines = []
    for key, value in about(result).items():
        for number, piece in enumerate(pieces(value, LONGEST) if key not in there else [], start=1):
            lines.append(f"# trxas.{key}{f'_{number}' if number > 1 else ''}: {piece}")
    return lines
