"""Fixtures for journal and catalogue. Tests are independent and leave nothing behind."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from beamline.records.catalogue.client import close_catalogue, open_catalogue
from beamline.records.catalogue_writer.__main__ import TILED_PATIENCE
from beamline.records.journal import Journal, read, run_file
from tests.beamline.catalogue_writing import WITHOUT_PLACE
from tests.beamline.configurations import ENERGIES, configuration
from tests.beamline.example_runs import Documents, announced
from tests.beamline.shift import shift as shift
from tests.beamline.tiled_process import API_KEY, WITH_BATCHES, TiledProcess
from tests.helpers.ioc_process import IocPool

os.environ.update(TILED_PATIENCE)


@pytest.fixture(scope="session")
def empty_catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An embedded catalogue without runs, to copy: creating one takes seconds."""
    directory = tmp_path_factory.mktemp("empty") / "catalogue"
    close_catalogue(open_catalogue(directory))
    return directory


@pytest.fixture
def catalogue(empty_catalogue: Path, tmp_path: Path) -> Path:
    """Directory of an embedded catalogue of this test."""
    return Path(shutil.copytree(empty_catalogue, tmp_path / "catalogue", ignore=WITHOUT_PLACE))


@pytest.fixture
def opened() -> Iterator[Callable[[str | Path], Any]]:
    """Opens catalogues that are closed after the test."""
    clients: list[Any] = []

    def open_one(where: str | Path) -> Any:
        clients.append(open_catalogue(where, timeout=60.0))
        return clients[-1]

    yield open_one
    for client in clients:
        close_catalogue(client)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """The journal under tmp_path, without a limit of free space."""
    with_little_room = Journal(tmp_path, min_free_bytes=0)
    yield with_little_room
    with_little_room.close()


@pytest.fixture
def announce(journal: Journal) -> Callable[[Documents], None]:
    """Writes documents to the journal under tmp_path."""
    return partial(announced, journal)


@pytest.fixture(params=[pytest.param("catalog", marks=pytest.mark.long), WITH_BATCHES], ids=["single", "batches"])
def tiled_server(
    request: pytest.FixtureRequest, tmp_path: Path, empty_catalogue: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TiledProcess]:
    """A Tiled server of this test, not started yet: one as it comes, and one that stores batches."""
    monkeypatch.setenv("TILED_API_KEY", API_KEY)
    server = TiledProcess(tmp_path / "server", empty_catalogue, request.param)
    yield server
    server.kill()


@pytest.fixture(scope="session")
def recorded(ioc_pool: IocPool, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A short scan with recorded shots: its documents, and the messages of the session."""
    from beamline.session.session import start

    ioc_pool.start(speedup=1.0, prefix="simshots:")
    root, messages = tmp_path_factory.mktemp("recorded"), list[str]()
    config = configuration(root, "simshots:", 1.0, shots={"record": True})
    with start(config, fill_catalogue=False, notify=messages.append) as session:
        session.beamline.digitiser.shots_per_block.set(100_000).wait(5)
        uids = session.RE(session.energy_scan(energies=ENERGIES[:3], dwell=0.05, delay=100.0, passes=1)).run_start_uids
        desk = session.shots
    documents = list(read(run_file(root, uids[0])))
    return documents, desk, messages


@pytest.fixture(scope="session")
def facility() -> Iterator[Any]:
    """PostgreSQL with the databases of a Tiled server, for all tests of this process."""
    from tests.beamline.facility_server import Facility
    from tests.helpers.postgres import PostgresError

    try:
        server = Facility()
    except PostgresError as error:
        pytest.skip(str(error))
    yield server
    server.postgres.close()


@pytest.fixture
def serve(tmp_path: Path, facility: Any) -> Iterator[Callable[..., Any]]:
    """Starts a Tiled server of this test on PostgreSQL."""
    from tests.beamline.facility_server import FacilityServer

    servers: list[FacilityServer] = []

    def start(kind: str = WITH_BATCHES, **options: Any) -> FacilityServer:
        servers.append(FacilityServer(tmp_path / "server", facility, kind, **options))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.kill()
