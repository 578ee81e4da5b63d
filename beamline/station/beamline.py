"""The devices of a beamline by name, and by the roles that they play."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ophyd import Device

from beamline.config.devices import Roles
from beamline.station.components import find_component
from plans.protocols import MissingRoleError


class Beamline(Mapping[str, Device]):
    """Devices by their names in the session and in documents; ``beamline["mono"]`` and ``beamline.mono`` are the same.

    Parameters
    ----------
    devices : mapping
        Name to device.
    roles : Roles
        Which device plays which role.
    """

    def __init__(self, devices: Mapping[str, Device], roles: Roles) -> None:
        self._devices, self.roles = dict(devices), roles

    def __getitem__(self, name: str) -> Device:
        return self._devices[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._devices)

    def __len__(self) -> int:
        return len(self._devices)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_devices"][name]
        except KeyError:
            raise AttributeError(f"there is no device {name}") from None

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._devices]

    def devices(self) -> dict[str, Device]:
        """All devices by name."""
        return dict(self._devices)

    def find(self, role: str) -> Any:
        """The device in a role; None if there is none."""
        name = getattr(self.roles, role)
        return self.part(name) if name else None

    def part(self, path: str) -> Any:
        """A device, or a part of one, by its dotted name.

        Raises
        ------
        LookupError
        """
        return find_component(self._devices, path)

    def role(self, role: str) -> Any:
        """The device in a role.

        Raises
        ------
        MissingRoleError
            If there is none.
        """
        found = self.find(role)
        if found is None:
            raise MissingRoleError(role)
        return found

    def all(self, role: str) -> list[Any]:
        """The devices in a role that several may play, in order."""
        return [self.part(name) for name in getattr(self.roles, role)]
