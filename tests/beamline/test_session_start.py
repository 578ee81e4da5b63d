"""How a session starts and what it publishes: missing records, addresses, an open laser shutter, names."""

from __future__ import annotations

import subprocess
import sys

import epics
import pytest

from beamline.session.session import SessionError, start
from beamline.station.connect import NotConnectedError
from tests.beamline.configurations import configuration
from tests.beamline.session_runs import session as session


def test_missing_records_of_a_beamline_are_named(simulated_beamline, tmp_path):
    config = configuration(tmp_path, "nowhere:", connect_timeout=1.0)
    with pytest.raises(NotConnectedError) as error:
        start(config, fill_catalogue=False)
    for record in ("mono: nowhere:7ida:BraggEAO", "7idd:FPGA1:Counts", "ring: nowhere:", "nowhere:S-DCCT:CurrentM"):
        assert record in str(error.value)


def test_a_simulated_session_refuses_addresses_off_this_machine(simulated_beamline, tmp_path, monkeypatch):
    monkeypatch.setenv("EPICS_CA_ADDR_LIST", "127.0.0.1 192.0.2.7")
    with pytest.raises(SessionError, match=r"192\.0\.2\.7"):
        start(configuration(tmp_path), fill_catalogue=False)
    monkeypatch.setenv("EPICS_CA_AUTO_ADDR_LIST", "YES")
    with pytest.raises(SessionError, match="EPICS_CA_AUTO_ADDR_LIST=NO"):
        start(configuration(tmp_path), fill_catalogue=False)


def test_an_open_laser_shutter_is_reported_at_the_start_and_shut_only_on_request(simulated_beamline, tmp_path):
    """As a session that was killed leaves it."""
    epics.caput("sim:7idd:Laser:Shutter", 1, wait=True)
    messages = []
    with start(configuration(tmp_path), fill_catalogue=False, notify=messages.append) as session:
        shutter = session.beamline.laser.shutter
        assert any("laser shutter is open" in line for line in messages)
        assert shutter.status.get() == 1
    assert shutter.status.get() == 0  # an orderly end shuts it


def test_names_are_published_with_their_help(session):
    import inspect

    names: dict = {}
    session.publish(names)
    assert {"RE", "energy_scan", "mono", "fpga", "laser", "session"} <= names.keys()
    assert "instruments" not in inspect.signature(names["energy_scan"]).parameters
    assert "Pump-probe delay of slot 0 in ps" in inspect.getdoc(names["energy_scan"])


def test_importing_the_beamline_connects_nothing():
    code = (
        "import sys, beamline.session.session, beamline.app.cli\n"
        "import devices.instruments.mono, plans.scans.energy, reduction.live.reducer\n"
        "import epics.ca, epics.pv\n"
        "channels = [name for context in epics.ca._cache.values() for name in context]\n"
        "sys.exit(f'an import made channels: {channels}' if channels or epics.pv._PVcache_ else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
