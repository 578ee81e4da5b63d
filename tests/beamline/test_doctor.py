"""The doctor: every record is read, faults are named with a remedy, and nothing is put or written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import epics
import pytest
from ophyd import Component as Cpt
from ophyd import Device
from ophyd.signal import EpicsSignalBase
from rich.console import Console
from typer.testing import CliRunner

from beamline.app import cli
from beamline.app.doctor import machine, records, servers
from beamline.app.doctor.finding import BAD, GOOD
from beamline.app.doctor.report import Report, as_text, examine, show
from beamline.session.read_only import ReadOnlySession
from beamline.session.session import Session, start
from beamline.station.build import build
from devices.base import settings
from devices.base.settings import Setting
from devices.base.signals import PhaseArray, Readback
from tests.beamline.configurations import configuration, with_records
from tests.helpers.ioc_process import RunningIoc, StartIoc

TRXAS = [sys.executable, "-c", "from beamline.app.cli import main; main()"]


def states(report: Report) -> dict[str, str]:
    return {finding.what: finding.state for finding in report.machine}


def printed(report: Report) -> str:
    console = Console(width=200, highlight=False)
    with console.capture() as captured:
        show(report, console)
    return captured.get()


@pytest.fixture(scope="module")
def healthy(simulated_beamline: RunningIoc, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The default simulated beamline; a busy machine may take long to find it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("beamline.app.doctor.records.CONNECT_TIMEOUT", 60.0)
        return examine(configuration(tmp_path_factory.mktemp("healthy") / "data"), read_only=False)


@pytest.fixture
def no_puts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of records that are put to."""
    put: list[str] = []

    def refuse(chid: Any, *args: Any, **kwargs: Any) -> int:
        put.append(epics.ca.name(chid))
        return 0

    monkeypatch.setattr(epics.ca, "put", refuse)
    monkeypatch.setattr(settings, "put", lambda pv, *_: put.append(pv.pvname))
    return put


def test_a_simulated_beamline_is_healthy_and_every_record_is_read(healthy: Report) -> None:
    assert healthy.healthy, [finding for finding in healthy.findings if finding.state == BAD]
    assert all(record.there and record.latency > 0 for record in healthy.records)
    wanted = set()
    for device in build(configuration(Path("nowhere"))).devices().values():
        for entry in device.walk_signals():
            if isinstance(entry.item, EpicsSignalBase):
                wanted |= {entry.item.pvname, getattr(entry.item, "setpoint_pvname", entry.item.pvname)}
    assert {record.pv for record in healthy.records} == wanted and len(wanted) > 100


def test_type_length_unit_and_limits_are_reported(healthy: Report) -> None:
    by_name = {record.pv.removeprefix("sim:"): record for record in healthy.records}
    counts, energy = by_name["7idd:FPGA1:Counts"], by_name["7ida:BraggEAO"]
    assert (counts.kind, counts.count, counts.unit) == ("long", 120, "counts")
    assert (energy.kind, energy.count, energy.unit, energy.limits) == ("double", 1, "keV", (6.0, 24.0))
    assert (
        energy.writable and by_name["7ida:KohzuMoving"].kind == "enum" and by_name["7ida:KohzuMoving"].value == "Done"
    )
    assert by_name["7idd:scaler1.NM2"].value == "I0" and by_name["7idd:Laser:LockError_RBV"].limits is None
    assert -2 < by_name["S-DCCT:CurrentM"].age < 300


def test_clocks_of_the_servers_are_compared(healthy: Report) -> None:
    found = {finding.what: finding for finding in healthy.machine}
    for name in ("server optics", "server station"):
        assert found[name].state == GOOD and "clock agrees" in found[name].message


def test_every_record_of_a_missing_device_is_named(simulated_beamline: RunningIoc, tmp_path: Path) -> None:
    config = configuration(tmp_path)
    report = examine(with_records(config, "fpga", prefix="sim:nowhere:"), read_only=True)
    missing = {record.pv for record in report.records if not record.there}
    assert missing == {record.pv for record in report.records if record.device == "fpga"} and len(missing) == 16
    assert not report.healthy
    assert {finding.what for finding in report.findings if finding.state == BAD} == missing
    text = printed(report)
    assert all(pv in text for pv in missing) and "start the IOC of fpga, or correct its prefix" in " ".join(
        text.split()
    )


class Odd(Device):
    """Signals that do not fit their records."""

    unit = Cpt(Readback, "7ida:BraggERdbkAO", units="eV")
    refused = Cpt(Setting, "7idd:Jet:Flow_RBV")
    kind_of = Cpt(PhaseArray, "7idd:Jet:Flow")
    fine = Cpt(Setting, "7idd:Jet:Flow", units="mL/min")


def test_a_record_that_is_not_what_its_device_expects_is_reported(simulated_beamline: RunningIoc) -> None:
    odd = Odd("sim:", name="odd")
    for read_only, wanted in ((True, {"unit", "kind_of"}), (False, {"unit", "kind_of", "refused"})):
        query = records.query_records({"odd": odd}, read_only=read_only)
        by_name = {record.signal: record.findings[0] for record in query if record.state == BAD}
        assert set(by_name) == wanted
        assert by_name["unit"].message == "is in keV, not in eV"
        assert (
            "not an array of integers" in by_name["kind_of"].message
            and "belong to this device" in by_name["kind_of"].todo
        )
    assert "write access" in by_name["refused"].todo


