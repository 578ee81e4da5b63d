"""Assembles the watch of a beamline: settings on which results depend, as modified by the configuration."""

from __future__ import annotations

from collections.abc import Callable

from beamline.config.entries import WatchEntry
from beamline.station.beamline import Beamline
from beamline.station.components import find_signal
from beamline.station.roles import AXES, readback_of
from beamline.station.watched import watched_settings, watched_states
from devices.base.counting import CountingDetector
from devices.base.watch import Watch, Watched
from plans.watch import Tolerances


def make_watch(beamline: Beamline, entry: WatchEntry, notify: Callable[[str], None]) -> Watch:
    """The watch of a beamline; it monitors from its `stage` on.

    Parameters
    ----------
    beamline : Beamline
    entry : WatchEntry
        Checked by `unknown_watched`.
    notify : callable
        Called with a message for each change that invalidates a dwell.
    """
    devices = beamline.devices()
    named = {**watched_settings(devices), **entry.settings}
    return Watch(
        [
            Watched(find_signal(devices, path), tolerance)
            for path, tolerance in named.items()
            if path not in entry.unwatched
        ],
        [find_signal(devices, path) for path in watched_states(devices) if path not in entry.unwatched],
        axes={role: readback_of(axis) for role in AXES if (axis := beamline.find(role)) is not None},
        laser_shutter=getattr(beamline.find("laser_shutter"), "status", None),
        put_logs=[log.line for log in beamline.all("put_logs")],
        notify=notify,
        busy={name: device.go for name, device in devices.items() if isinstance(device, CountingDetector)},
        upwards="energy",
    )


def tolerances(entry: WatchEntry) -> Tolerances:
    """Tolerances of the axes around their points."""
    return Tolerances(entry.energy, entry.delay, entry.fluence, entry.least_fluence, entry.temperature)
