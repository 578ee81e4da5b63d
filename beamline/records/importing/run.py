"""Writes what was measured as a run into the journal; the only place that does."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import event_model
import numpy as np

from beamline.records.importing.choices import Choices
from beamline.records.importing.content import Content
from beamline.records.importing.edge import Windows, no_edge, windows_of
from beamline.records.importing.errors import ImportRefusedError
from beamline.records.importing.measured import Measured
from beamline.records.importing.table import Table
from beamline.records.provenance import versions
from reduction.counting.phases import Pattern
from reduction.documents.raw import AXES, ENERGY_AXIS, IMPORTED, PRIMARY
from reduction.live.imported import FINISHED
from reduction.settings import Settings

Publish = Callable[[str, Any], None]
PLAN = "import"
LONGEST_NAME = 200
"""Characters of a file's name or title that are kept."""


@dataclass(frozen=True)
class Source:
    """Where a run comes from: file, reader, table and the choices of the user."""

    content: Content
    reader: str
    table: Table
    choices: Choices

    def entry(self, found: Measured, remarks: tuple[str, ...]) -> dict[str, Any]:
        """Entry ``imported`` of the start document."""
        return {
            "file": self.content.name[:LONGEST_NAME],
            "sha256": self.content.sha256,
            "reader": self.reader,
            "part": self.table.part,
            "kind": found.kind,
            "signal": found.what,
            "errors": found.errors,
            "began": str(self.table.about.get("began", ""))[:LONGEST_NAME],
            "title": str(self.table.about.get("title", ""))[:LONGEST_NAME],
            "choices": {key: value for key, value in vars(self.choices).items() if value},
            "remarks": [*found.remarks, *remarks],
            "slot_delays": list(found.slot_delays),
        }


def write_run(publish: Publish, source: Source, found: Measured) -> str:
    """Publish the documents of a run; returns its uid.

    Parameters
    ----------
    publish : callable
        Called with (name, document): the journal.
    source : Source
    found : Measured

    Raises
    ------
    ImportRefusedError
        If the spectrum has no edge that is known, before anything is published.
    """
    start, stream = _start(source, found), _columns(source.table, found)
    bundle = event_model.compose_run(metadata=start, validate=False)
    publish("start", bundle.start_doc)
    keys = {key: _data_key(values[0], _unit(key, found)) for key, values in stream.items()}
    descriptor = bundle.compose_descriptor(
        name=PRIMARY, data_keys=keys, configuration=_configuration(found), validate=False
    )
    publish("descriptor", descriptor.descriptor_doc)
    for row in range(len(found.grid)):
        data = {key: _plain(values[row]) for key, values in stream.items()}
        publish("event", descriptor.compose_event(data=data, timestamps=dict.fromkeys(data, 0.0), validate=False))
    if found.finished:
        _publish_finished(publish, bundle, found.finished)
    publish("stop", bundle.compose_stop(exit_status="success", reason="", validate=False))
    return str(bundle.start_doc["uid"])


def _publish_finished(publish: Publish, bundle: Any, arrays: Mapping[str, Any]) -> None:
    """One event with the arrays of a finished result."""
    keys = {key: _data_key(value, "") for key, value in arrays.items()}
    descriptor = bundle.compose_descriptor(name=FINISHED, data_keys=keys, validate=False)
    publish("descriptor", descriptor.descriptor_doc)
    stamps = dict.fromkeys(arrays, 0.0)
    publish("event", descriptor.compose_event(data=dict(arrays), timestamps=stamps, validate=False))


