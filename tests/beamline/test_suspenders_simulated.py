"""Suspenders on the simulated beamline: a scan survives each fault that comes back."""

from __future__ import annotations

import getpass
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import epics
import pytest
from IPython.core.interactiveshell import InteractiveShell
from rich.console import Console

from beamline.app.magics import BeamlineMagics
from beamline.config.entries import XrayShutterEntry
from beamline.config.models import load, packaged_names
from beamline.session.session import Session, start
from plans.execution.failures import InstrumentError
from tests.beamline.configurations import configuration
from tests.beamline.later import later
from tests.devices.builds import record, until
from tests.plans.conftest import Documents

SHUTS = ("BeamDump", "PermitLost")
"""Faults that shut the X-ray shutter."""


FAULTS = {
    "BeamDump": ("beam lost", "no permit for the X-ray shutter"),
    "PermitLost": ("no permit for the X-ray shutter",),
    "LaserUnlocked": ("laser unlocked",),
    "JetStopped": ("jet stopped",),
    "EnergyNaN": ("energy readback off",),
}


@pytest.fixture(scope="module")
def shift(ioc_pool: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Session, Any, list[str]]]:
    """A session with the packaged suspenders on a simulated beamline of this file; each test restores it."""
    ioc = ioc_pool.start("demo", 50.0)
    messages: list[str] = []
    settings = {"reopen": True}
    packaged = configuration(tmp_path_factory.mktemp("shift"), ioc.prefix, 50.0, waiting=True, xray_shutter=settings)
    config = packaged.model_copy(update={"suspenders": load("simulated").suspenders})
    with start(config, fill_catalogue=False, notify=messages.append) as session:
        assert isinstance(session, Session)
        yield session, ioc, messages
    ioc_pool.stop(ioc)


@pytest.mark.parametrize("fault", FAULTS)
def test_on_the_simulated_beamline_a_scan_survives_the_fault(shift: tuple[Session, Any, list[str]], fault: str) -> None:
    """Something fails during a dwell, and recovers once the scan has reported that it waits.

    The X-ray shutter falls shut with its permit, as in a dump; the scan opens it.
    """
    session, ioc, messages = shift
    messages.clear()
    name, documents = ioc.name(f"Fault:{fault}"), Documents()
    token = session.RE.subscribe(documents)
    counting = ioc.name("7idd:FPGA1:Acquire")

    def break_and_mend() -> None:
        until(lambda: len(documents.events()) == 2 and record(counting) == 1, "the third dwell")
        epics.caput(name, 1, wait=True)
        until(lambda: any(line.startswith("WAITING") and "top-up" not in line for line in messages), "the scan waits")
        until(lambda: record(ioc.name("7idd:Laser:ShutterStatus_RBV")) == 0, "the laser is shut meanwhile")
        assert len(documents.events()) == 2
        if fault in SHUTS:
            until(lambda: record(ioc.name("7ida:rShtrA:Status_RBV")) == 0, "the X-ray shutter has fallen shut")
        epics.caput(name, 0, wait=True)

    meddler = threading.Thread(target=break_and_mend)
    meddler.start()
    try:
        session.RE(session.energy_scan(energies=[13.460, 13.472], pattern=(1, 0), dwell=10.0))
    finally:
        meddler.join(30)
        epics.caput(name, 0, wait=True)
        epics.caput(ioc.name("7ida:rShtrA:Open"), 1, wait=True)
        session.RE.unsubscribe(token)
    events = documents.events()
    last = {(data["point_index"], data["segment"]): data for data in events}
    assert list(last) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert {data["quality"] for data in last.values()} == {"good"}
    assert all(data["fpga_elapsed"] == pytest.approx(10.0, rel=1e-6) for data in last.values())
    assert documents.all("stop")[0]["exit_status"] == "success"
    messages = [line for line in messages if "top-up" not in line]  # on a fast clock one may be near
    reasons = {line.removeprefix("WAITING: ").split(" (")[0] for line in messages if line.startswith("WAITING")}
    assert reasons and reasons <= set(FAULTS[fault])
    assert sum(line.startswith("Resumed") for line in messages) == sum(line.startswith("WAITING") for line in messages)
    opened = [line for line in messages if "is open again" in line]
    assert len(opened) == (fault in SHUTS)
    assert all(f"by the scan of {getpass.getuser()}: it closed for a lost permit" in line for line in opened)
    assert session.beamline.xray_shutter.position == 1


