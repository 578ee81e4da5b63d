"""A Tiled server that cannot be the catalogue: a session says so once and measures, and later everything is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from beamline.app.doctor.finding import BAD, NOTE
from beamline.app.doctor.machine import check_catalogue
from beamline.records.catalogue import health
from beamline.records.catalogue_writer import process
from beamline.records.journal import read, run_files
from beamline.session.session import start
from tests.beamline.catalogue_writing import Open, write_catalogue
from tests.beamline.configurations import ENERGIES, configuration
from tests.beamline.expected_catalogue import assert_holds
from tests.beamline.tiled_process import API_KEY, TiledProcess
from tests.devices.builds import until
from tests.helpers.certificates import certificate
from tests.helpers.ioc_process import RunningIoc

Fault = Iterator[str]
"""Gives the address with the fault; then, with the fault mended, the right one."""


def wrong_key(server: TiledProcess, key: Path, patch: pytest.MonkeyPatch) -> Fault:
    server.start()
    key.write_text("a-wrong-key")
    yield server.uri
    key.write_text(API_KEY)
    yield server.uri


def wrong_tree(server: TiledProcess, key: Path, patch: pytest.MonkeyPatch) -> Fault:
    server.start()
    yield f"{server.uri}/api/v1/metadata/nowhere"
    yield server.uri


def no_spec(server: TiledProcess, key: Path, patch: pytest.MonkeyPatch) -> Fault:
    (spec,) = [{"name": "CatalogOfBlueskyRuns", "version": "3.0"}]
    server.configure(lambda config: config["trees"][0]["args"].update(specs=[]))
    server.start()
    yield server.uri
    server.kill()
    server.configure(lambda config: config["trees"][0]["args"].update(specs=[spec]))
    server.start()
    yield server.uri


def another_version(server: TiledProcess, key: Path, patch: pytest.MonkeyPatch) -> Fault:
    server.start()
    with patch.context() as here:
        here.setattr(health, "version", lambda package: "9.0.1")
        yield server.uri
    yield server.uri


def wrong_certificate(server: TiledProcess, key: Path, patch: pytest.MonkeyPatch) -> Fault:
    server.uri = server.uri.replace("http:", "https:")
    for host in ("tiled.example.org", "127.0.0.1"):
        file = str(certificate(key.with_name(host), host))
        patch.setenv("SSL_CERT_FILE", file)
        server.configure(lambda config, file=file: config["uvicorn"].update(ssl_certfile=file, ssl_keyfile=file))  # type: ignore[misc]
        server.start()
        yield server.uri
        server.kill()


FAULTS = {
    wrong_key: ("refuses the API key", BAD),
    wrong_tree: ("has no tree of that name", BAD),
    no_spec: ("lacks the spec CatalogOfBlueskyRuns", BAD),
    another_version: ("and 9.0.1 is here", NOTE),
    wrong_certificate: ("certificate is not valid for '127.0.0.1'", BAD),
}


@pytest.mark.long
@pytest.mark.parametrize("tiled_server", ["beamline.records.catalogue.batches:catalogue"], indirect=True)
@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.__name__)
def test_a_session_names_the_fault_measures_and_spools(
    simulated_beamline: RunningIoc,
    tmp_path: Path,
    tiled_server: TiledProcess,
    opened: Open,
    monkeypatch: pytest.MonkeyPatch,
    kind: Callable[[TiledProcess, Path, pytest.MonkeyPatch], Fault],
) -> None:
    sentence, state = FAULTS[kind]
    monkeypatch.setattr(process, "DRAIN_TIMEOUT", 2.0)
    monkeypatch.delenv("TILED_API_KEY")
    key, root = tmp_path / "key", tmp_path / "data"
    key.touch(0o600)
    key.write_text(API_KEY)
    root.mkdir()
    fault = kind(tiled_server, key, monkeypatch)
    address = next(fault)
    health.server_fault(address, API_KEY, timeout=120.0)  # the first reply of a server takes longest
    data = {"root": str(root), "min_free_gb": 0.01, "catalogue": address, "catalogue_key_file": str(key)}
    config = configuration(root, data=data)

    messages: list[str] = []
    with start(config, notify=messages.append) as session:
        session.RE(session.energy_scan(energies=ENERGIES[:3], dwell=0.5, delay=100.0))
        until(lambda: any(sentence in message for message in messages), "the fault is named", 30.0)
        found = check_catalogue(config)
    named: list[Any] = [message for message in messages if sentence in message]
    assert len(named) == 1 and named[0].startswith("Catalogue: ")
    assert found.state == state and sentence in found.message and found.todo.endswith(".")
    runs = [list(read(path)) for path in run_files(root)]
    assert len(runs) == 2

    address = next(fault)
    monkeypatch.setenv("TILED_API_KEY", API_KEY)
    assert write_catalogue(root, address)
    assert_holds(opened(address), *runs)
