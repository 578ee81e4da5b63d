"""Checks that every device, signal and data key that a configuration names exists; one error lists all that do not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ophyd import Device

from beamline.config.models import Configuration, ConfigurationError
from beamline.station.components import find_signal
from beamline.station.limits import unknown_limits
from beamline.station.watched import unknown_watched


def check_names(config: Configuration, devices: Mapping[str, Device]) -> None:
    """Refuse suspenders, checks and limits that name something unknown. Connects nothing.

    Raises
    ------
    ConfigurationError
        Naming every such entry.
    """
    wrong = [*_unknown_signals(config, devices), *_unknown_keys(config, devices), *unknown_limits(config, devices)]
    wrong += unknown_watched(config.watch, devices)
    if wrong:
        raise ConfigurationError(
            f"{config.name}: {'; '.join(wrong)}. Write [devices.NAME] for what is missing, or remove the entry."
        )


def _unknown_signals(config: Configuration, devices: Mapping[str, Device]) -> Iterator[str]:
    for entry in config.suspenders:
        try:
            find_signal(devices, entry.signal)
        except LookupError as error:
            yield f"suspenders: {entry.signal}: {error.args[0]}"


def _unknown_keys(config: Configuration, devices: Mapping[str, Device]) -> Iterator[str]:
    known = {signal.item.name for device in devices.values() for signal in device.walk_signals(include_lazy=True)}
    for check in config.checks:
        for key in (check.key, check.per):
            if key and key not in known:
                yield f"checks: no device has the reading {key}"
