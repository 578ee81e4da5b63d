"""Assembles the watch of a beamline: settings on which results depend, as modified by the configuration."""

from __future__ import annotations

from collections.abc import Callable

from beamline.config.entries import WatchEntry
from beamline.station.build import Beamline
from beamline.station.components import find_signal
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
        axes={
            "energy": beamline.mono.energy,
            "delay": beamline.laser_delay.delay,
            "fluence": beamline.laser_fluence.fluence,
        },
        laser_shutter=beamline.laser.shutter.status,
        put_logs=[log.line for log in (beamline.optics_put_log, beamline.station_put_log) if log is not None],
        notify=notify,
        busy={name: device.go for name, device in devices.items() if isinstance(device, CountingDetector)},
    )


def tolerances(entry: WatchEntry) -> Tolerances:
    """Tolerances of the axes around their points."""
    return Tolerances(entry.energy, entry.delay, entry.fluence, entry.least_fluence)