def test_faults_are_reported_by_name_and_a_hung_server_is_not_waited_for(start_ioc: StartIoc, tmp_path: Path) -> None:
    ioc = start_ioc()
    config = configuration(tmp_path / "data", ioc.prefix)
    devices = build(config).devices()
    for name, value in (("EnergyNaN", 1), ("AlarmOn", "7idd:Laser:PulseEnergy_RBV")):
        assert epics.caput(ioc.name(f"Fault:{name}"), value, wait=True, timeout=10) == 1
    report = examine(config, read_only=True)
    bad = {finding.what: finding.message for finding in report.findings if finding.state == BAD}
    assert bad[ioc.name("7ida:BraggERdbkAO")] == "is not a number"
    assert bad[ioc.name("7idd:Laser:PulseEnergy_RBV")] == "is in MAJOR alarm"
    os.kill(ioc.process.pid, signal.SIGSTOP)
    try:
        query = records.query_records(devices)
        counting = servers.check_servers(devices)
    finally:
        os.kill(ioc.process.pid, signal.SIGCONT)
    assert {record.state for record in query} == {BAD} and len(query) == len(report.records)
    assert all("does not answer" in finding.message for record in query for finding in record.findings)
    assert all(finding.state == BAD and "has not counted" in finding.message for finding in counting)


def test_a_clock_that_is_off_is_reported(
    simulated_beamline: RunningIoc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = SimpleNamespace(
        time=lambda: time.time() - 100, monotonic=time.monotonic, sleep=time.sleep, perf_counter=time.perf_counter
    )
    monkeypatch.setattr(records, "time", late)
    monkeypatch.setattr(servers, "time", late)
    devices = build(configuration(tmp_path)).devices()
    (ring, *_) = records.query_records({"ring": devices["ring"]})
    assert ring.state == BAD and "in the future" in ring.findings[0].message and "NTP" in ring.findings[0].todo
    records.query_records({"station_server": devices["station_server"]})
    (station,) = servers.check_servers({"station_server": devices["station_server"]})
    assert station.state == BAD and "its clock is +" in station.message


def test_nothing_is_put_and_read_only_writes_nothing(
    simulated_beamline: RunningIoc, tmp_path: Path, no_puts: list[str]
) -> None:
    config = configuration(tmp_path / "data")
    assert examine(config, read_only=True).healthy
    assert not no_puts and not list(tmp_path.iterdir())
    assert "synced file" in machine.check_root(config, read_only=False).message
    assert not list(tmp_path.iterdir())  # its test file is gone again


def test_the_exit_status_shows_whether_all_is_well(simulated_beamline: RunningIoc, tmp_path: Path) -> None:
    def doctor(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        variables = {**os.environ, "HOME": str(tmp_path / "home"), "PYTHONPATH": str(Path(__file__).parents[2])}
        return subprocess.run(
            [*TRXAS, "doctor", *arguments], capture_output=True, text=True, timeout=120, cwd=tmp_path,
            env=variables | environment, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    well = doctor("--read-only", "--json", "-")
    assert well.returncode == 0, well.stdout + well.stderr
    report = json.loads(well.stdout)
    assert report["healthy"] and len(report["records"]) > 100 and report["records"][0]["unit"] == "keV"
    assert not list(tmp_path.iterdir())
    ill = doctor("--brief", "--json", "report.json", EPICS_CA_ADDR_LIST="192.0.2.1")
    assert ill.returncode == 1 and "192.0.2.1" in ill.stdout and "Traceback" not in ill.stderr
    assert not json.loads((tmp_path / "report.json").read_text())["healthy"]


def test_read_only_refuses_to_write_its_report(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    done = CliRunner().invoke(cli.app, ["doctor", "--read-only", "--json", str(path)])
    assert done.exit_code != 0 and "--json - prints" in " ".join(done.output.split()) and not path.exists()


def test_a_simulated_configuration_reads_no_record_beyond_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EPICS_CA_ADDR_LIST", "192.0.2.1")
    report = examine(configuration(tmp_path), read_only=True)
    assert not report.records and states(report)["Channel Access"] == BAD


def test_the_report_has_no_numbers_that_json_lacks(healthy: Report) -> None:
    assert json.loads(as_text(healthy))["seconds"] == healthy.seconds
    missing = records.RecordReport(device="a", signal="b", pv="c")
    assert missing.as_json()["latency"] is None


def test_a_read_only_session_looks_and_leaves_control_to_others(simulated_beamline: RunningIoc, tmp_path: Path) -> None:
    root = tmp_path / "data"
    config = configuration(root)
    with start(config, read_only=True, fill_catalogue=False, notify=lambda text: None) as looking:
        assert isinstance(looking, ReadOnlySession) and looking.read_only and "RE" not in looking.names()
        assert not root.exists()
        assert looking.beamline.mono.read()["mono_energy"]["value"] > 0
        before = looking.beamline.fpga.preset_time.get()
        with pytest.raises(Exception, match=r"[Rr]ead.?[Oo]nly|write access|not writable"):
            looking.beamline.fpga.preset_time.set(before + 1).wait(timeout=5)
        assert looking.beamline.fpga.preset_time.get() == before
        with start(config, fill_catalogue=False, notify=lambda text: None) as working:
            assert isinstance(working, Session)
