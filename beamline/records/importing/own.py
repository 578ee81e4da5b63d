"""Files that `trxas export` wrote: finished results, taken over as they are."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from beamline.records.importing.errors import ImportRefusedError
from beamline.records.importing.table import Table
from reduction.counting.phases import Pattern

TRANSIENT = re.compile(r"transient_slot(\d+)")
SPECTRA = ("on", "off", "transient")
STATIC = ("static", "normfluor")
"""Labels of the laser-off spectrum in CSV and XDI."""


def is_own(table: Table) -> bool:
    """Whether the columns are those of our CSV or XDI files."""
    return any(TRANSIENT.fullmatch(label) for label in table.columns)


def own_columns(table: Table) -> dict[str, Any]:
    """Normalised spectra or traces of every slot, with their errors, as a finished result without covariances."""
    slots = sorted(int(match[1]) for label in table.columns if (match := TRANSIENT.fullmatch(label)))
    data = {}
    for key in SPECTRA:
        for end in ("", "_stddev"):
            data[f"{key}{end}"] = np.stack([table.columns[f"{key}_slot{slot}{end}"] for slot in slots], axis=1)
    static = next((label for label in STATIC if label in table.columns), None)
    if static is not None:
        data["static"], data["static_stddev"] = (table.columns[f"{static}{end}"] for end in ("", "_stddev"))
    remark = "The file has no covariances: errors of neighbouring points count as independent."
    pattern = Pattern(1, max(len(slots), 1), 0, 1.0)
    return {"kind": "result", "data": data, "errors": "given", "what": "transients of all slots", "remarks": (remark,),
            "pattern": pattern}  # fmt: skip


def of_result(table: Table, axis: str) -> dict[str, Any]:
    """A finished result with all its arrays, and its slots.

    Raises
    ------
    ImportRefusedError
        If an array does not have the shape that belongs to it.
    """
    result = {key: value for key, value in table.result.items() if key not in table.columns}
    size = len(table.lines)
    shape = np.shape(result.get("transient", ()))
    if len(shape) != 2 or shape[1] != size:
        raise ImportRefusedError(f"its transient has shape {shape}, not slots and {size} points of the axis")
    header = table.about.get("header", {})
    delays = _floats(header.get("slot_delays_ps", ""))
    known = tuple(delays) if len(delays) == shape[0] else ()
    delay = _floats(header.get("pump_delay_ps", ""))
    return {
        "finished": result,
        "errors": "given",
        "what": "finished result",
        "pattern": Pattern(1, shape[0], 0, 1.0),
        "slot_delays": known,
        "pump_delay": delay[0] if delay else 0.0,
    }


def _floats(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        return []
