"""Soft limits of a configuration: compared with those of the records, then put into the devices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ophyd import Device
from ophyd.utils import LimitError
from ophyd.utils.errors import DisconnectedError

from beamline.config.models import Configuration, ConfigurationError
from devices.base.limits import SoftLimits


def limited(devices: Mapping[str, Device]) -> dict[str, SoftLimits]:
    """All devices and parts with soft limits, by their dotted names in the session."""
    found: dict[str, SoftLimits] = {}
    for name, device in devices.items():
        parts = [(name, device), *((f"{name}.{path}", part) for path, part in device.walk_subdevices())]
        found |= {path: each for path, each in parts if isinstance(each, SoftLimits)}
    return found


def unknown_limits(config: Configuration, devices: Mapping[str, Device]) -> list[str]:
    """An error message for each entry of [limits] that names nothing with soft limits."""
    known = limited(devices)
    return [
        f"limits: {path} has no soft limits; available are {', '.join(known)}"
        for path in config.limits
        if path not in known
    ]


def limit_faults(config: Configuration, devices: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and fault of each soft limit outside the limits of its connected device. Moves nothing."""
    for path, ends in config.limits.items():
        for end in ends:
            try:
                limited(devices)[path].check_value(end)
            except (LimitError, ValueError) as error:
                yield path, f"{error}; soft limits must lie inside"
            except (DisconnectedError, TimeoutError):
                break  # reported elsewhere, by record


def set_limits(config: Configuration, devices: Mapping[str, Device]) -> None:
    """Put the soft limits of the configuration into connected devices.

    Raises
    ------
    ConfigurationError
        Naming every limit outside those of the records.
    """
    if faults := [f"{path}: {why}" for path, why in limit_faults(config, devices)]:
        raise ConfigurationError(f"{config.name}: [limits] {'; '.join(faults)}")
    for path, (low, high) in config.limits.items():
        device = limited(devices)[path]
        device.soft_low.put(low)
        device.soft_high.put(high)
