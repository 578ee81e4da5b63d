"""What a configuration asks for and its devices do not have: told at once, all together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ophyd import Device

from beamline.config.models import Configuration, ConfigurationError
from beamline.station.limits import unknown_limits


def check_asked(config: Configuration, devices: Mapping[str, Device]) -> None:
    """Refuse suspenders, checks and limits that name what is not there. Connects nothing.

    Raises
    ------
    ConfigurationError
        Naming every entry that asks for too much.
    """
    wrong = [
        f"suspenders: {entry.signal}: {why}" for entry in config.suspenders if (why := _lacks(devices, entry.signal))
    ]
    keys = {signal.item.name for device in devices.values() for signal in device.walk_signals(include_lazy=True)}
    for check in config.checks:
        wrong += [
            f"checks: no device has the reading {key}" for key in (check.key, check.per) if key and key not in keys
        ]
    wrong += unknown_limits(config, devices)
    if wrong:
        raise ConfigurationError(
            f"{config.name}: {'; '.join(wrong)}. Devices are {', '.join(devices)}; what has no prefix is not there."
        )


def _lacks(devices: Mapping[str, Device], path: str) -> str:
    """What is missing of device.signal; empty if nothing is."""
    name, *attributes = path.split(".")
    if name not in devices:
        return f"there is no device {name}"
    found: Any = devices[name]
    for attribute in attributes:
        if attribute not in getattr(found, "component_names", ()):
            return f"{found.name} has no {attribute}"
        found = getattr(found, attribute)
    return "" if attributes else "a device is no signal; say which of its signals"
