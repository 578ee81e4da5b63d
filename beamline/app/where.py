"""Readback, setpoint, limits and unit of everything that can be moved or set, in groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from ophyd.utils.errors import OpException
from rich.table import Table

from beamline.formatting import printable
from beamline.station.components import find_component
from devices.base.health import problems
from devices.base.signals import refuse_stale

GROUPS: Mapping[str, tuple[str, ...]] = {
    "X-rays": ("mono", "mono.angle", "xray_shutter", "ring.current"),
    "laser": ("laser.shutter", "laser_delay", "laser_fluence", "laser.pulse_energy", "laser.lock_error"),
    "sample": ("jet", "stage.across", "stage.along"),
    "detectors": (
        "i0.gain", "apd.bias", "apd.threshold", "apd.temperature", "fpga.gate_delay", "fpga.gate_width",
        "boxcar.box1.window_start", "boxcar.box2.window_start",
    ),
}  # fmt: skip
"""Names in the session; those that a configuration lacks are omitted."""
SHUTTERS = ("laser.shutter", "xray_shutter")
STATES = {0: "shut", 1: "open"}


@dataclass(frozen=True)
class DeviceStatus:
    """One line of the table.

    Attributes
    ----------
    name : str
        In the session.
    readback, target, low, high, units : str
        Empty where there is none.
    trouble : str
        Why it could not be read; empty if it could.
    """

    name: str
    readback: str = ""
    target: str = ""
    low: str = ""
    high: str = ""
    units: str = ""
    trouble: str = ""


def entry_of(thing: Any) -> Mapping[str, Any]:
    """Description entry of a signal, or of the main signal of a device."""
    description = thing.describe()
    return dict(description.get(thing.name) or next(iter(description.values()), {}))


def status_of(name: str, thing: Any) -> DeviceStatus:
    """Read the status of a device or signal; `trouble` has the error if it cannot be read."""
    try:
        if name in SHUTTERS:
            return DeviceStatus(name, STATES.get(thing.position, "?"), STATES.get(getattr(thing, "target", -1), ""))
        refuse_stale(thing)
        entry = entry_of(thing)
        units = str(entry.get("units") or "")
        if hasattr(thing, "position"):
            low, high = thing.limits
            return DeviceStatus(name, _short(thing.position), _short(thing.target), _short(low), _short(high), units)
        low, high = (_short(float(entry.get(key, inf))) for key in ("lower_ctrl_limit", "upper_ctrl_limit"))
        return DeviceStatus(name, _short(thing.read()[thing.name]["value"]), "", low, high, units)
    except (RuntimeError, ValueError, LookupError, TimeoutError, OpException) as error:  # show the others nevertheless
        return DeviceStatus(name, trouble=f"{name}: {printable(error) or type(error).__name__}")


def statuses(devices: Mapping[str, Any], wanted: Iterable[str] = ()) -> dict[str, list[DeviceStatus]]:
    """The status of devices by group.

    Parameters
    ----------
    devices : mapping
    wanted : iterable of str
        Groups, or names of devices; all by default.

    Raises
    ------
    LookupError
        For a name that is none of these.
    """
    chosen = list(wanted)
    there = {group: [name for name in names if name.split(".")[0] in devices] for group, names in GROUPS.items()}
    if chosen:
        groups = {each: there[each] for each in chosen if each in there}
        others = [name for each in chosen if each not in there for name in _of_device(devices, each)]
        there = groups | ({"": others} if others else {})
    return {group: [status_of(name, find_component(devices, name)) for name in names] for group, names in there.items()}


def _of_device(devices: Mapping[str, Any], name: str) -> list[str]:
    found = [each for names in GROUPS.values() for each in names if each == name or each.startswith(f"{name}.")]
    if not found:
        find_component(devices, name)
    return found or [name]


def where_table(found: Mapping[str, list[DeviceStatus]]) -> tuple[Table, list[str]]:
    """The statuses as a table, and an error message for each device that could not be read."""
    table = Table(box=None, pad_edge=False)
    for header in ("", "readback", "setpoint", "low", "high", "unit"):
        table.add_column(header, justify="left" if header in ("", "unit") else "right")
    for group, rows in found.items():
        if group:
            table.add_row(f"[bold]{group}[/bold]")
        for row in rows:
            readback = "[red]not read[/red]" if row.trouble else row.readback
            table.add_row(f"  {row.name}", readback, row.target, row.low, row.high, row.units)
    return table, [row.trouble for rows in found.values() for row in rows if row.trouble]


def problems_of(devices: Mapping[str, Any], found: Mapping[str, list[DeviceStatus]]) -> list[str]:
    """Problems of the devices that could be read: alarms, values that are no numbers, what a device itself detects."""
    rows = [row for rows in found.values() for row in rows]
    unread = {row.name.split(".")[0] for row in rows if row.trouble}
    names = dict.fromkeys(row.name.split(".")[0] for row in rows)
    return [problem for name in names if name not in unread for problem in problems(devices[name])]


def _short(value: float) -> str:
    return "" if value in (inf, -inf) else f"{value:.7g}"
