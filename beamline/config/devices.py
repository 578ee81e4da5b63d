"""The devices of a beamline and the roles that they play: tables ``[devices.NAME]`` and ``[roles]``."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from beamline.config.classes import CLASSES, FACILITY_RECORDS, OWN_CLASS, SERVER, record_arguments
from beamline.config.entries import Section

NEEDED = ("energy", "i0", "counters")
"""Roles without which nothing can be measured."""
READ_IN_A_DWELL = ("energy", "delay", "temperature", "timing", "i0", "counters", "readables")
"""Roles whose devices are read with each dwell, once each."""
SCAN_STATE = "scan_state"
"""The device that labels dwells; every session has it."""
SESSION_NAMES = frozenset(
    {
        "session", "RE", "bp", "bps", "beamline", "plans", "preview", "resume", "energy_scan", "delay_scan",
        "fluence_scan", "continuous_scan", "delay_series", "temperature_series", "background_run", "find_threshold",
        "find_gate", "find_time_zero", "find_energy", "find_overlap", "find_windows", "find_flux", "find_jet",
        "find_crystal", "find_knife", "find_focus", "findings", "check_all", "commission", "goto", "night_row",
        SCAN_STATE,
    }
)  # fmt: skip
"""Names of a session that no device may have."""
SIM_PREFIX = "sim:"
SIMULATED = re.compile(r"sim\w*:")
"""What records of a simulator begin with."""


class DeviceEntry(BaseModel):
    """A device. Further keys are keyword arguments of its class, or values of its soft signals."""

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True)

    kind: str = Field(alias="class")
    """Short name of a class, or ``package.module:Class`` of your own, beside the configuration file or installed; the
    latter only in a file that you name."""
    prefix: str = ""
    """What precedes the suffixes of its records, or the full name of its record."""
    server: str | None = None
    """Device of class ``server`` whose heartbeat shows that the values of this one are fresh."""

    @property
    def arguments(self) -> dict[str, Any]:
        """Further keyword arguments."""
        return dict(self.model_extra or {})

    @property
    def records(self) -> dict[str, str]:
        """Prefix, and keyword arguments that are records or prefixes of records, by key."""
        given = {name: self.arguments.get(name) for name in record_arguments(self.kind)}
        prefix = {"prefix": self.prefix} if "prefix" in self.model_fields_set else {}
        return prefix | {name: str(value) for name, value in given.items() if value is not None}


class Roles(Section):
    """Which device plays which role, by their names; a part of a device is ``device.part``."""

    energy: str | None = None
    """X-ray energy; needed."""
    i0: str | None = None
    """Intensity before the sample; needed."""
    counters: tuple[str, ...] = ()
    """Detectors that are triggered for each dwell, at least one; the first gives the phase of the laser."""
    threshold: str | None = None
    """Threshold (mV) of the discriminator of the first counter, which `find_threshold` sets."""
    delay: str | None = None
    """Pump-probe delay."""
    fluence: str | None = None
    """Laser fluence."""
    sweep: str | None = None
    """Trajectory of the energy with frames of the first counter, for `continuous_scan`."""
    temperature: str | None = None
    """Temperature of the sample, degC."""
    area_detector: str | None = None
    """Detector that takes the images of a temperature series."""
    laser_shutter: str | None = None
    """Shutter of the pump laser; without it scans have the laser off."""
    second_crystal: str | None = None
    """Angle (urad) of the second crystal of the monochromator, which `find_crystal` sets."""
    attenuator: str | None = None
    """Absorbance (natural logarithm) of filters before I0, which `find_flux` sets, and by which it tests I0."""
    i0_gain: str | None = None
    """Gain of the amplifier of I0 (V/A), which `find_flux` sets."""
    foil_stage: str | None = None
    """Stage that moves foils into the beam for `find_energy`, to the positions of ``[commissioning.foils]``."""
    laser_steering: tuple[str, ...] = ()
    """Two axes that move the spot of the laser on the sample, which `find_overlap` and `find_knife` set."""
    laser_focus: str | None = None
    """Position (mm) of the lens of the laser, which `find_focus` sets."""
    knife: tuple[str, ...] = ()
    """Two blades at the sample (um), along the flow of the jet and across it, for `find_knife`."""
    knife_diode: str | None = None
    """Photodiode behind the knife, a channel of the scaler that counts I0; it sees X-rays and laser."""
    timing: str | None = None
    """Bunches of the ring and laser divider."""
    ring: str | None = None
    """Storage ring."""
    bunch_currents: str | None = None
    """Currents of the bunches, or a fast monitor of them, read with each dwell."""
    xray_shutter: str | None = None
    """X-ray shutter of the station, for background runs."""
    readables: tuple[str, ...] = ()
    """Devices that are read with each dwell."""
    digitiser: str | None = None
    """Shot-by-shot digitiser."""
    controller: str | None = None
    """Record (a text) that names the controlling session."""
    put_logs: tuple[str, ...] = ()
    """Records with the last line of a put log (caPutLog)."""

    def entries(self) -> dict[str, str | list[str]]:
        """Roles that are assigned, with a name or a list of names."""
        named = {role: getattr(self, role) for role in type(self).model_fields}
        return {role: names if isinstance(names, str) else list(names) for role, names in named.items() if names}


@dataclass(frozen=True)
class Station:
    """Devices by name, and their roles."""

    devices: Mapping[str, DeviceEntry] = field(default_factory=dict)
    roles: Roles = field(default_factory=Roles)

    def own_records(self) -> set[str]:
        """Prefixes and records that one session at a time controls: not those of the facility."""
        found: set[str] = set()
        for entry in self.devices.values():
            if not (entry.kind in CLASSES and CLASSES[entry.kind].shared):
                found |= {each for name, each in entry.records.items() if name not in FACILITY_RECORDS}
        return found - {""}


def station_faults(station: Station, mode: str) -> list[str]:
    """What is wrong with devices and roles, a sentence each that names the entry and the way out."""
    faults = [fault for name, entry in station.devices.items() for fault in _faults_of(name, entry, station)]
    return [*faults, *_faults_of_names(station, mode), *_faults_of_roles(station)]


def _faults_of(name: str, entry: DeviceEntry, station: Station) -> Iterator[str]:
    where = f"devices.{name}"
    if not name.isidentifier() or keyword.iskeyword(name):
        yield f"{where}: a device needs a name of letters, digits and '_' that begins with a letter"
    if name in SESSION_NAMES:
        yield f"{where}: {name} is a name of the session; give the device another one"
    if entry.kind not in CLASSES and not OWN_CLASS.fullmatch(entry.kind):
        yield (
            f"{where}.class: {entry.kind!r} is not known; write package.module:Class, or one of"
            f" {', '.join(sorted(CLASSES))}"
        )
    served = station.devices.get(entry.server or "")
    if entry.server is not None and (served is None or served.kind != SERVER):
        servers = [each for each, other in station.devices.items() if other.kind == SERVER]
        yield f"{where}.server: {entry.server} is no device of class server; there is {', '.join(servers) or 'none'}"


def _faults_of_names(station: Station, mode: str) -> Iterator[str]:
    records = {
        f"devices.{name}" if key == "prefix" else f"devices.{name}.{key}": record
        for name, entry in station.devices.items()
        for key, record in entry.records.items()
    }
    simulated = [where for where, record in records.items() if record.startswith(SIM_PREFIX)]
    real = [where for where, record in records.items() if not SIMULATED.match(record)]
    if mode == "sim" and real:
        yield f"mode is sim, but these prefixes do not begin with '{SIM_PREFIX}': {', '.join(real)}"
    if mode == "real" and simulated:
        yield f"mode is real, but some prefixes begin with '{SIM_PREFIX}': {', '.join(simulated)}"
    seen: dict[str, str] = {}
    for name, entry in station.devices.items():
        identity = f"{entry.kind} {entry.prefix} {sorted(entry.arguments.items())!r}"
        if identity in seen:
            yield f"devices.{name}: the same device as {seen[identity]}; remove one, or correct its prefix"
        seen.setdefault(identity, name)


def _faults_of_roles(station: Station) -> Iterator[str]:
    given = station.roles.entries()
    for role in NEEDED:
        if role not in given:
            example = '["NAME"]' if role == "counters" else '"NAME"'
            yield f"roles.{role}: is missing; write {role} = {example} of a device below [roles]"
    for role, names in given.items():
        for name in [names] if isinstance(names, str) else names:
            if name.partition(".")[0] not in {*station.devices, SCAN_STATE}:
                known = ", ".join(station.devices) or "none"
                yield f"roles.{role}: there is no device {name}; write [devices.{name}], or one of {known}"
    read: dict[str, str] = {}
    for role in READ_IN_A_DWELL:
        names = given.get(role, [])
        for name in [names] if isinstance(names, str) else names:
            if name in read:
                yield f"roles.{role}: {name} is read already, as {read[name]}; remove it here"
            read.setdefault(name, role)
