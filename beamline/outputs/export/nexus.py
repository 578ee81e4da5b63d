"""Results as NeXus/HDF5.

An energy scan is an NXentry by the NeXus application definition NXxas (NXDL version 3.1, as in `nexusformat`):
monochromator energy, incoming beam and absorbed beam as counted with the laser off. It also has the fields of the newer
proposal of the same name (``element``, ``edge``, ``energy``, ``intensity``, ``intensity_errors``), which does not
contradict it, and every reduced quantity in NXdata groups below the NXprocess group. A delay or fluence scan is an
NXentry with NXdata groups, as no definition covers it.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from beamline.formatting import as_json
from beamline.outputs.export.about import about, edge_energy, element_and_edge
from beamline.outputs.export.beamline_info import BeamlineInfo
from beamline.outputs.export.counted import Counted
from beamline.outputs.export.result import Result
from reduction.counting.kernels import OFF, ON
from reduction.documents.raw import AXES

if TYPE_CHECKING:
    import h5py

DEFINITION = "NXxas"
DEFINITION_URL = "https://manual.nexusformat.org/classes/applications/NXxas.html"
YIELD = "Fluorescence Yield"
ENTRY = "entry"
CLASS = "NX_class"


def write_nexus(path: Path, result: Result, beamline_info: BeamlineInfo) -> Path:
    """Write a result with errors, covariances, settings and raw uids.

    Raises
    ------
    ExportError
        If the element of the edge of an energy scan is unknown.
    """
    import h5py

    is_spectrum = "energy" in result.data
    element_edge = element_and_edge(result) if is_spectrum else None
    with h5py.File(path, "w") as file:
        file.attrs.update({"default": ENTRY, "creator": f"trxas {version('trxas')}"})
        entry = _group(file, ENTRY, "NXentry")
        header = about(result)
        entry["title"] = " ".join(header.get(key, "") for key in ("sample", "edge", "kind")).strip()
        for field, key in (("start_time", "began"), ("end_time", "ended")):
            if key in header:
                entry[field] = header[key]
        sample = _group(entry, "sample", "NXsample")
        sample["name"] = header.get("sample", "unnamed")
        if element_edge is not None:
            if result.counted is not None:
                _by_definition(entry, result, result.counted, beamline_info)
            _newer_fields(entry, result, *element_edge)
        process = _process(entry, result, header)
        _reduced(process, result)
    return path


def _group(parent: h5py.Group, name: str, kind: str) -> h5py.Group:
    group = parent.create_group(name)
    group.attrs[CLASS] = kind
    return group


def _field(group: h5py.Group, name: str, values: Any, units: str = "") -> h5py.Dataset:
    group[name] = values
    if units:
        group[name].attrs["units"] = units
    return group[name]


def _link(group: h5py.Group, name: str, target: h5py.Dataset) -> None:
    """A hard link, with the attribute that marks its target in NeXus."""
    target.attrs["target"] = target.name
    group[name] = target


def _by_definition(entry: h5py.Group, result: Result, counted: Counted, beamline_info: BeamlineInfo) -> None:
    """Raw data with the laser off, as NXxas requires."""
    entry["definition"] = DEFINITION
    entry["definition"].attrs["URL"] = DEFINITION_URL
    instrument = _group(entry, "instrument", "NXinstrument")
    source = _group(instrument, "source", "NXsource")
    source["type"] = "Synchrotron X-ray Source"
    source["name"] = "simulation" if result.simulated else beamline_info.facility
    source["probe"] = "x-ray"
    mono = _group(instrument, "monochromator", "NXmonochromator")
    _field(mono, "energy", np.asarray(result.data["energy"], dtype=np.float64), "keV")
    crystal = _group(mono, "crystal", "NXcrystal")
    crystal["type"] = beamline_info.crystal
    _field(crystal, "d_spacing", beamline_info.d_spacing, "angstrom")
    incoming = _group(instrument, "incoming_beam", "NXdetector")
    _field(incoming, "data", counted.i0[OFF], "counts")
    incoming["description"] = "ion chamber, not gated, dark included"
    absorbed = _group(instrument, "absorbed_beam", "NXdetector")
    _field(absorbed, "data", counted.hits[OFF], "counts")
    absorbed["description"] = "single-photon hits of the gated avalanche photodiode, all phases, laser off"
    _field(absorbed, "gates", counted.gates[OFF], "counts")
    _field(absorbed, "data_laser_on", counted.hits[ON], "counts")
    _field(absorbed, "gates_laser_on", counted.gates[ON], "counts")
    _field(incoming, "data_laser_on", counted.i0[ON], "counts")
    monitor = _group(entry, "monitor", "NXmonitor")
    monitor["mode"] = "timer"
    _field(monitor, "preset", counted.dwell, "s")
    _link(monitor, "data", incoming["data"])
    data = _group(entry, "data", "NXdata")
    data.attrs.update({"signal": "absorbed_beam", "axes": "energy"})
    _link(data, "energy", mono["energy"])
    _link(data, "absorbed_beam", absorbed["data"])
    data["mode"] = YIELD


def _newer_fields(entry: h5py.Group, result: Result, element: str, edge: str) -> None:
    """The processed laser-off spectrum, under the names of the newer proposal."""
    for name, value in (("element", element), ("edge", edge)):
        group = _group(entry, name, "NXcollection")
        group["name"] = value
    _field(group, "energy", edge_energy(result), "keV")
    _field(entry, "energy", np.asarray(result.data["energy"], dtype=np.float64), "keV")
    _field(entry, "intensity", np.asarray(result.data["static"]), "")
    _field(entry, "intensity_errors", np.asarray(result.data["static_stddev"]), "")


def _reduced(process: h5py.Group, result: Result) -> None:
    """An NXdata group for each slot, and a collection of the remaining data."""
    data = result.data
    axis, unit = AXES[result.axis]
    for slot in result.slots():
        name = f"slot{slot}"
        group = _group(process, name, "NXdata")
        group.attrs.update({"signal": "transient", "axes": axis, "auxiliary_signals": ["on", "off"]})
        group["title"] = (
            f"laser on - off, {result.slot_delays[slot]:.1f} ps after the pump" if axis == "energy" else name
        )
        _field(group, axis, np.asarray(data[axis], dtype=np.float64), unit)
        for key in ("transient", "on", "off"):
            _field(group, key, np.asarray(data[key])[slot])
            _field(group, f"{key}_errors", np.asarray(data[f"{key}_stddev"])[slot])
        _field(group, "transient_covariance", result.covariance(slot))
    if result.slots():
        process.parent.attrs["default"], process.attrs["default"] = "process", f"slot{result.slots()[0]}"
    _collection(process, "reduced", data)
    _detectors(process, result)
    if result.edge_step is not None:
        _collection(process, "edge_step", result.edge_step)
    if result.fit is not None:
        _collection(process, "kinetics", result.fit)


def _detectors(process: h5py.Group, result: Result) -> None:
    """A collection with the result of each of several detectors, shares of counters and their agreement."""
    found = result.detectors
    if not found.share and not found.analogue:
        return
    parent = _group(process, "detectors", "NXcollection")
    if found.text:
        parent["agreement"] = found.text
    for name, data in found.analogue.items():
        _collection(parent, name, data)
    for name, data in found.each.items():
        _collection(parent, name, {**data, "share_of_combination": found.share[name]})
    for quantity, (chi_square, freedom, p_value) in found.agreement.items():
        numbers = {"chi_square": chi_square, "degrees_of_freedom": freedom, "p_value": p_value}
        _collection(parent, f"agreement_{quantity.replace(' ', '_')}", numbers)


def _collection(parent: h5py.Group, name: str, values: Mapping[str, Any]) -> None:
    group = _group(parent, name, "NXcollection")
    for key, value in values.items():
        array = np.asarray(value)
        group[key] = str(value) if array.dtype.kind in "US" else array


def _process(entry: h5py.Group, result: Result, header: Mapping[str, str]) -> h5py.Group:
    process = _group(entry, "process", "NXprocess")
    process["program"] = "trxas"
    process["version"] = str((result.start.get("versions") or {}).get("trxas", version("trxas")))
    if "ended" in header:
        process["date"] = header["ended"]
    note = _group(process, "settings", "NXnote")
    note["type"] = "application/json"
    note["data"] = as_json(result.start.get("settings")) or "{}"
    story = _group(entry, "provenance", "NXcollection")
    for key, value in header.items():
        story[key] = value
    story["raw_run_uids"] = [str(raw["uid"]) for raw in result.raw]
    return process
