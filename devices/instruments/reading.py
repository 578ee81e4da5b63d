"""One record that is read with each dwell."""

from __future__ import annotations

from ophyd import Component as Cpt

from devices.base.bulk_read import RecentReadback
from devices.base.device import StationDevice


class ReadRecord(StationDevice):
    """One number; prefix: its record, for example ``ARIDI-PCT:CURRENT``. Its data key is the name of the device.

    Parameters
    ----------
    units : str, optional
        Where the record has none.
    """

    value = Cpt(RecentReadback, "", auto_monitor=True, kind="hinted")

    def __init__(self, prefix: str, *, units: str | None = None, **kwargs: object) -> None:
        super().__init__(prefix, **kwargs)
        self.value.name = self.name
        self.value._declared_units = units
