"""Looks up devices and their parts by the dotted names that users type: ``ring.current``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def find_component(devices: Mapping[str, Any], path: str) -> Any:
    """A device, or a part of one, by its dotted name in the session.

    Raises
    ------
    LookupError
        Naming the alternatives.
    """
    name, *rest = path.split(".")
    if name not in devices:
        raise LookupError(f"there is no device {name}; devices are {', '.join(devices)}")
    found = devices[name]
    for attribute in rest:
        parts = getattr(found, "component_names", ())
        if attribute not in parts:
            raise LookupError(f"{found.name} has no {attribute}; it has {', '.join(parts) or 'no parts'}")
        found = getattr(found, attribute)
    return found


def find_signal(devices: Mapping[str, Any], path: str) -> Any:
    """A signal by its dotted name in the session.

    Raises
    ------
    LookupError
        If there is none; a device is not a signal.
    """
    found = find_component(devices, path)
    if hasattr(found, "component_names"):
        raise LookupError(f"{path} is a device, not a signal; it has {', '.join(found.component_names)}")
    return found
