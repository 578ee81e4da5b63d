"""Every signal of every device: data key, name in the session, record, unit, where it is recorded."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from ophyd import Device, Kind
from ophyd.signal import EpicsSignalBase

from beamline.config.models import load
from beamline.station.beamline import Beamline
from beamline.station.build import build, instruments
from docs.generator.markdown import code, one_line, table
from sim_ioc.beamline import SimBeamline
from sim_ioc.listing import rows
from sim_ioc.scenario.scenario import load_scenario

HEADINGS = ("data key", "in the session", "record", "unit", "recorded in", "meaning")
LOCAL_ONLY = {"EPICS_CA_AUTO_ADDR_LIST": "NO", "EPICS_CA_ADDR_LIST": "127.0.0.1"}


STATIONS = {"simulated": None, "superxas_simulated": "superxas"}
"""Simulated configurations and their scenarios; of later ones only devices of further classes are shown."""


def signals() -> str:
    """A table for each device of the simulated configurations. Records need not exist, since nothing connects."""
    for key, value in LOCAL_ONLY.items():
        os.environ.setdefault(key, value)
    parts, shown = list[str](), set[type]()
    for name, scenario in STATIONS.items():
        beamline = build(load(name))
        new = {each: device for each, device in beamline.devices().items() if type(device) not in shown}
        shown |= {type(device) for device in new.values()}
        parts += _parts(new, _in_events(beamline), SimBeamline(load_scenario(scenario), 1.0).records("sim:"))
    return "\n\n".join(parts)


def _parts(devices: Mapping[str, Device], in_events: frozenset[str], served: Mapping[str, Any]) -> list[str]:
    known = {name: (unit, meaning) for name, _, _, unit, _, _, meaning in rows(served)}
    parts = []
    for name, device in devices.items():
        what = one_line((type(device).__doc__ or "").split("\n\n")[0])
        kind = f"`{type(device).__module__}.{type(device).__name__}`"
        parts.append(f"### `{name}`\n\n{kind}: {what}\n\n{table(HEADINGS, _rows(name, device, known, in_events))}")
    return parts


def _in_events(beamline: Beamline) -> frozenset[str]:
    """Names of the devices that every dwell reads."""
    used = instruments(beamline, 1.0)
    devices = (*used.read_in_a_dwell(), used.dwell_label)
    return frozenset(device.name for device in devices if isinstance(device, Device))


def _rows(
    name: str, device: Device, known: Mapping[str, tuple[str, str]], in_events: frozenset[str]
) -> Iterator[tuple[str, ...]]:
    for entry in device.walk_signals(include_lazy=True):
        signal, path = entry.item, f"{name}.{entry.dotted_name}"
        record = getattr(signal, "pvname", "") if isinstance(signal, EpicsSignalBase) else ""
        unit, meaning = known.get(record, ("-", ""))
        unit = getattr(signal, "_declared_units", None) or ("" if unit == "-" else unit)
        where = _recorded(device, entry.dotted_name, signal, name in in_events)
        yield code(signal.name), code(path), code(record.removeprefix("sim:")), unit, where, meaning


def _recorded(device: Device, dotted_name: str, signal: Any, read: bool) -> str:
    """Where a signal is recorded; signals of an omitted part are omitted too."""
    kinds = [signal.kind]
    parts = dotted_name.split(".")[:-1]
    for number in range(1, len(parts) + 1):
        kinds.append(getattr(device, ".".join(parts[:number])).kind)
    if any(kind == Kind.omitted for kind in kinds):
        return ""
    if any(kind == Kind.config for kind in kinds):
        return "descriptor"
    return "event" if read else ""
