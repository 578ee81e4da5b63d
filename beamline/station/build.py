"""Builds the devices of a configuration, without waiting for records."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from ophyd import Device, Signal

from beamline.config.devices import SCAN_STATE, SIM_PREFIX, SIMULATED, Station
from beamline.config.models import Configuration, ConfigurationError
from beamline.station.beamline import Beamline
from beamline.station.check_names import check_names
from beamline.station.classes import DeviceError, make_device
from beamline.station.connect import epics_signals
from beamline.station.detectors import unread_detectors
from beamline.station.roles import missing_parts, readback_of
from devices.base.heartbeat import serves
from devices.instruments.scan_state import ScanState
from plans.protocols import Instruments
from plans.times import MoveTimes, Steadiness

AXIS_KEYS: Mapping[str, str] = {
    "energy": "mono_energy",
    "delay": "laser_delay",
    "fluence": "laser_fluence",
    "temperature": "sample_temperature",
}
"""Data key of the readback of each axis, whatever the name of its device."""
NAMED_BY_ROLE = ("i0", "timing")
"""Roles whose names begin the data keys of their devices, whatever the names of these."""
LASER_PHASE = "laser_phase"
"""Data key of the phase of the laser, which the first counter gives."""


IMAGES = "images"
"""Folder of the images of an area detector, below the data root."""


def build(config: Configuration) -> Beamline:
    """Build every device of a configuration.

    Raises
    ------
    ConfigurationError
        Naming every device that cannot be made, every role that its device cannot play, and suspenders, checks or
        limits for a device, signal or reading that does not exist.
    """
    station = config.station
    beamline = Beamline(_made(config, station), station.roles)
    if faults := [*_records_of_another_mode(config, station, beamline), *missing_parts(beamline)]:
        raise ConfigurationError(f"{config.name}: {'; '.join(faults)}")
    _assign_servers(beamline, station)
    _assign_keys(beamline)
    if (area_detector := beamline.find("area_detector")) is not None:
        area_detector.folder.put(str((config.data.root / IMAGES).absolute()))
    read = instruments(beamline, 1.0).read_in_a_dwell()
    if faults := [*_doubled_keys(beamline), *unread_detectors(config.detectors, beamline, read)]:
        raise ConfigurationError(f"{config.name}: {'; '.join(faults)}")
    check_names(config, beamline.devices())
    return beamline


def _made(config: Configuration, station: Station) -> dict[str, Device]:
    devices: dict[str, Device] = {}
    faults = []
    for name, entry in station.devices.items():
        try:
            devices[name] = make_device(name, entry, config.own_file)
        except DeviceError as error:
            faults.append(str(error))
    if faults:
        raise ConfigurationError(f"{config.name}: {'; '.join(faults)}")
    return {**devices, SCAN_STATE: ScanState(name=SCAN_STATE)}


def _records_of_another_mode(config: Configuration, station: Station, beamline: Beamline) -> Iterator[str]:
    """A sentence for each device whose class has records of its own that the mode does not allow.

    Records below a prefix of the configuration were checked when it was read.
    """
    for name, entry in station.devices.items():
        records = [signal.pvname for signal in epics_signals(beamline[name])]
        own = [each for each in records if not each.startswith(tuple(entry.records.values()))]
        if config.mode == "sim" and (real := [each for each in own if not SIMULATED.match(each)]):
            yield f"devices.{name}: mode is sim, and its record {real[0]} does not begin with '{SIM_PREFIX}'"
        if config.mode == "real" and (simulated := [each for each in own if each.startswith(SIM_PREFIX)]):
            yield f"devices.{name}: mode is real, and its record {simulated[0]} begins with '{SIM_PREFIX}'"


def _assign_servers(beamline: Beamline, station: Station) -> None:
    """Assign each device to the server of its records."""
    for name, entry in station.devices.items():
        if entry.server is not None:
            serves(beamline[entry.server], beamline[name])


def _assign_keys(beamline: Beamline) -> None:
    """Give axes, I0, bunch timing and the phase of the laser the data keys that plans and reduction know."""
    for role in NAMED_BY_ROLE:
        if (device := beamline.find(role)) is not None:
            for entry in device.walk_signals(include_lazy=True):
                entry.item.name = re.sub(rf"^{device.name}(?=_|$)", role, entry.item.name)
    for role, key in AXIS_KEYS.items():
        if (axis := beamline.find(role)) is not None:
            readback_of(axis).name = key
    for number, counter in enumerate(beamline.all("counters")):
        phase = getattr(counter, LASER_PHASE, None)
        if isinstance(phase, Signal):
            phase.name = f"{counter.name}_{LASER_PHASE}" if number else LASER_PHASE
        if hasattr(type(counter), "timing"):
            counter.timing = beamline.find("timing")


def _doubled_keys(beamline: Beamline) -> list[str]:
    """A sentence for each data key of an event that two devices give."""
    read: list[Any] = [each for each in instruments(beamline, 1.0).read_in_a_dwell() if isinstance(each, Device)]
    given = [(key, device.name) for device in dict.fromkeys(read) for key in _keys(device)]
    counts = Counter(key for key, _ in given)
    doubled = {key: [name for each, name in given if each == key] for key, count in counts.items() if count > 1}
    return [f"roles: {' and '.join(names)} both give the reading {key}: rename one" for key, names in doubled.items()]


def _keys(device: Device) -> Iterator[str]:
    parts = (getattr(device, attribute) for attribute in device.read_attrs)
    yield from (part.name for part in parts if isinstance(part, Signal))


def instruments_of(config: Configuration, beamline: Beamline) -> Instruments:
    """The devices that the scans of a session move and read, and how fast they are."""
    times, steadiness = config.times.of_moves(), Steadiness(**config.steady.model_dump())
    return instruments(beamline, config.clock_rate, times, steadiness)


def instruments(
    beamline: Beamline, clock_rate: float, times: MoveTimes | None = None, steadiness: Steadiness | None = None
) -> Instruments:
    """The devices that scans move and read."""
    first, *others = beamline.all("counters")
    return Instruments(
        energy=beamline.role("energy"),
        counters=(first, beamline.role("i0"), *others),
        dwell_label=beamline[SCAN_STATE],
        delay=beamline.find("delay"),
        fluence=beamline.find("fluence"),
        temperature=beamline.find("temperature"),
        images=_images(beamline),
        sweep=beamline.find("sweep"),
        read_in_a_sweep=_read_in_a_sweep(beamline, first),
        laser_shutter=beamline.find("laser_shutter"),
        timing=beamline.find("timing"),
        xray_shutter=beamline.find("xray_shutter"),
        readables=_readables(beamline),
        clock_rate=clock_rate,
        times=times or MoveTimes(),
        steadiness=steadiness or Steadiness(),
    )


def _images(beamline: Beamline) -> tuple[Any, ...]:
    """What is triggered for an image."""
    area_detector = beamline.find("area_detector")
    return () if area_detector is None else (area_detector, beamline.role("i0"))


def _read_in_a_sweep(beamline: Beamline, counter: Any) -> tuple[Any, ...]:
    """Gain and dark of I0, and the phase of the laser: the same for all frames."""
    found = [getattr(beamline.role("i0"), name, None) for name in ("gain", "dark")]
    return tuple(each for each in (*found, getattr(counter, LASER_PHASE, None)) if isinstance(each, Signal))


def _readables(beamline: Beamline) -> tuple[Any, ...]:
    """Devices that are read with each dwell; fluence and currents of the bunches are among them where they exist."""
    more = [beamline.find(role) for role in ("fluence", "bunch_currents")]
    given = beamline.all("readables")
    return (*given, *(each for each in more if each is not None and each not in given))
