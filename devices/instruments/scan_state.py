"""Position of a dwell within a scan: soft signals that plans set and events record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ophyd import Component as Cpt

from devices.base.device import StationDevice
from devices.base.signals import SoftSignal
from devices.channel_access import FinishedStatus


class ScanState(StationDevice):
    """Position of a dwell within its scan; the data keys carry no device name."""

    point_index = Cpt(SoftSignal, value=0, kind="normal")
    segment = Cpt(SoftSignal, value=0, kind="normal")
    attempt = Cpt(SoftSignal, value=0, kind="normal")
    laser_on = Cpt(SoftSignal, value=0, kind="normal")
    """1 with the laser on the sample, 0 without."""
    quality = Cpt(SoftSignal, value="good", longest=2000, kind="normal")
    """``good``, or the reason for which the dwell is rejected."""

    def __init__(self, prefix: str = "", **kwargs: object) -> None:
        super().__init__(prefix, **kwargs)
        for attribute in self.component_names:
            getattr(self, attribute).name = attribute

    def set(self, values: Mapping[str, Any]) -> FinishedStatus:
        """Set several of the signals by name; done at once.

        Raises
        ------
        AttributeError
            If there is no signal of that name.
        """
        for attribute, value in values.items():
            getattr(self, attribute).put(value)
        return FinishedStatus()
