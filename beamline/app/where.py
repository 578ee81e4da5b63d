"""Readback, setpoint, limits and unit of everything that can be moved or set, in groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from ophyd.utils.errors import OpException
from rich.table import Table

from beamline.formatting import printable
from beamline.station.beamline import Beamline
from devices.base.health import problems
from devices.base.signals import refuse_stale

GROUPS = ("X-rays", "laser", "sample", "detectors")
X_RAYS, LASER, SAMPLE, DETECTORS = GROUPS
GROUP_OF_ROLE: Mapping[str, str] = {
    "energy": X_RAYS,
    "second_crystal": X_RAYS,
    "attenuator": X_RAYS,
    "foil_stage": X_RAYS,
    "xray_shutter": X_RAYS,
    "ring": X_RAYS,
    "laser_shutter": LASER,
    "delay": LASER,
    "fluence": LASER,
    "laser_steering": LASER,
    "laser_focus": LASER,
    "i0": DETECTORS,
    "counters": DETECTORS,
}
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


def status_of(name: str, thing: Any, is_shutter: bool = False) -> DeviceStatus:
    """Read the status of a device or signal; `trouble` has the error if it cannot be read."""
    try:
        if is_shutter:
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


def groups(beamline: Beamline) -> dict[str, list[str]]:
    """Names in the session of everything that is shown, by group: by their roles, otherwise among the sample.

    A device is shown itself if it has a position, and with the parts that its class declares as `shown`.
    """
    found: dict[str, list[str]] = {group: [] for group in GROUPS}
    roles = beamline.roles.entries()
    for role, group in GROUP_OF_ROLE.items():
        names = roles.get(role, [])
        found[group] += [names] if isinstance(names, str) else names
    steering = {name.partition(".")[0] for name in beamline.roles.laser_steering}  # its parts are shown already
    shutter = beamline.roles.laser_shutter or ""
    found[LASER] += [shutter.partition(".")[0]] if "." in shutter else []
    placed = {name for names in found.values() for name in names} | steering
    for name, device in beamline.items():
        if name not in placed:
            found[DETECTORS if getattr(device, "is_detector", False) else SAMPLE].append(name)
    return {group: [line for name in names for line in _lines(beamline, name)] for group, names in found.items()}


def _lines(beamline: Beamline, name: str) -> list[str]:
    """The name of a device with a position, and those of its parts that are shown."""
    kind = type(beamline.part(name))
    itself = [name] if hasattr(kind, "set") and hasattr(kind, "position") else []
    return [*itself, *(f"{name}.{part}" for part in getattr(kind, "shown", ()))]


def statuses(beamline: Beamline, wanted: Iterable[str] = ()) -> dict[str, list[DeviceStatus]]:
    """The status of devices by group.

    Parameters
    ----------
    beamline : Beamline
    wanted : iterable of str
        Groups, or names of devices; all by default.

    Raises
    ------
    LookupError
        For a name that is none of these.
    """
    chosen, there = list(wanted), groups(beamline)
    if chosen:
        named = {each: there[each] for each in chosen if each in there}
        others = [name for each in chosen if each not in there for name in _of_device(beamline, each, there)]
        there = named | ({"": others} if others else {})
    shutters = {beamline.roles.laser_shutter, beamline.roles.xray_shutter}
    return {
        group: [status_of(name, beamline.part(name), is_shutter=name in shutters) for name in names]
        for group, names in there.items()
    }


def _of_device(beamline: Beamline, name: str, there: Mapping[str, list[str]]) -> list[str]:
    found = [each for names in there.values() for each in names if each == name or each.startswith(f"{name}.")]
    if not found:
        beamline.part(name)
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
