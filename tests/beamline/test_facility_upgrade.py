"""A Tiled server whose databases are those of an earlier Tiled: the beamline spools until they are upgraded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from beamline.app.doctor.finding import BAD
from beamline.app.doctor.machine import check_catalogue
from beamline.records.catalogue_writer.loop import CatalogueWriter
from beamline.records.catalogue_writer.status import OFFLINE, read_status
from tests.beamline.catalogue_writing import Announce, Open, write_catalogue
from tests.beamline.configurations import configuration
from tests.beamline.example_runs import interleaved, raw_run, reduced_run, uid_of_run
from tests.beamline.expected_catalogue import assert_holds
from tests.beamline.facility_page import Sandbox
from tests.beamline.facility_server import PAGE, WRITER, FacilityServer, Serve, access_tags

EARLIER_RUNS = "0d4e1f2a3b4c"
"""Revision of a catalogue with another index of metadata, and other names for what tags permit."""
EARLIER_USERS = "a806cc635ab2"
"""Revision of users whose keys have one scope for making and revoking keys."""


def tiled(*arguments: str) -> None:
    """A command of Tiled."""
    subprocess.run([sys.executable, "-W", "ignore", "-m", "tiled", *arguments], check=True, capture_output=True)


def end_by_itself(server: FacilityServer) -> str:
    """Start a server that cannot start; its log."""
    server.start(wait=False)
    assert server.wait(120.0) != 0
    return server.log()


@pytest.mark.long
@pytest.mark.timeout(900)
def test_runs_wait_until_the_databases_of_an_earlier_tiled_are_upgraded(
    announce: Announce, tmp_path: Path, serve: Serve, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve()
    monkeypatch.setenv("TILED_API_KEY", server.new_key(WRITER))
    earlier = raw_run(3, seed=1, proposal="GUP-1234"), reduced_run(2, energies=5, seed=2)
    announce(list(interleaved(*earlier)))
    assert write_catalogue(tmp_path, server.uri)
    tags = access_tags(server, uid_of_run(earlier[0]))
    server.kill()
    tiled("catalog", "downgrade-database", server.runs, EARLIER_RUNS)
    tiled("admin", "downgrade-database", server.users, EARLIER_USERS)

    assert "tiled catalog upgrade-database" in end_by_itself(server)
    meanwhile = raw_run(5, seed=3)
    announce(meanwhile)
    writer = CatalogueWriter(tmp_path, server.uri, linger=0.0)
    assert not writer.until_idle(lambda: False, patience=2.0)
    status = read_status(tmp_path)
    assert status is not None and status.state == OFFLINE and status.runs_waiting == 1
    found = check_catalogue(configuration(tmp_path, data={"root": str(tmp_path), "catalogue": server.uri}))
    assert found.state == BAD and "tiled catalog upgrade-database" in found.todo and ". " not in found.todo

    Sandbox(tmp_path / "machine", server.environment).run(PAGE.command("upgrade-database"))
    server.start()
    assert writer.until_idle(lambda: False)
    writer.close()
    assert_holds(opened(server.uri), *earlier, meanwhile)
    assert access_tags(server, uid_of_run(earlier[0])) == tags
