"""Storage ring and the permission to take beam. Read only, but for the X-ray shutter's commands."""

from __future__ import annotations

from ophyd import Device
from ophyd import FormattedComponent as FCpt

from devices.signals import Readback


class StorageRing(Device):
    """Ring current (mA), operating mode and shutter permit.

    Parameters
    ----------
    prefix : str
        Put before the facility's own record names, empty at the real ring.
    """

    current = FCpt(Readback, "{prefix}S-DCCT:CurrentM", auto_monitor=True, units="mA", kind="hinted")
    mode = FCpt(Readback, "{prefix}S:DesiredMode", auto_monitor=True, string=True, kind="config")
    shutter_permit = FCpt(Readback, "{prefix}XFD:ShutterPermit", auto_monitor=True, kind="normal")
