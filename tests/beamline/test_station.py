"""Devices and roles as data: what is wrong with them is one sentence that names the entry, and classes of the user."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from IPython.core.interactiveshell import InteractiveShell
from rich.console import Console

from beamline.app.commands.config import config_command
from beamline.app.doctor.report import examine
from beamline.app.magics import BeamlineMagics
from beamline.config.devices import SCAN_STATE, SESSION_NAMES
from beamline.config.models import ConfigurationError, load
from beamline.config.prefixes import Prefixes
from beamline.session.scans.bind import PLANS
from beamline.session.session import Session, start
from beamline.station.build import build
from plans.protocols import MissingRoleError
from tests.beamline.configurations import ENERGIES
from tests.beamline.session_runs import documents, events
from tests.beamline.station_files import load_station
from tests.helpers.ioc_process import ROOT

PAGE = ROOT / "docs" / "how-to" / "new-detector.md"
BOXCAR = '[devices.boxcar]\nclass = "boxcar"\nprefix = "sim:7idd:UHF:"\nserver = "station_server"\n'
COUNTERS = 'counters = ["apd1", "apd2"]'
FPGA = '[devices.apd1]\nclass = "photon_counter"'


OLD = """
name = "old"
mode = "sim"
i0_channel = 3
[laser]
full_energy_uj = 0.2
[prefixes]
"""


def old_text(**prefixes: str) -> str:
    needed = {name: field for name, field in Prefixes.model_fields.items() if field.is_required()}
    return OLD + "\n".join(f'{name} = "sim:{name}:"' for name in {**needed, **prefixes})


def test_an_old_configuration_is_read_as_the_devices_and_roles_that_it_stands_for(tmp_path: Path) -> None:
    path = tmp_path / "old.toml"
    path.write_text(old_text())
    station = load(path).station
    assert len(station.devices) == 13 and "apd" not in station.devices
    i0, plate = station.devices["i0"], station.devices["laser_fluence"]
    assert (i0.kind, i0.prefix, i0.server) == ("ion_chamber", "sim:scaler:", "station_server")
    assert i0.arguments == {"amplifier": "sim:i0_amplifier:", "channel": 3}
    assert (plate.prefix, plate.arguments["wave_plate"], plate.arguments["full_energy"]) == (
        "sim:laser:", "sim:wave_plate:", 0.2,
    )  # fmt: skip
    assert station.devices["xray_shutter"].server == "optics_server"
    assert station.roles.entries() == {
        "energy": "mono", "i0": "i0", "counters": ["fpga"], "delay": "laser_delay", "fluence": "laser_fluence",
        "laser_shutter": "laser.shutter", "timing": "timing", "ring": "ring", "xray_shutter": "xray_shutter",
        "readables": ["laser", "laser_fluence", "ring", "jet"],
    }  # fmt: skip


def test_an_old_configuration_takes_further_devices(tmp_path: Path) -> None:
    path = tmp_path / "old.toml"
    path.write_text(old_text() + '\n[devices.m1]\nclass = "motor"\nprefix = "sim:m1"\n[roles]\nreadables = ["m1"]')
    station = load(path).station
    assert station.roles.readables == ("m1",) and station.roles.energy == "mono" and "m1" in station.devices
    path.write_text(old_text() + '\n[devices.jet]\nclass = "motor"\nprefix = "sim:m1"')
    with pytest.raises(ConfigurationError, match=r"devices\.jet: \[prefixes\] stands for a device of this name"):
        load(path)


def test_every_name_of_a_session_is_reserved() -> None:
    assert {"session", "RE", "preview", "resume", "plans", SCAN_STATE, *PLANS} <= SESSION_NAMES


REFUSED_AT_ONCE: list[tuple[str, str, str]] = [
    (
        FPGA,
        '[devices.apd1]\nclass = "photon_countr"',
        r"devices\.apd1\.class: 'photon_countr' is not known; write pack",
    ),
    ("[devices.apd1]", "[devices.RE]", r"devices\.RE: RE is a name of the session; give the device another one"),
    ("[devices.apd1]", "[devices.energy_scan]", r"devices\.energy_scan: energy_scan is a name of the session"),
    ("[devices.apd1]", '[devices."apd 1"]', r"devices\.apd 1: a device needs a name of letters, digits"),
    (COUNTERS, "", r'roles\.counters: is missing; write counters = \["NAME"\] of a device below \[roles\]'),
    ('energy = "mono"', "", r'roles\.energy: is missing; write energy = "NAME"'),
    (
        'energy = "mono"',
        'energy = "dcm"',
        r"roles\.energy: there is no device dcm; write \[devices\.dcm\], or one of mono",
    ),
    (COUNTERS, 'counters = ["apd1", "i0"]', r"roles\.counters: i0 is read already, as i0; remove it here"),
    (COUNTERS, 'counters = ["apd1", "apd1"]', r"roles\.counters: apd1 is read already, as counters"),
    ("[roles]", '[devices.mono]\nclass = "motor"\n[roles]', r"Cannot declare \('devices', 'mono'\) twice"),
    (COUNTERS, COUNTERS + '\nmonitor = "i0"', r"roles\.monitor: is not a known entry"),
    (
        'server = "optics_server"',
        'server = "mono"',
        r"devices\.mono\.server: mono is no device of class server; there is",
    ),
    (
        'class = "kohzu"\nprefix = "sim:7ida:"',
        'class = "kohzu"\nprefix = "7ida:"',
        r"do not begin with 'sim:': devices\.mono",
    ),
    (
        'wave_plate = "sim:7idd:m1"',
        'wave_plate = "7idd:m1"',
        r"do not begin with 'sim:': devices\.laser_fluence\.wave_plate",
    ),
    ("[roles]", "[laser]\nfull_energy_uj = 0.3\n[roles]", r"laser: goes with \[prefixes\]; give the device"),
    (
        "[roles]",
        '[devices.twin]\nclass = "laser"\nprefix = "sim:7idd:Laser:"\nserver = "station_server"\n[roles]',
        r"devices\.twin: the same device as laser; remove one",
    ),
]
"""A line of the packaged configuration, what stands there instead, and the sentence."""


@pytest.mark.parametrize(("old", "new", "sentence"), REFUSED_AT_ONCE)
def test_a_wrong_entry_is_named_when_the_file_is_read(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence) as error:
        load_station(tmp_path, "apsu", **{old: new})
    assert "\n" not in str(error.value)


REFUSED_BY_BUILD: list[tuple[str, str, str]] = [
    ("channel = 2", "chanel = 2", r"devices\.i0\.chanel: class ion_chamber has no such argument; it has .*channel"),
    (
        FPGA,
        '[devices.apd1]\nclass = "no_such.package:It"',
        r"devices\.apd1\.class: no_such\.package:It cannot be imported",
    ),
    (
        FPGA,
        '[devices.apd1]\nclass = "pathlib:Path"',
        r"devices\.apd1\.class: pathlib:Path is no class of ophyd devices",
    ),
    (
        FPGA,
        '[devices.apd1]\nclass = "jet"',
        r"roles\.counters: apd1 is not a detector that counts for a preset time: it has",
    ),
    (
        'laser_shutter = "laser.shutter"',
        'laser_shutter = "laser.shuter"',
        r"roles\.laser_shutter: laser has no shuter; it has",
    ),
    (
        'class = "kohzu"',
        'class = "motor_energy"\nunits = "MeV"',
        r"devices\.mono: units: the record is in one of keV, eV, not",
    ),
    ('class = "kohzu"', 'class = "motor_energy"', r"devices\.mono: .*units"),
    (
        "full_energy = 0.357",
        'full_energy = "much"',
        r"devices\.laser_fluence: laser_fluence_full_energy: 'much' is a str",
    ),
]


@pytest.mark.usefixtures("simulated_beamline")  # whose channels are found at once
@pytest.mark.parametrize(("old", "new", "sentence"), REFUSED_BY_BUILD)
def test_a_wrong_device_is_named_when_it_is_built(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    config = load_station(tmp_path, "apsu", **{old: new})
    with pytest.raises(ConfigurationError, match=sentence) as error:
        build(config)
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("simulated_beamline")
def test_the_doctor_shows_a_wrong_device_among_its_findings(tmp_path: Path) -> None:
    report = examine(load_station(tmp_path, "apsu", **{"channel = 2": "chanel = 2"}), read_only=True)
    assert not report.healthy and report.records == []
    assert any("devices.i0.chanel" in finding.message for finding in report.machine)


# --- classes of the user --------------------------------------------------------------------------


def block(language: str, phrase: str) -> str:
    """The block of code of the page that contains a phrase."""
    blocks = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return next(each for each in blocks if phrase in each)


def write_package(folder: Path) -> None:
    """The package of the page beside the configuration file."""
    package = folder / "my_station"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "detectors.py").write_text(block("python", "class Diode"))


def test_a_detector_of_the_page_is_read_into_events_without_a_change_of_the_program(
    simulated_beamline: Any, tmp_path: Path
) -> None:
    write_package(tmp_path)
    instead = {BOXCAR: "", 'counters = ["fpga", "boxcar"]': 'counters = ["fpga", "photodiode"]'}
    config = load_station(tmp_path, "simulated", more=block("toml", "class"), **instead)
    with start(config, fill_catalogue=False, notify=lambda _: None) as session:
        assert isinstance(session, Session) and session.names()["photodiode"] is session.beamline["photodiode"]
        (uid,) = session.RE(session.energy_scan(energies=ENERGIES[:3], dwell=1.0)).run_start_uids
        docs = documents(session, uid)
    assert docs[0][1]["roles"]["counters"] == ["fpga", "photodiode"]
    voltages = [event["data"]["photodiode_voltage"] for event in events(docs, "primary")]
    assert len(voltages) == 12 and all(voltage < 0 for voltage in voltages)
    descriptor = next(doc for name, doc in docs if name == "descriptor" and doc["name"] == "primary")
    assert descriptor["data_keys"]["photodiode_voltage"]["units"] == "V"
    assert descriptor["configuration"]["photodiode"]["data"]["photodiode_preset_time"] == 1.0


@pytest.mark.usefixtures("simulated_beamline")
def test_a_class_of_the_user_is_imported_from_a_file_that_the_user_names_alone(tmp_path: Path) -> None:
    write_package(tmp_path)
    config = load_station(tmp_path, "apsu", more=block("toml", "class"))
    config._file = None  # as read from a packaged configuration
    with pytest.raises(
        ConfigurationError, match=r"devices\.photodiode\.class: my_station\.detectors:Diode is a class of your"
    ):
        build(config)


@pytest.mark.usefixtures("simulated_beamline")
def test_the_command_shows_devices_and_roles_and_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config_command("khz")
    shown = capsys.readouterr().out
    assert re.search(r"mono +motor_energy +sim:id9:mono +units = keV", shown)
    assert re.search(r"laser_shutter +laser\.shutter", shown) and re.search(r"fluence +none", shown)
    assert "Every device can be built" in shown
    load_station(tmp_path, "apsu", **{"channel = 2": "chanel = 2"})
    with pytest.raises(typer.Exit) as left:
        config_command(str(tmp_path / "station.toml"))
    assert left.value.exit_code == 1 and "devices.i0.chanel: class ion_chamber has no" in capsys.readouterr().out


# --- the least that is needed ---------------------------------------------------------------------

LEAST = """
name = "least"
mode = "sim"
[devices.dcm]
class = "kohzu"
prefix = "sim:7ida:"
[devices.ic]
class = "scaler_channel"
prefix = "sim:7idd:scaler1"
[devices.det]
class = "photon_counter"
prefix = "sim:7idd:FPGA1:"
[roles]
energy = "dcm"
i0 = "ic"
counters = ["det"]
"""


def test_energy_i0_and_a_counter_make_a_session(simulated_beamline: Any, tmp_path: Path) -> None:
    path, shown = tmp_path / "least.toml", tmp_path / "shown"
    path.write_text(LEAST)
    root = {"root": str(tmp_path / "data"), "min_free_gb": 0.01}
    config = load(path, clock_rate=200.0, data=root, control={"lock": str(tmp_path)}, display={"live_figure": "off"})
    assert examine(config, read_only=True).healthy
    with start(config, fill_catalogue=False, notify=lambda _: None) as session, shown.open("w") as file:
        assert isinstance(session, Session)
        magics = BeamlineMagics(InteractiveShell(), lambda: session, Console(file=file, width=150))
        for word in (magics.wa, magics.ct):
            word("")
        session.scans.preview(session.scans.plans["energy_scan"], energies=ENERGIES)
        (uid,) = session.RE(session.energy_scan(energies=ENERGIES[:4], dwell=1.0)).run_start_uids
        for plan, role in (("delay_scan", "delay"), ("fluence_scan", "delay"), ("background_run", "laser_shutter")):
            bound = session.scans.plans[plan]
            arguments = {"delay_scan": {"energies": 13.472}, "fluence_scan": {"energy": 13.472}}.get(plan, {})
            with pytest.raises(MissingRoleError, match=f"no device in the role {role}; write {role} = "):
                session.RE(bound(**arguments))
            with pytest.raises(MissingRoleError, match=f"no device in the role {role}; write {role} = "):
                bound.compile(**arguments)
        docs = documents(session, uid)
        assert session.guard.failure is None
    assert docs[0][1]["roles"] == {"energy": "dcm", "i0": "ic", "counters": ["det"]}
    assert docs[0][1]["pattern"] == [0] and "pump_delay" not in docs[0][1] and "t0" not in docs[0][1]
    read = [event["data"] for event in events(docs, "primary")]
    assert [(each["laser_on"], each["quality"]) for each in read] == [(0, "good")] * 4
    assert np.allclose([each["mono_energy"] for each in read], ENERGIES[:4], atol=5e-5)
    assert all(each["i0"] > 1e5 and each["det_counts"].sum() > 1e4 for each in read)
    text = shown.read_text()
    assert re.search(r"^ +dcm +13\.", text, re.MULTILINE) and re.search(r"^det .*photons/pulse", text, re.MULTILINE)
