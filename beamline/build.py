"""Builds the devices of a configuration. Building makes objects; it does not wait for any record."""

from __future__ import annotations

from dataclasses import dataclass, fields

from ophyd import Device

from beamline.config import Configuration
from devices.counter import PhotonCounter
from devices.delay import LaserDelay
from devices.ion_chamber import IonChamber
from devices.laser import Laser
from devices.mono import Monochromator
from devices.ring import StorageRing
from devices.scan_state import ScanState
from devices.timing import BunchTiming
from plans.protocols import Instruments, MoveTimes


@dataclass(frozen=True)
class Beamline:
    """All devices of a beamline, under the names they have in the session and in the documents."""

    mono: Monochromator
    i0: IonChamber
    fpga: PhotonCounter
    laser: Laser
    laser_delay: LaserDelay
    timing: BunchTiming
    ring: StorageRing
    scan_state: ScanState

    def devices(self) -> dict[str, Device]:
        """Name to device."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def build(config: Configuration) -> Beamline:
    """Make every device of a configuration."""
    prefix = config.prefixes
    return Beamline(
        mono=Monochromator(prefix.mono, name="mono"),
        i0=IonChamber(prefix.scaler, amplifier=prefix.i0_amplifier, channel=config.i0_channel, name="i0"),
        fpga=PhotonCounter(prefix.fpga, name="fpga"),
        laser=Laser(prefix.laser, name="laser"),
        laser_delay=LaserDelay(prefix.delay, fine_prefix=prefix.fine_delay, name="laser_delay"),
        timing=BunchTiming(prefix.timing, name="timing"),
        ring=StorageRing(prefix.ring, name="ring"),
        scan_state=ScanState(name="scan_state"),
    )


def instruments(beamline: Beamline, clock_rate: float, times: MoveTimes | None = None) -> Instruments:
    """What the scans drive and read."""
    return Instruments(
        energy=beamline.mono,
        delay=beamline.laser_delay,
        laser_shutter=beamline.laser.shutter,
        counters=(beamline.fpga, beamline.i0),
        place=beamline.scan_state,
        timing=beamline.timing,
        readables=(beamline.laser, beamline.ring),
        clock_rate=clock_rate,
        times=times or MoveTimes(),
    )
