"""Builds the devices of a configuration, without waiting for records."""

from __future__ import annotations

from dataclasses import dataclass, fields

from ophyd import Device

from beamline.config.models import Configuration, LaserNumbers
from beamline.station.check_names import check_names
from devices.base.heartbeat import Server, serves
from devices.instruments.apd import Apd
from devices.instruments.boxcar import Boxcar
from devices.instruments.controller import Controller
from devices.instruments.counter import PhotonCounter
from devices.instruments.delay import LaserDelay
from devices.instruments.digitiser import Digitiser
from devices.instruments.fluence import LaserFluence
from devices.instruments.ion_chamber import IonChamber
from devices.instruments.jet import Jet
from devices.instruments.laser import Laser
from devices.instruments.mono import Monochromator
from devices.instruments.motor import SampleStage
from devices.instruments.put_log import PutLog
from devices.instruments.ring import StorageRing
from devices.instruments.scan_state import ScanState
from devices.instruments.timing import BunchTiming
from devices.instruments.xray_shutter import XrayShutter
from plans.protocols import Instruments, MoveTimes


@dataclass(frozen=True)
class Beamline:
    """All devices of a beamline, by their names in the session and in documents."""

    mono: Monochromator
    i0: IonChamber
    fpga: PhotonCounter
    laser: Laser
    laser_fluence: LaserFluence
    laser_delay: LaserDelay
    timing: BunchTiming
    ring: StorageRing
    xray_shutter: XrayShutter
    jet: Jet
    stage: SampleStage
    optics_server: Server
    station_server: Server
    scan_state: ScanState
    apd: Apd | None = None
    boxcar: Boxcar | None = None
    digitiser: Digitiser | None = None
    optics_put_log: PutLog | None = None
    station_put_log: PutLog | None = None
    controller: Controller | None = None

    def devices(self) -> dict[str, Device]:
        """Devices that the configuration has, by name."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: device for name, device in found.items() if device is not None}


def build(config: Configuration) -> Beamline:
    """Build every device of a configuration.

    Raises
    ------
    ConfigurationError
        If suspenders, checks or limits name a device, signal or reading that does not exist.
    """
    prefix = config.prefixes
    beamline = Beamline(
        mono=Monochromator(prefix.mono, name="mono"),
        i0=IonChamber(prefix.scaler, amplifier=prefix.i0_amplifier, channel=config.i0_channel, name="i0"),
        fpga=PhotonCounter(prefix.fpga, name="fpga"),
        laser=Laser(prefix.laser, name="laser"),
        laser_fluence=LaserFluence(prefix.laser, wave_plate=prefix.wave_plate, name="laser_fluence"),
        laser_delay=LaserDelay(prefix.delay, fine_prefix=prefix.fine_delay, name="laser_delay"),
        timing=BunchTiming(prefix.timing, ring=prefix.ring, name="timing"),
        ring=StorageRing(prefix.ring, name="ring"),
        xray_shutter=XrayShutter(prefix.xray_shutter, permit=f"{prefix.ring}XFD:ShutterPermit", name="xray_shutter"),
        jet=Jet(prefix.jet, name="jet"),
        stage=SampleStage(prefix.stage, name="stage"),
        optics_server=Server(prefix.optics_server, name="optics_server"),
        station_server=Server(prefix.station_server, name="station_server"),
        scan_state=ScanState(name="scan_state"),
        apd=Apd(prefix.apd, name="apd") if prefix.apd else None,
        boxcar=Boxcar(prefix.boxcar, name="boxcar") if prefix.boxcar else None,
        digitiser=Digitiser(prefix.digitiser, name="digitiser") if prefix.digitiser else None,
        optics_put_log=PutLog(prefix.optics_put_log, name="optics_put_log") if prefix.optics_put_log else None,
        station_put_log=PutLog(prefix.station_put_log, name="station_put_log") if prefix.station_put_log else None,
        controller=Controller(prefix.controller, name="controller") if prefix.controller else None,
    )
    beamline.fpga.timing = beamline.timing
    _assign_servers(beamline)
    _set_laser_numbers(beamline.laser_fluence, config.laser)
    check_names(config, beamline.devices())
    return beamline


def _assign_servers(beamline: Beamline) -> None:
    """Assign each device to the server of its records."""
    by_optics = (beamline.mono, beamline.xray_shutter)
    about = (beamline.optics_put_log, beamline.station_put_log, beamline.controller)
    without = (beamline.ring, beamline.scan_state, beamline.optics_server, beamline.station_server, *about)
    serves(beamline.optics_server, *by_optics)
    others = [device for device in beamline.devices().values() if device not in (*by_optics, *without)]
    serves(beamline.station_server, *others)


def _set_laser_numbers(fluence: LaserFluence, numbers: LaserNumbers) -> None:
    """Put the measured laser parameters into their soft signals."""
    fluence.full_energy.put(numbers.full_energy_uj)
    fluence.extinction.put(numbers.extinction_deg)
    fluence.spot_width.put(numbers.spot_um[0])
    fluence.spot_height.put(numbers.spot_um[1])


def instruments(beamline: Beamline, clock_rate: float, times: MoveTimes | None = None) -> Instruments:
    """The devices that scans move and read."""
    always = (beamline.laser, beamline.laser_fluence, beamline.ring, beamline.jet)
    return Instruments(
        energy=beamline.mono,
        delay=beamline.laser_delay,
        laser_shutter=beamline.laser.shutter,
        counters=tuple(counter for counter in (beamline.fpga, beamline.i0, beamline.boxcar) if counter),
        dwell_label=beamline.scan_state,
        timing=beamline.timing,
        readables=(*always, beamline.apd) if beamline.apd else always,
        clock_rate=clock_rate,
        fluence=beamline.laser_fluence,
        xray_shutter=beamline.xray_shutter,
        times=times or MoveTimes(),
    )
