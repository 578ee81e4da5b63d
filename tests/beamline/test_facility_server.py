"""A Tiled server on PostgreSQL with keys and roles: what the journal has is stored there once, whatever happens."""

from __future__ import annotations

import shutil
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from beamline.config.models import Data
from beamline.records.catalogue_writer.loop import CatalogueWriter
from beamline.records.catalogue_writer.status import OFFLINE, read_status
from beamline.records.journal import Journal
from tests.beamline.catalogue_writing import Announce, Open, some_runs, write_catalogue
from tests.beamline.example_runs import Documents, announced, interleaved, raw_run, reduced_run
from tests.beamline.expected_catalogue import assert_holds
from tests.beamline.facility_server import PAGE, READER, WRITER, Facility, FacilityServer, block_of
from tests.beamline.slow_proxy import SlowProxy
from tests.beamline.tiled_process import WITH_BATCHES
from tests.helpers.postgres import PostgresError

Serve = Callable[..., FacilityServer]


@pytest.fixture(scope="session")
def facility() -> Iterator[Facility]:
    """A PostgreSQL server for all tests of this process."""
    try:
        server = Facility()
    except PostgresError as error:
        pytest.skip(str(error))
    yield server
    server.postgres.close()


@pytest.fixture
def serve(tmp_path: Path, facility: Facility) -> Iterator[Serve]:
    """Starts a Tiled server of this test."""
    servers: list[FacilityServer] = []

    def start(kind: str = WITH_BATCHES) -> FacilityServer:
        servers.append(FacilityServer(tmp_path / "server", facility, kind))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


def test_the_page_names_the_keys_and_scopes_that_are_tested() -> None:
    entries = tomllib.loads(block_of(PAGE, "toml"))["data"]
    data = Data(**{**entries, "catalogue_key_file": None})
    assert data.catalogue_address == entries["catalogue"]
    assert set(entries) <= set(Data.model_fields)
    for scopes in (WRITER, READER):
        assert ", ".join(f"`{scope}`" for scope in scopes) in PAGE.read_text()


def test_runs_reach_postgresql_and_come_back_as_announced(
    announce: Announce, tmp_path: Path, serve: Serve, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one short test of a real server: a writer's key stores, a reader's key reads and may not write."""
    server = serve()
    runs = raw_run(3, seed=1), reduced_run(2, energies=5, seed=2)
    announce(list(interleaved(*runs)))
    monkeypatch.setenv("TILED_API_KEY", server.new_key(WRITER))
    assert write_catalogue(tmp_path, server.uri)
    monkeypatch.setenv("TILED_API_KEY", server.new_key(READER))
    client = opened(server.uri)
    assert_holds(client, *runs)
    assert client.context.http_client.get(f"{server.uri}/api/v1/run_batch/").status_code == 401


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


@pytest.mark.long
def test_a_full_disk_of_the_server_is_reported_and_the_run_is_stored_when_there_is_room(
    announce: Announce, tmp_path: Path, serve: Serve, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file in place of the folder of arrays: nothing can be written below it, as on a full disk."""
    server = serve()
    monkeypatch.setenv("TILED_API_KEY", server.new_key(WRITER))
    arrays = tmp_path / "server" / "arrays"
    shutil.rmtree(arrays, ignore_errors=True)
    arrays.write_text("full")
    run = raw_run(4)
    announce(run)
    writer = CatalogueWriter(tmp_path, server.uri, linger=0.0)
    for _ in range(4):
        writer.step()
    status = read_status(tmp_path)
    assert status is not None and status.failing
    arrays.unlink()
    assert writer.until_idle(lambda: False)
    writer.close()
    assert_holds(opened(server.uri), run)
