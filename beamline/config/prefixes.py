"""The PV prefixes of a beamline, and their checks against each other."""

from __future__ import annotations

from collections.abc import Mapping

from beamline.config.entries import Section

SIM_PREFIX = "sim:"
MAY_BE_EQUAL = frozenset({"ring", "stage", "optics_server", "station_server"})
"""Prefixes that devices may share, of records in a common name space."""


class Prefixes(Section):
    """PV prefixes of the devices."""

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
