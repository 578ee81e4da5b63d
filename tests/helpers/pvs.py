"""PVs of tests beside the devices of the same process."""

from __future__ import annotations

import epics


def release(pv: epics.PV) -> None:
    """End the monitor and the callbacks of a PV, and leave its channel.

    `epics.PV.disconnect` also drops the PV of that name that devices share. The next session would get another one for
    the same channel, close the channel at its end, and leave the devices with a freed one.
    """
    pv.clear_callbacks()
    pv.clear_auto_monitor()
