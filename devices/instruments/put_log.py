"""Put log of a server of records: its last line, for who has put."""

from __future__ import annotations

from ophyd import Component as Cpt

from devices.base.device import StationDevice
from devices.base.signals import Readback


class PutLogLine(Readback):
    """A text in a record of whatever length."""

    def mismatch(self) -> str:
        """Nothing: a string, or a waveform of characters."""
        return ""


class PutLog(StationDevice):
    """Record with the last line of a put log (EPICS module caPutLog); prefix for example ``7idd:PutLog``."""

    line = Cpt(PutLogLine, "", string=True, auto_monitor=None, kind="omitted")
