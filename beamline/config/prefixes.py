"""Table ``[prefixes]``, which names the devices of 7-ID-D: read as the devices and roles that it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from beamline.config.devices import SIM_PREFIX, DeviceEntry, Roles, Station
from beamline.config.entries import Section

MAY_BE_EQUAL = frozenset({"ring", "stage", "optics_server", "station_server"})
"""Prefixes that devices may share, of records in a common name space."""


class LaserNumbers(Section):
    """Measured parameters of the pump laser beside ``[prefixes]``; else keys of the device of class ``wave_plate``."""

    full_energy_uj: float = Field(default=0.357, gt=0)
    """Pulse energy with the wave plate 45 deg from extinction."""
    extinction_deg: float = Field(default=0.0, ge=-360, le=360)
    """Angle of the wave plate at extinction."""
    spot_um: tuple[float, float] = (45.0, 50.0)
    """Full widths at half maximum of the laser spot, along and across the jet."""


class Prefixes(Section):
    """PV prefixes of the devices of 7-ID-D, in place of ``[devices.NAME]`` and ``[roles]``."""

    mono: str
    """Monochromator with its Kohzu controller."""
    scaler: str
    """Scaler record that counts I0; full record name."""
    i0_amplifier: str
    """Gain and dark rate of the I0 amplifier."""
    fpga: str
    """Photon counter."""
    laser: str
    """Pump laser: lock, pulse energy, shutter."""
    wave_plate: str
    """Motor record of the wave plate; full record name."""
    delay: str
    """Delay generator."""
    fine_delay: str
    """Phase shifter for the fine delay."""
    timing: str
    """RF, bunches and divider."""
    ring: str
    """Current, mode and permit of the storage ring; may be empty."""
    xray_shutter: str
    """X-ray shutter of the station."""
    jet: str
    """Flow of the liquid jet."""
    stage: str
    """Prefix of the motor records of the sample stage."""
    optics_server: str
    """Heartbeat of the server of monochromator and X-ray shutter."""
    station_server: str
    """Heartbeat of the server of all devices in the station."""
    apd: str | None = None
    """Detector and discriminator; omit if they have no records."""
    boxcar: str | None = None
    """Boxcar averager; omit if there is none."""
    digitiser: str | None = None
    """Shot-by-shot digitiser; omit if there is none."""
    optics_put_log: str | None = None
    """Record with the last line of the put log (caPutLog) of the optics server. Omit if there is none."""
    station_put_log: str | None = None
    """That of the station server."""
    controller: str | None = None
    """Record (a text) that names the controlling session, for machines that share no folder for locks. Omit if there is
    none."""


def translated(prefixes: Prefixes, laser: LaserNumbers, i0_channel: int) -> Station:
    """The devices and roles that an old configuration stands for."""
    rows = _rows(prefixes, laser, i0_channel)
    devices = {name: DeviceEntry.model_validate(row) for name, row in rows.items() if row["prefix"] is not None}
    optional: dict[str, Any] = {role: role for role in ("digitiser", "controller") if role in devices}
    readables = ("laser", "laser_fluence", "ring", "jet", "apd")
    roles = Roles(
        energy="mono",
        i0="i0",
        counters=tuple(name for name in ("fpga", "boxcar") if name in devices),
        delay="laser_delay",
        fluence="laser_fluence",
        laser_shutter="laser.shutter",
        timing="timing",
        ring="ring",
        xray_shutter="xray_shutter",
        readables=tuple(name for name in readables if name in devices),
        put_logs=tuple(name for name in ("optics_put_log", "station_put_log") if name in devices),
        threshold="apd.threshold" if "apd" in devices else None,
        **optional,
    )
    return Station(devices, roles)


def _rows(prefixes: Prefixes, laser: LaserNumbers, i0_channel: int) -> dict[str, dict[str, Any]]:
    """Tables ``[devices.NAME]`` of the devices of 7-ID-D."""
    optics, station = {"server": "optics_server"}, {"server": "station_server"}
    channel = {"amplifier": prefixes.i0_amplifier, "channel": i0_channel}
    plate = {
        "wave_plate": prefixes.wave_plate,
        "full_energy": laser.full_energy_uj,
        "extinction": laser.extinction_deg,
        "spot_width": laser.spot_um[0],
        "spot_height": laser.spot_um[1],
    }
    permit = f"{prefixes.ring}XFD:ShutterPermit"
    return {
        "mono": {"class": "kohzu", "prefix": prefixes.mono, **optics},
        "i0": {"class": "ion_chamber", "prefix": prefixes.scaler, **channel, **station},
        "fpga": {"class": "photon_counter", "prefix": prefixes.fpga, **station},
        "laser": {"class": "laser", "prefix": prefixes.laser, **station},
        "laser_fluence": {"class": "wave_plate", "prefix": prefixes.laser, **plate, **station},
        "laser_delay": {
            "class": "delay_generator", "prefix": prefixes.delay, "fine_prefix": prefixes.fine_delay, **station,
        },
        "timing": {"class": "bunch_timing", "prefix": prefixes.timing, "ring": prefixes.ring, **station},
        "ring": {"class": "storage_ring", "prefix": prefixes.ring},
        "xray_shutter": {"class": "xray_shutter", "prefix": prefixes.xray_shutter, "permit": permit, **optics},
        "jet": {"class": "jet", "prefix": prefixes.jet, **station},
        "stage": {"class": "sample_stage", "prefix": prefixes.stage, **station},
        "optics_server": {"class": "server", "prefix": prefixes.optics_server},
        "station_server": {"class": "server", "prefix": prefixes.station_server},
        "apd": {"class": "apd", "prefix": prefixes.apd, **station},
        "boxcar": {"class": "boxcar", "prefix": prefixes.boxcar, **station},
        "digitiser": {"class": "digitiser", "prefix": prefixes.digitiser, **station},
        "optics_put_log": {"class": "put_log", "prefix": prefixes.optics_put_log},
        "station_put_log": {"class": "put_log", "prefix": prefixes.station_put_log},
        "controller": {"class": "controller", "prefix": prefixes.controller},
    }  # fmt: skip


def prefix_faults(mode: str, prefixes: Mapping[str, str]) -> list[str]:
    """Faults of the prefixes as a whole, a sentence each."""
    real = [name for name, prefix in prefixes.items() if not prefix.startswith(SIM_PREFIX)]
    found = []
    if mode == "sim" and real:
        found.append(f"mode is sim, but these prefixes do not begin with '{SIM_PREFIX}': {', '.join(real)}")
    if mode == "real" and len(real) < len(prefixes):
        simulated = ", ".join(name for name in prefixes if name not in real)
        found.append(f"mode is real, but some prefixes begin with '{SIM_PREFIX}': {simulated}")
    own = {name: prefix for name, prefix in prefixes.items() if name not in MAY_BE_EQUAL}
    empty = [name for name, prefix in own.items() if not prefix.strip()]
    if empty:
        found.append(f"these prefixes are empty: {', '.join(empty)}")
    doubled = [name for name in own if name not in empty and list(own.values()).count(own[name]) > 1]
    if doubled:
        found.append(f"the same prefix is used by {', '.join(sorted(doubled))}")
    return found


def prefix_faults_of(entries: Mapping[str, object]) -> list[str]:
    prefixes = entries.get("prefixes")
    if not isinstance(prefixes, Mapping):
        return []
    return prefix_faults(str(entries.get("mode")), {k: v for k, v in prefixes.items() if isinstance(v, str)})
