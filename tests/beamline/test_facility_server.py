"""A Tiled server on PostgreSQL with keys and roles: what the journal has is stored there once, whatever happens."""

from __future__ import annotations

import threading
import time
import tomllib
from pathlib import Path

import pytest

from beamline.config.models import Data
from beamline.records.catalogue_writer.loop import CatalogueWriter
from beamline.records.catalogue_writer.status import OFFLINE, read_status
from beamline.records.journal import Journal
from tests.beamline.catalogue_writing import Announce, Open, some_runs, write_catalogue
from tests.beamline.example_runs import Documents, announced, interleaved, raw_run, reduced_run, uid_of_run
from tests.beamline.expected_catalogue import assert_holds
from tests.beamline.facility_server import PAGE, READER, WRITER, Facility, Serve, access_tags
from tests.beamline.slow_proxy import SlowProxy
from tests.beamline.tiled_process import WITH_BATCHES

OF_ALICE = {"beamline_name": "7-ID-D", "proposal": "GUP-1234"}
OF_OTHERS = {"beamline_name": "7-ID-D", "proposal": "GUP-9"}


def test_the_page_names_the_keys_and_scopes_that_are_tested() -> None:
    entries = tomllib.loads(dict(PAGE.others)["toml"])["data"]
    data = Data(**{**entries, "catalogue_key_file": None})
    assert data.catalogue_address == entries["catalogue"]
    assert set(entries) <= set(Data.model_fields)
    for scopes in (WRITER, READER):
        assert ", ".join(f"`{scope}`" for scope in scopes) in PAGE.text


def test_runs_reach_postgresql_and_come_back_as_announced(
    announce: Announce, tmp_path: Path, serve: Serve, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one short test of a real server: a writer's key stores, a reader's key reads its proposal, writes nothing."""
    server = serve()
    runs = raw_run(3, seed=1, **OF_ALICE), reduced_run(2, energies=5, seed=2, **OF_OTHERS)
    announce(list(interleaved(*runs)))
    monkeypatch.setenv("TILED_API_KEY", server.new_key(WRITER))
    assert write_catalogue(tmp_path, server.uri)
    assert_holds(opened(server.uri), *runs)
    own = {"user:operator", "beamline:7-ID-D"}
    assert access_tags(server, uid_of_run(runs[0])) == {frozenset(own | {"proposal:GUP-1234"})}
    assert access_tags(server, uid_of_run(runs[1])) == {frozenset(own | {"proposal:GUP-9"})}
    monkeypatch.setenv("TILED_API_KEY", server.new_key(READER, "alice"))
    client = opened(server.uri)
    assert_holds(client, runs[0])
    assert client.context.http_client.get(f"{server.uri}/api/v1/run_batch/").status_code == 403


@pytest.mark.long
@pytest.mark.parametrize("kind", [WITH_BATCHES, "catalog"])
@pytest.mark.parametrize("harm", ["server", "database"])
def test_killed_and_restarted_in_mid_scan(
    announce: Announce,
    tmp_path: Path,
    serve: Serve,
    facility: Facility,
    opened: Open,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    harm: str,
) -> None:
    server = serve(kind)
    monkeypatch.setenv("TILED_API_KEY", server.new_key(WRITER))
    runs = some_runs(3, 8)
    everything = list(interleaved(*runs))
    writer = CatalogueWriter(tmp_path, server.uri, linger=0.0, timeout=20.0)
    size = len(everything) // 4 + 1
    for start in range(0, len(everything), size):
        announce(everything[start : start + size])
        working = threading.Thread(target=lambda: [writer.step() for _ in range(3)])
        working.start()
        time.sleep(0.3)
        server.kill() if harm == "server" else facility.postgres.stop()
        working.join()
        server.start() if harm == "server" else facility.postgres.start()
    assert writer.until_idle(lambda: False, patience=60.0)
    writer.close()
    assert_holds(opened(server.uri), *runs)


@pytest.mark.long
def test_a_key_that_is_revoked_in_mid_scan_stores_nothing_and_loses_nothing(
    announce: Announce, tmp_path: Path, serve: Serve, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve()
    first = server.new_key(WRITER)
    monkeypatch.setenv("TILED_API_KEY", first)
    run, following = raw_run(6, seed=1), raw_run(2, seed=2)
    announce(run[:8])
    writer = CatalogueWriter(tmp_path, server.uri, linger=0.0)
    writer.until_idle(lambda: False)
    server.revoke(first)
    announce(run[8:])
    assert not writer.until_idle(lambda: False, patience=3.0)
    status = read_status(tmp_path)
    assert status is not None and status.state == OFFLINE
    writer.close()
    monkeypatch.setenv("TILED_API_KEY", server.new_key(WRITER))
    announce(following)
    assert write_catalogue(tmp_path, server.uri)
    assert_holds(opened(server.uri), run, following)


@pytest.mark.long
def test_two_beamlines_write_at_the_same_time(
    tmp_path: Path, serve: Serve, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve()
    monkeypatch.setenv("TILED_API_KEY", server.new_key(WRITER))
    runs: list[Documents] = []
    writers = []
    for number, name in enumerate(("7idd", "25idc")):
        root = tmp_path / name
        root.mkdir()
        journal = Journal(root, min_free_bytes=0)
        for seed in range(4):
            runs.append(raw_run(4, seed=10 * number + seed, beamline=name))
            announced(journal, runs[-1])
        journal.close()
        writers.append(threading.Thread(target=write_catalogue, args=(root, server.uri)))
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    assert_holds(opened(server.uri), *runs)


@pytest.mark.long
def test_a_network_of_200_ms(
    announce: Announce, tmp_path: Path, serve: Serve, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve()
    monkeypatch.setenv("TILED_API_KEY", server.new_key(WRITER))
    runs = some_runs(3, 6)
    announce(list(interleaved(*runs)))
    with SlowProxy(server.port, 0.2) as proxy:
        assert write_catalogue(tmp_path, proxy.uri)
        assert proxy.connections <= 4  # connections are kept, not opened for each request
    assert_holds(opened(server.uri), *runs)
