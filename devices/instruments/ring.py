"""Storage ring and shutter permit. Read only."""

from __future__ import annotations

from ophyd import Component as Cpt
from ophyd import FormattedComponent as FCpt

from devices.base.bulk_read import RecentReadback
from devices.base.device import StationDevice
from devices.base.signals import Readback, SoftSignal


class StorageRing(StationDevice):
    """Ring current (mA), operating mode, shutter permit and time to the next top-up.

    Parameters
    ----------
    prefix : str
        Precedes the facility's record names; empty at the real ring.
    """

    watched_states = ("shutter_permit",)
    shown = ("current",)

    current = FCpt(RecentReadback, "{prefix}S-DCCT:CurrentM", auto_monitor=True, units="mA", kind="hinted")
    mode = FCpt(Readback, "{prefix}S:DesiredMode", auto_monitor=True, string=True, kind="config")
    shutter_permit = FCpt(Readback, "{prefix}XFD:ShutterPermit", auto_monitor=True, kind="normal")
    time_to_topup = FCpt(Readback, "{prefix}Mt:TopUpTime2Inject", auto_monitor=True, units="s", kind="omitted")
    lowest_current = Cpt(SoftSignal, value=10.0, units="mA", kind="config")
    """Below this current the beam is considered lost."""

    def complaints(self) -> list[str]:
        """Problems that the readings show."""
        found = [] if self.shutter_permit.get() else [f"{self.shutter_permit.pvname} gives no permit"]
        current, lowest = self.current.get(), self.lowest_current.get()
        if current < lowest:
            found.append(f"{self.current.pvname} is {current:g} mA, less than {lowest:g} mA: the beam is lost")
        return found
