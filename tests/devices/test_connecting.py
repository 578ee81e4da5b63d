"""Building connects nothing; connecting names everything that is missing."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from ophyd import Device
from ophyd.signal import EpicsSignalBase
from ophyd.utils.errors import DisconnectedError

from beamline.config.models import load
from beamline.station.build import build
from beamline.station.connect import NotConnectedError, connect
from devices.instruments.counter import PhotonCounter
from devices.instruments.laser import Laser
from devices.instruments.mono import Monochromator
from tests.devices.builds import configuration, released
from tests.helpers.ioc_process import ROOT, RunningIoc

IMPORT_ALL = """
import pkgutil, importlib, threading
import epics, ophyd
before = threading.active_count()
import devices
for module in pkgutil.iter_modules(devices.__path__, "devices."):
    importlib.import_module(module.name)
print(len(epics.pv._PVcache_), len(epics.ca._cache), threading.active_count() - before)
"""

BUILD_NONSENSE = """
from tests.devices.builds import configuration
from beamline.station.build import build
from ophyd.signal import EpicsSignalBase
def refuse(*args, **kwargs):
    raise SystemExit("building waited for a record")
EpicsSignalBase.wait_for_connection = EpicsSignalBase.get = refuse
beamline = build(configuration("nonsense:"))
print(sum(device.connected for device in beamline.devices().values()))
"""


def run(script: str) -> list[str]:
    """What a Python of its own prints; it has to end by itself."""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_importing_device_classes_makes_no_channel_and_no_thread() -> None:
    assert run(IMPORT_ALL) == ["0", "0", "0"]


def test_building_waits_for_no_record_and_leaves_nothing_blocked() -> None:
    connected = run(BUILD_NONSENSE)
    assert connected == ["1"]  # only the soft signals of the place in the scan


def test_connecting_names_all_missing_records_with_their_devices(simulated_beamline: RunningIoc) -> None:
    prefix = simulated_beamline.prefix
    beamline = build(configuration(prefix, mono="absent:", i0="absent:scaler1", laser_delay={"fine_prefix": "absent:"}))
    with released(beamline.devices()), pytest.raises(NotConnectedError) as error:
        connect(beamline.devices(), 2.0)
    message = str(error.value)
    assert message.startswith("14 records did not answer within 2 s (")
    missing = dict(part.split(": ", 1) for part in message[message.index("(") + 1 : message.index(")")].split("; "))
    assert {device: set(names.split(", ")) for device, names in missing.items()} == {
        "mono": {
            "absent:BraggEAO",
            "absent:BraggERdbkAO",
            "absent:BraggThetaAO",
            "absent:BraggThetaRdbkAO",
            "absent:KohzuModeBO",
            "absent:KohzuMoving",
        },
        "i0": {f"absent:scaler1.{field}" for field in ("S2", "T", "TP", "CNT", "NM2", "FREQ")},
        "laser_delay": {"absent:actualDelay", "absent:delay"},
    }
    assert "EPICS_CA_ADDR_LIST" in message


def test_where_nothing_answers_one_record_stands_for_all() -> None:
    beamline = build(configuration("absent:"))
    with released(beamline.devices()), pytest.raises(NotConnectedError) as error:
        connect(beamline.devices(), 0.1)
    count = str(error.value).split(" records did not answer")[0]
    first = f"mono: absent:7ida:BraggEAO and {int(count) - 1} more"
    assert error.value.brief.startswith(f"None of {count} records answered within 0.1 s ({first}). Is the IOC running")


def test_records_of_another_type_or_length_are_named_together_with_those_that_are_missing(
    simulated_beamline: RunningIoc, soft_prefix: str
) -> None:
    """Prefixes that belong to other devices: numbers where counts by phase should be, an array of another length."""
    odd = {"fpga": f"{soft_prefix}counter-floats:", "jet": "absent:"}
    beamline = build(configuration(simulated_beamline.prefix, **odd))
    ragged = PhotonCounter(f"{soft_prefix}counter-ragged:", name="ragged")
    text = PhotonCounter(f"{soft_prefix}counter-texts:", name="text")
    devices = {**beamline.devices(), "ragged": ragged, "text": text}
    with released(devices), pytest.raises(NotConnectedError) as error:
        connect(devices, 2.0)
    message = str(error.value)
    assert message.startswith(
        "3 records did not answer within 2 s (jet: absent:Flow, absent:Flow_RBV, absent:Running_RBV)"
    )
    assert "3 records not as expected (" in message
    for sentence in (
        "fpga: soft:counter-floats:Counts is of type double, not an array of integers",
        "ragged: soft:counter-ragged:PairGates has 99 elements, not 5 rows",
        "text: soft:counter-texts:Coinc is of type string, not an array of integers",
    ):
        assert sentence in message


def test_a_beamline_that_is_not_there_is_reported_within_five_seconds() -> None:
    config = configuration("absent:")
    assert load("simulated").connect_timeout <= 5
    beamline = build(config)
    with released(beamline.devices()):
        begun = time.monotonic()
        with pytest.raises(NotConnectedError) as error:
            connect(beamline.devices(), 1.0)
        assert time.monotonic() - begun < 5
    for name, device in beamline.devices().items():
        for signal in device.walk_signals(include_lazy=True):
            if isinstance(signal.item, EpicsSignalBase):
                assert signal.item.pvname in str(error.value), name


@pytest.mark.parametrize(("kind", "value"), [(Monochromator, 13.5), (Laser, 1), (PhotonCounter, None)])
def test_a_device_that_is_not_connected_refuses_by_name(kind: type[Device], value: float | None) -> None:
    device = kind("absent:", name="probe")
    with released({"probe": device}), pytest.raises((DisconnectedError, TimeoutError), match=r"absent:"):
        if isinstance(device, PhotonCounter):
            device.read()
        elif isinstance(device, Laser):
            device.shutter.set(value).wait(5)
        else:
            device.set(value).wait(5)


def test_a_type_that_pyepics_has_lost_is_asked_again(simulated_beamline: RunningIoc) -> None:
    """A channel that connects while its PV is being made is left with the type "unknown"."""
    laser = Laser("sim:7idd:Laser:", name="laser")
    connect({"laser": laser}, 20)
    channel = laser.repetition_rate._read_pv
    found = channel.type, channel.ftype
    channel._args["type"], channel.ftype = "unknown", -1
    connect({"laser": laser}, 20)
    assert (channel.type, channel.ftype) == found


@pytest.mark.parametrize(
    "missed", ["_access_rights_valid", "_received_first_metadata", "_connection_states", "connected"]
)
def test_what_pyepics_has_not_reported_is_asked_again(
    simulated_beamline: RunningIoc, monkeypatch: pytest.MonkeyPatch, missed: str
) -> None:
    """A busy machine may miss one of the notifications that ophyd waits for, and they come only once."""
    monkeypatch.setattr("beamline.station.connect.PATIENCE", 0.3)
    laser = Laser("sim:7idd:Laser:", name="laser")
    connect({"laser": laser}, 20)
    signal = laser.shutter.status
    if missed == "connected":
        signal._read_pv.connected = False
        signal._connection_states[signal.pvname] = False
    else:
        getattr(signal, missed)[signal.pvname] = False
    signal._metadata["connected"] = False
    signal._signal_is_ready.clear()
    connect({"laser": laser}, 3)
    assert signal.connected