def _start(source: Source, found: Measured) -> dict[str, Any]:
    table, choices = source.table, source.choices
    start: dict[str, Any] = {
        "plan_name": PLAN,
        "mode": "sim" if table.about.get("mode") == "sim" else "imported",
        "sample": (choices.sample or str(table.about.get("sample") or source.content.name))[:LONGEST_NAME],
        "num_points": len(found.grid),
        "versions": versions(),
    }
    if found.kind == "table":
        return start | {IMPORTED: source.entry(found, ())}
    windows = _windows(source, found)
    settings = _settings(table, windows, found)
    edge = {} if windows.edge is None else {"absorption_edge": windows.edge.document()}
    return start | edge | {
        "edge": windows.name,
        "scan_axis": found.axis,
        "scan_set": str(uuid.uuid4()),
        "scan_index": 0,
        "passes": 1,
        "grid": found.grid.tolist(),
        "pattern": [1],
        "pump_delay": found.pump_delay,
        "settings": settings.to_mapping(),
        "reference": settings.reference,
        IMPORTED: source.entry(found, windows.remarks),
    }  # fmt: skip


def _windows(source: Source, found: Measured) -> Windows:
    if found.axis != ENERGY_AXIS:
        return no_edge(source.choices, source.table)
    return windows_of(found.grid, _signal(found), source.table, source.choices)


def _signal(found: Measured) -> Any:
    """A curve that shows the edge."""
    if found.finished:
        return np.nan_to_num(np.asarray(found.finished["static"], dtype=np.float64))
    for key in ("static", "off", "rates", "hits"):
        if key in found.data:
            values = np.asarray(found.data[key], dtype=np.float64)
            return np.nan_to_num(values.reshape(len(values), -1).mean(axis=1))
    raise ImportRefusedError("it has transients alone, and no spectrum to find the edge in: name it (--edge)")


def _settings(table: Table, windows: Windows, found: Measured) -> Settings:
    """Settings: those of our own export where the file has them, else the windows of the edge."""
    known = {key: value for key, value in dict(table.about.get("settings", {})).items() if key in _SETTINGS}
    known["slot_bins"] = "each"  # slots of files are not summed in bins, or have been already
    try:
        return Settings.from_mapping(known)
    except (TypeError, ValueError):
        plain = Settings(windows.pre_edge, windows.integral, slot_bins="each")
        if found.axis == ENERGY_AXIS:
            return plain
        return replace(plain, before_zero=_before_zero(found, plain.before_zero))


_SETTINGS = frozenset(Settings.__dataclass_fields__)


def _before_zero(found: Measured, default: float) -> float:
    """Delay up to which a point is before time zero: the default, or half of the way back of a shorter scan."""
    first = float(found.grid[0])
    return default if first <= default else min(first / 2, 0.0)


def _columns(table: Table, found: Measured) -> dict[str, Any]:
    """Columns of the stream `primary`, first axis points."""
    size = len(found.grid)
    if found.kind == "table":
        return {"point_index": np.arange(size), "line": table.lines, "quality": np.full(size, "good"), **table.columns}
    own = {"point_index": np.arange(size), "line": found.lines, "quality": np.full(size, "good")}
    return {**own, found.axis: found.grid, **found.data}


def _configuration(found: Measured) -> dict[str, Any]:
    """Bunches and laser as a descriptor of ours has them, and the mark of an imported run."""
    pattern: Pattern = found.pattern
    data = {
        "timing_num_bunches": pattern.num_bunches,
        "timing_laser_divider": pattern.divider,
        "timing_bunch_rate": pattern.bunch_rate,
        "timing_laser_phase": pattern.laser_phase,
    }
    keys = {key: _data_key(value, "") for key, value in data.items()}
    empty: dict[str, Any] = {"data": {}, "timestamps": {}, "data_keys": {}}
    return {"timing": {"data": data, "timestamps": dict.fromkeys(data, 0.0), "data_keys": keys}, IMPORTED: empty}


def _unit(key: str, found: Measured) -> str:
    return AXES[found.axis][1] if key == found.axis else {"seconds": "s"}.get(key, "")


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _data_key(value: Any, unit: str) -> dict[str, Any]:
    array = np.asarray(value)
    kinds = {"i": "integer", "u": "integer", "U": "string", "b": "integer"}
    key: dict[str, Any] = {"source": "file", "shape": list(array.shape), "dtype_numpy": array.dtype.str}
    key["dtype"] = "array" if array.shape else kinds.get(array.dtype.kind, "number")
    return key | ({"units": unit} if unit else {})
