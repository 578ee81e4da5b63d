"""Boxcars, diodes and foils on the axis `detector` of a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from reduction.counting.phases import Pattern
from reduction.documents.detectors import BOXCAR, COUNTER

if TYPE_CHECKING:
    import xarray as xr

KEV = {"units": "keV"}


def with_analogue(
    found: xr.Dataset, start: Mapping[str, Any], analogue: Mapping[str, Mapping[str, Any]], pattern: Pattern
) -> xr.Dataset:
    """A dataset of counters with the analogue detectors after them; NaN for what a detector does not measure.

    A boxcar has ``static`` and the ``transient`` of its slot; a diode ``static`` and ``transient_mean``, that of all
    slots together; a foil ``absorbance``, and the ``energy_shift`` of each ``pass``.

    Parameters
    ----------
    found : xarray.Dataset
    start : mapping
        Start document of the reduced run.
    analogue : mapping of str to mapping
        Data of their streams.
    pattern : Pattern
    """
    entries = start.get("detectors") or {}
    found = found.reindex(detector=[*found.detector.values.tolist(), *analogue])
    kinds = [entries.get(name, {}).get("kind", COUNTER) for name in found.detector.values.tolist()]
    found = found.assign_coords(kind=("detector", kinds))
    for name, data in analogue.items():
        for end in ("", "_stddev"):
            if "static" in found and "static" in data:
                _put(found, f"static{end}", name, data[f"static{end}"])
            if "transient" in data and data.get("procedure") != "paper":
                slot = _slot_of(entries[name], pattern)
                key = "transient_mean" if slot is None else "transient"
                _put(found, f"{key}{end}", name, data[f"transient{end}"], slot)
            if "absorbance" in data:
                _put(found, f"absorbance{end}", name, data[f"absorbance{end}"])
                _put(found, f"energy_shift{end}", name, data[f"shift{end}"], dims=("pass",), units=KEV)
    return found


def _slot_of(entry: Mapping[str, Any], pattern: Pattern) -> int | None:
    """Slot of a result that a boxcar sees; None for a detector that sees all of them."""
    if entry.get("kind") != BOXCAR:
        return None
    slot = int(entry.get("slot", 0))
    return pattern.bin_of_slot[slot] if pattern.bin_of_slot else slot


def _put(
    found: xr.Dataset,
    key: str,
    detector: str,
    values: Any,
    slot: int | None = None,
    dims: tuple[str, ...] = (),
    units: Any = None,
) -> None:
    """Values of one detector in a variable, which is made if it is not there."""
    array = np.asarray(values, dtype=np.float64)
    if key not in found:
        axes = dims or (next(name for name in ("energy", "laser_delay", "laser_fluence") if name in found.dims),)
        nothing = np.full((found.sizes["detector"], array.size), np.nan)
        found[key] = (("detector", *axes), nothing, units or {})
    at = {} if slot is None else {"slot": slot}
    found[key].loc[{"detector": detector, **at}] = array
