"""Configurations of simulated beamlines for tests, and a short grid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from beamline.config.devices import DeviceEntry
from beamline.config.models import Configuration, load

ENERGIES = [13.450, 13.455, 13.460, 13.468, 13.472, 13.4765, 13.49, 13.53, 13.57]
FEATURE = 4
FORECAST = """
[sample]
edge = "Br_K"
[beam]
flux = 6e9
[detector]
noise = 1e-3
[transient]
shift = 1.0
fraction = 0.05
[targets]
"transient(slot=0, energy=13.472)" = 1e-3
"""
CONNECT_TIMEOUT = 120.0
"""Seconds that a session waits for the records of a simulator on a busy machine."""


def configuration(
    root: Path, prefix: str = "sim:", clock_rate: float = 200.0, waiting: bool = False, **changes: Any
) -> Configuration:
    """The packaged simulated configuration for a simulator with another prefix.

    A test that raises a fault does not wait for its end unless requested.
    """
    given: dict[str, Any] = {
        "clock_rate": clock_rate,
        "connect_timeout": CONNECT_TIMEOUT,
        "data": {"root": str(root), "min_free_gb": 0.01},
        "control": {"lock": str(root.absolute().parent / "locks")},  # nothing of a test stays at the place of all
        "display": {"live_figure": "off"},  # no window during tests
        "suspenders": (),
        **changes,
    }
    config = load("simulated", **given)
    checks = config.checks if waiting else tuple(check.model_copy(update={"waits": 0.0}) for check in config.checks)
    return moved(config, prefix).model_copy(update={"checks": checks})


def moved(config: Configuration, prefix: str) -> Configuration:
    """A simulated configuration for a simulator with another prefix."""
    devices = {name: _moved_entry(entry, prefix) for name, entry in config.devices.items()}
    return config.model_copy(update={"devices": devices})


def _moved_entry(entry: DeviceEntry, prefix: str) -> DeviceEntry:
    values = {key: value.replace("sim:", prefix, 1) for key, value in entry.records.items()}
    return DeviceEntry.model_validate({**entry.model_dump(by_alias=True), **values})


def without(config: Configuration, *names: str) -> Configuration:
    """A configuration without some of its devices, and without the roles that they play."""
    devices = {name: entry for name, entry in config.devices.items() if name not in names}
    left: dict[str, Any] = {
        role: tuple(each for each in value if each not in names)
        for role, value in config.roles.entries().items()
        if isinstance(value, list)
    }
    given = config.roles.entries().items()
    gone = {
        role: None for role, value in given if isinstance(value, str) and {value, value.partition(".")[0]} & {*names}
    }
    return config.model_copy(update={"devices": devices, "roles": config.roles.model_copy(update={**left, **gone})})


def with_records(config: Configuration, name: str, **records: str) -> Configuration:
    """A configuration with other records of one device; not checked."""
    entry = {**config.devices[name].model_dump(by_alias=True), **records}
    return config.model_copy(update={"devices": {**config.devices, name: DeviceEntry.model_validate(entry)}})