def test_a_quick_count_does_not_wait_for_the_jet(shift: tuple[Session, Any, list[str]], tmp_path: Path) -> None:
    """A count for looking what is wrong; it names why a scan would wait."""
    session, ioc, _ = shift
    epics.caput(ioc.name("Fault:JetStopped"), 1, wait=True)
    try:
        until(lambda: any("jet stopped" in why for why in session.scans.outside()), "the suspender has tripped")
        with (tmp_path / "output").open("w+") as file:
            BeamlineMagics(InteractiveShell(), lambda: session, Console(file=file, width=150)).ct("1")
            file.seek(0)
            output = file.read()
    finally:
        epics.caput(ioc.name("Fault:JetStopped"), 0, wait=True)
    assert "A scan would wait now: jet stopped" in output and "photons/pulse" in output
    until(lambda: not session.scans.outside(), "the jet flows again")
    assert session.RE(session.energy_scan(energies=[13.460, 13.472], dwell=1.0)).exit_status == "success"


def test_when_the_x_ray_shutter_falls_shut_a_scan_waits_for_i0(shift: tuple[Session, Any, list[str]]) -> None:
    """I0 is there only while it is counted: one dwell is bad, then I0 is counted until there is light again."""
    session, ioc, messages = shift
    messages.clear()
    documents = Documents()
    token = session.RE.subscribe(documents)
    counting = ioc.name("7idd:FPGA1:Acquire")

    def shut_and_open() -> None:
        until(lambda: len(documents.events()) == 2 and record(counting) == 1, "the third dwell")
        epics.caput(ioc.name("7ida:rShtrA:Close"), 1, wait=True)
        until(lambda: any("I0 low" in line for line in messages), "the scan waits")
        assert record(ioc.name("7idd:Laser:ShutterStatus_RBV")) == 0
        epics.caput(ioc.name("7ida:rShtrA:Open"), 1, wait=True)

    meddler = threading.Thread(target=shut_and_open)
    meddler.start()
    try:
        session.RE(session.energy_scan(energies=[13.460, 13.472], pattern=(1, 0), dwell=10.0))
    finally:
        meddler.join(30)
        epics.caput(ioc.name("7ida:rShtrA:Open"), 1, wait=True)
        session.RE.unsubscribe(token)
    qualities = [data["quality"] for data in documents.events()]
    assert qualities.count("good") == 4
    shut = f"xray_shutter has changed ({ioc.name('7ida:rShtrA:Status_RBV')})"
    assert {quality.split(";")[0] for quality in qualities} <= {"good", "I0 low", shut}
    assert not any("is open again" in line for line in messages)  # it was shut by hand
    of_i0 = [line for line in messages if "I0 low" in line]
    assert len(of_i0) == 2
    assert of_i0[0].startswith("WAITING: I0 low (i0 is ") and "counted again every 5 s" in of_i0[0]
    assert of_i0[1].startswith("Resumed after ") and of_i0[1].endswith("I0 low is over")
    assert session.scans.suspension_log.suspensions[-1].seconds is not None


def test_without_the_entry_the_x_ray_shutter_stays_shut(shift: tuple[Session, Any, list[str]]) -> None:
    session, _, _ = shift
    assert not XrayShutterEntry().reopen
    assert not any(load(name).xray_shutter.reopen for name in packaged_names())
    assert session.scans.supervision.restore_xrays is not None
    session.config, given = (
        session.config.model_copy(update={"xray_shutter": XrayShutterEntry(reopen=False)}),
        session.config,
    )
    try:
        assert session.scans.supervision.restore_xrays is None
    finally:
        session.config = given


def test_a_stuck_laser_shutter_is_reported_on_one_line(shift: tuple[Session, Any, list[str]]) -> None:
    """Freed after a while, the scan resumes; stuck for good, the scan ends with advice."""
    session, ioc, messages = shift
    messages.clear()
    stuck, timeout = ioc.name("Fault:LaserShutterStuck"), session.beamline.laser.shutter.timeout
    before = timeout.get()
    timeout.put(0.3)
    epics.caput(stuck, 1, wait=True)

    def set_free() -> None:
        timeout.put(before)  # one that moves again has the time that a busy machine takes
        epics.caput(stuck, 0, wait=True)

    free = later(lambda: any("WAITING" in line for line in messages), set_free)
    try:
        session.RE(session.energy_scan(energies=[13.460, 13.472], pattern=(0, 1), dwell=1.0))
        free.join()
        of_i0 = [line for line in messages if "shutter" in line]
        assert len(of_i0) == 2, of_i0
        assert "the laser shutter does not follow (laser_shutter did not open within 0.3 s" in of_i0[0]
        assert "retried up to 11 times, every 5 s" in of_i0[0]
        messages.clear()
        timeout.put(0.3)
        epics.caput(stuck, 1, wait=True)
        supervision = replace(session.scans.supervision, shutter_tries=3)
        with pytest.raises(InstrumentError, match="laser_shutter did not open"):
            session.RE(
                session.energy_scan(energies=[13.460, 13.472], pattern=(0, 1), dwell=1.0, supervision=supervision)
            )
        waits = [line for line in messages if "coarse" not in line]
        assert [line.split(" ")[0] for line in waits] == ["WAITING:", "Gave"]
        assert waits[1].endswith("continue later with resume")
    finally:
        epics.caput(stuck, 0, wait=True)
        timeout.put(before)
