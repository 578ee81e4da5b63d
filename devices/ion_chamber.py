"""Ungated ion chamber (I0) counted by a channel of an EPICS scaler record."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from ophyd import Component as Cpt
from ophyd import Device
from ophyd import FormattedComponent as FCpt
from ophyd.status import Status

from devices.signals import FetchedNumber, Readback, Setting
from devices.together import fetch

COUNT, DONE = 1, 0


class IonChamber(Device):
    """Counts of one scaler channel over a preset time, with amplifier gain and dark rate beside them.

    Parameters
    ----------
    prefix : str
        Scaler record, for example ``7idd:scaler1``.
    amplifier : str
        Prefix of the amplifier's records, for example ``7idd:I0:``.
    channel : int
        Scaler channel that counts the ion chamber.
    """

    counts = FCpt(FetchedNumber, "{prefix}.S{channel}", units="counts", kind="hinted")
    time = Cpt(FetchedNumber, ".T", units="s", kind="normal")
    gain = FCpt(Setting, "{amplifier}Gain", auto_monitor=True, units="V/A", kind="normal")
    dark = FCpt(Setting, "{amplifier}Dark", auto_monitor=True, units="counts/s", kind="normal")
    preset_time = Cpt(Setting, ".TP", put_complete=True, auto_monitor=True, units="s", kind="config")
    count = Cpt(Setting, ".CNT", put_complete=True, kind="omitted")
    channel_name = FCpt(Readback, "{prefix}.NM{channel}", string=True, auto_monitor=True, kind="config")
    frequency = Cpt(FetchedNumber, ".FREQ", units="Hz", kind="config")

    def __init__(self, prefix: str, *, amplifier: str, channel: int = 2, **kwargs: object) -> None:
        self.amplifier = amplifier
        self.channel = channel
        super().__init__(prefix, **kwargs)
        self.counts.name = self.name

    def read(self) -> OrderedDict[str, dict[str, Any]]:
        """Counts and time of the last count, by explicit gets that run together; gain and dark."""
        fetched = fetch([self.counts, self.time])
        return OrderedDict({**fetched, **self.gain.read(), **self.dark.read()})

    def trigger(self) -> Status:
        """Count for the preset time; done when the record says so."""
        return self.count.set(COUNT)

    def unstage(self) -> list[object]:
        """End a count that is still running."""
        if self.count.get() == COUNT:
            self.count.put(DONE, wait=False)
        return super().unstage()
