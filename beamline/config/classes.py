"""Short names of the device classes that come with the program. Nothing is imported here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

OWN_CLASS = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
"""A class of the user's: ``package.module:Class``."""


@dataclass(frozen=True)
class KnownClass:
    """A class that a configuration names by a short name.

    Attributes
    ----------
    path : str
        ``package.module:Class``.
    records : tuple of str
        Keyword arguments that are records, or prefixes of records, of this device alone.
    shared : bool
        Whether several devices, or several sessions, may use its prefix: it reads what many read.
    """

    path: str
    records: tuple[str, ...] = ()
    shared: bool = False


CLASSES: Mapping[str, KnownClass] = {
    "kohzu": KnownClass("devices.instruments.mono:Monochromator"),
    "energy_sweep": KnownClass("devices.instruments.sweep:EnergySweep", records=("frames",)),
    "ion_chamber": KnownClass("devices.instruments.ion_chamber:IonChamber", records=("amplifier",)),
    "scaler_channel": KnownClass("devices.instruments.ion_chamber:ScalerChannel"),
    "photon_counter": KnownClass("devices.instruments.counter:PhotonCounter"),
    "laser": KnownClass("devices.instruments.laser:Laser"),
    "wave_plate": KnownClass("devices.instruments.fluence:LaserFluence", records=("wave_plate",)),
    "delay_generator": KnownClass("devices.instruments.delay:LaserDelay", records=("fine_prefix",)),
    "bunch_timing": KnownClass("devices.instruments.timing:BunchTiming"),
    "fixed_timing": KnownClass("devices.instruments.timing:FixedTiming"),
    "bunch_currents": KnownClass("devices.instruments.bunch_currents:BunchCurrents", shared=True),
    "bunch_monitor": KnownClass("devices.instruments.bunch_currents:BunchMonitor"),
    "storage_ring": KnownClass("devices.instruments.ring:StorageRing", shared=True),
    "xray_shutter": KnownClass("devices.instruments.xray_shutter:XrayShutter"),
    "jet": KnownClass("devices.instruments.jet:Jet"),
    "sample_stage": KnownClass("devices.instruments.motor:SampleStage", shared=True),
    "laser_steering": KnownClass("devices.instruments.motor:LaserSteering", shared=True),
    "knife": KnownClass("devices.instruments.motor:Knife", shared=True),
    "motor": KnownClass("devices.instruments.motor:Motor"),
    "motor_energy": KnownClass("devices.instruments.motor_axis:MotorEnergy"),
    "motor_delay": KnownClass("devices.instruments.motor_axis:MotorDelay"),
    "motor_fluence": KnownClass("devices.instruments.motor_axis:MotorFluence"),
    "server": KnownClass("devices.base.heartbeat:Server", shared=True),
    "apd": KnownClass("devices.instruments.apd:Apd"),
    "boxcar": KnownClass("devices.instruments.boxcar:Boxcar"),
    "digitiser": KnownClass("devices.instruments.digitiser:Digitiser"),
    "thermostat": KnownClass("devices.instruments.thermostat:Thermostat"),
    "fluorescence": KnownClass("devices.instruments.fluorescence:FluorescenceDetector"),
    "area_detector": KnownClass("devices.instruments.area_detector:AreaDetector"),
    "area_detector_hdf5": KnownClass("devices.instruments.area_detector_hdf5:AreaDetectorHdf5"),
    "reading": KnownClass("devices.instruments.reading:ReadRecord", shared=True),
    "put_log": KnownClass("devices.instruments.put_log:PutLog"),
    "controller": KnownClass("devices.instruments.controller:Controller"),
}
"""By short name, the classes of `[devices.NAME]`."""
SERVER = "server"
"""Short name of the heartbeat of a server."""
FACILITY_RECORDS = ("ring", "permit")
"""Keyword arguments that are records of the facility, which many devices may read."""


def record_arguments(kind: str) -> tuple[str, ...]:
    """Keyword arguments of a class that are records, or prefixes of records."""
    own = CLASSES[kind].records if kind in CLASSES else ()
    return (*own, *FACILITY_RECORDS)
