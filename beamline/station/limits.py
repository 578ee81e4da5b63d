"""Soft limits of a configuration: held against those of the records, then put into the devices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ophyd import Device
from ophyd.utils import LimitError
from ophyd.utils.errors import DisconnectedError

from beamline.config.models import Configuration, ConfigurationError
from devices.base.limits import SoftLimits


def limited(devices: Mapping[str, Device]) -> dict[str, SoftLimits]:
    """Everything that can have soft limits, by its dotted name in the session."""
    found: dict[str, SoftLimits] = {}
    for name, device in devices.items():
        parts = [(name, device), *((f"{name}.{path}", part) for path, part in device.walk_subdevices())]
        found |= {path: each for path, each in parts if isinstance(each, SoftLimits)}
    return found


def unknown_limits(config: Configuration, devices: Mapping[str, Device]) -> list[str]:
    """A sentence for each entry of [limits] that names nothing which can have them."""
    known = limited(devices)
    return [
        f"limits: {path} is nothing that has limits; known are {', '.join(known)}"
        for path in config.limits
        if path not in known
    ]


def limit_faults(config: Configuration, devices: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and fault of each soft limit that lies where its connected device cannot go. Nothing moves."""
    for path, ends in config.limits.items():
        for end in ends:
            try:
                limited(devices)[path].check_value(end)
            except (LimitError, ValueError) as error:
                yield path, f"{error}; its soft limits have to be inside"
            except (DisconnectedError, TimeoutError):
                break  # told elsewhere, record by record


def set_limits(config: Configuration, devices: Mapping[str, Device]) -> None:
    """Keep connected devices within the limits of the configuration.

    Raises
    ------
    ConfigurationError
        Naming every limit that lies outside those of the records.
    """
    if faults := [f"{path}: {why}" for path, why in limit_faults(config, devices)]:
        raise ConfigurationError(f"{config.name}: [limits] {'; '.join(faults)}")
    for path, (low, high) in config.limits.items():
        device = limited(devices)[path]
        device.soft_low.put(low)
        device.soft_high.put(high)
