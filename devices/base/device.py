"""Common base of all devices: read in each dwell, and named in each message of a plan."""

from __future__ import annotations

from collections import OrderedDict
from functools import cached_property
from typing import Any

from ophyd import Device, Kind


class StationDevice(Device):
    """A device of ophyd that is quickly read and shown.

    The RunEngine asks for the text of a device in each message, and that of ophyd lists all its components.
    """

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.prefix!r}, name={self.name!r})"

    @cached_property
    def _components(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.component_names)

    def read(self) -> OrderedDict[str, dict[str, Any]]:
        """Readings of all components of kind normal or hinted, by data key."""
        found: OrderedDict[str, dict[str, Any]] = OrderedDict()
        for component in self._components:
            if component.kind.value & Kind.normal.value:  # numbers: flags are combined in Python, slowly
                found.update(component.read())
        return found
