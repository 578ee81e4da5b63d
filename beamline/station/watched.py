"""Device settings on which results depend, by their names in the session."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ophyd import Device
from ophyd.signal import EpicsSignalBase

from beamline.config.entries import WatchEntry
from beamline.station.components import find_signal


def watched_settings(devices: Mapping[str, Device]) -> dict[str, float]:
    """Settings that must stay constant: name in the session to tolerance in the unit of the signal."""
    return {
        f"{path}.{attribute}": tolerance
        for path, device in _all_parts(devices)
        for attribute, tolerance in getattr(device, "watched", {}).items()
    }


def watched_states(devices: Mapping[str, Device]) -> tuple[str, ...]:
    """Settings that must not change while a dwell is counted, by their names in the session."""
    return tuple(
        f"{path}.{attribute}"
        for path, device in _all_parts(devices)
        for attribute in getattr(device, "watched_states", ())
    )


def unknown_watched(entry: WatchEntry, devices: Mapping[str, Device]) -> list[str]:
    """An error message for each entry of [watch] that names something that cannot be watched."""
    known = {*watched_settings(devices), *watched_states(devices)}
    wrong = [f"watch: {path} is not watched" for path in entry.unwatched if path not in known]
    for path in entry.settings:
        try:
            if not isinstance(find_signal(devices, path), EpicsSignalBase):
                wrong.append(f"watch: {path} is no record")
        except LookupError as error:
            wrong.append(f"watch: {path}: {error.args[0]}")
    return wrong


def _all_parts(devices: Mapping[str, Device]) -> Iterator[tuple[str, Device]]:
    """Every device and every part of one, with its dotted name."""
    for name, device in devices.items():
        yield name, device
        yield from ((f"{name}.{path}", part) for path, part in device.walk_subdevices(include_lazy=True))
