"""Devices for tests: a whole beamline below any prefix, and the records that a server lists."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import epics
from ophyd import Device

from beamline.config.models import Configuration, load
from beamline.station.build import Beamline, build
from beamline.station.connect import connect
from devices.base.health import problems
from tests.beamline.configurations import moved, with_records
from tests.helpers.ioc_process import ROOT

CONNECT_TIMEOUT = 40.0
"""Seconds that a busy machine may take to connect, or to do what a test waits for."""
WITHIN = 5.0
"""Seconds within which a fault has to be reported."""
PATIENCE = 30.0
"""Seconds that a busy machine may take instead."""
DEVICES = (*load("simulated").station.devices, "scan_state")


def configuration(prefix: str = "sim:", **records: str | dict[str, str]) -> Configuration:
    """The simulated configuration with another prefix before all names, or with other records of some devices."""
    config = moved(load("simulated"), prefix)
    for name, other in records.items():
        config = with_records(config, name, **({"prefix": other} if isinstance(other, str) else other))
    return config


@contextmanager
def released(devices: Mapping[str, Device]) -> Iterator[None]:
    """Stop what may still be moving at the end; channels stay until the process ends (see tests/conftest.py)."""
    try:
        yield
    finally:
        for device in devices.values():
            if device.connected:
                device.stop(success=True)


@contextmanager
def connected_beamline(prefix: str) -> Iterator[Beamline]:
    """All devices of a simulated beamline, connected."""
    beamline = build(configuration(prefix))
    with released(beamline.devices()):
        connect(beamline.devices(), CONNECT_TIMEOUT)
        yield beamline


@contextmanager
def as_found(beamline: Beamline) -> Iterator[None]:
    """Put back at the end what tests set on a beamline that they share."""
    assert beamline.boxcar is not None
    settings = (
        beamline.laser_delay.generator_setpoint,
        beamline.laser_delay.fine_setpoint,
        beamline.laser_delay.fine_margin,
        beamline.jet.setpoint,
        beamline.laser_fluence.angle_setpoint,
        beamline.fpga.preset_time,
        beamline.i0.preset_time,
        beamline.boxcar.preset_time,
        beamline.mono.mode,
        beamline.laser_fluence.spot_width,
        beamline.laser_fluence.full_energy,
        beamline.laser_delay.t0,
    )
    before = [signal.get() for signal in settings]
    energy = beamline.mono.setpoint.get()
    try:
        yield
    finally:
        beamline.laser.shutter.set(0).wait(10)
        for signal, value in zip(settings, before, strict=True):
            if signal.get() != value:
                signal.put(value)
        if beamline.mono.setpoint.get() != energy:
            for approached in (energy - 1e-3, energy):
                beamline.mono.set(approached).wait(10)


def record(name: str) -> Any:
    """Value of a record, read by a separate client."""
    value = epics.caget(name, use_monitor=False, timeout=CONNECT_TIMEOUT)
    assert value is not None, name
    return value


def until(condition: Callable[[], bool], what: str, seconds: float = CONNECT_TIMEOUT) -> float:
    """Wait for something that comes by itself soon; the moment (of `time.monotonic`) when it had come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: still not"
        time.sleep(0.002)
    return time.monotonic()


@dataclass(frozen=True)
class Listed:
    """A record as the server lists it."""

    type: str
    count: int
    unit: str
    limits: tuple[float, float] | None
    writable: bool


def listed_records(prefix: str = "sim:", *options: str) -> dict[str, Listed]:
    """Every record that a simulator lists: ``python -m sim_ioc --list``."""
    command = [sys.executable, "-m", "sim_ioc", "--prefix", prefix, "--list", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    return dict(_row(line) for line in done.stdout.splitlines())


def _row(line: str) -> tuple[str, Listed]:
    name, kind, count, unit, limits, access, _ = re.split(r"\s{2,}", line.strip(), maxsplit=6)
    ends: Any = None if limits == "-" else tuple(float(end) for end in limits.split(".."))
    return name, Listed(kind, int(count), "" if unit == "-" else unit, ends, access == "rw")


def reported(device: Any, sentence: str) -> float:
    """Seconds until `problems` contains the sentence."""
    begun = time.monotonic()
    while not (found := [each for each in problems(device) if sentence in each]):
        assert time.monotonic() - begun < PATIENCE, f"{sentence}: not in {problems(device)}"
        time.sleep(0.01)
    assert found[0].startswith(f"{device.name}: ")
    return time.monotonic() - begun
