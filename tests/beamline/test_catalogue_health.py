"""A server that cannot be the catalogue is named in one sentence, at the start of a session and by the doctor."""

from __future__ import annotations

import json
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from beamline.app.doctor.finding import BAD, NOTE
from beamline.app.doctor.machine import check_catalogue
from beamline.records.catalogue.health import server_fault
from beamline.records.catalogue_writer import process
from tests.beamline.configurations import configuration
from tests.helpers.certificates import certificate
from tests.helpers.ports import free_port

ABOUT: dict[str, Any] = {"library_version": version("tiled")}
TREE: dict[str, Any] = {"data": {"attributes": {"specs": [{"name": "CatalogOfBlueskyRuns", "version": "3.0"}]}}}
Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serves replies by path, with a key that has to come along; the address."""
    servers: list[ThreadingHTTPServer] = []

    def start(replies: dict[str, Any], key: str = "right", certificate: Path | None = None) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                allowed = self.headers.get("Authorization") == f"Apikey {key}"
                content = replies.get(self.path)
                refused = 401 if not allowed else 404 if content is None else content
                self.send_response(refused if isinstance(refused, int) else 200)
                self.end_headers()
                self.wfile.write(content.encode() if isinstance(content, str) else json.dumps(content).encode())

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            servers[-1].socket = context.wrap_socket(servers[-1].socket, server_side=True)
        threading.Thread(target=servers[-1].serve_forever, args=(0.02,), daemon=True).start()
        return f"http{'s' if certificate else ''}://127.0.0.1:{servers[-1].server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_server_that_can_be_the_catalogue_has_no_fault(serve: Serve) -> None:
    address = serve({"/api/v1/metadata/": TREE, "/api/v1/": ABOUT, "/api/v1/metadata/a/b": TREE})
    assert server_fault(address, "right") is None
    assert server_fault(f"{address}/", "right") is None
    assert server_fault(f"{address}/api/v1/metadata/a/b", "right") is None


@pytest.mark.parametrize(
    ("replies", "key", "reason"),
    [
        ({}, "wrong", "refuses the API key"),
        ({}, None, "needs an API key"),
        ({}, "right", "has no tree of that name"),
        ({"/api/v1/metadata/": "<html>"}, "right", "is no Tiled server"),
        ({"/api/v1/metadata/": {"data": {"attributes": {"specs": None}}}}, "right", "lacks the spec CatalogOf"),
        ({"/api/v1/metadata/": TREE, "/api/v1/": {"library_version": "9.0.1"}}, "right", "runs Tiled 9.0.1, and"),
    ],
)
def test_each_fault_is_one_sentence(serve: Serve, replies: dict[str, Any], key: str | None, reason: str) -> None:
    fault = server_fault(serve(replies), key)
    assert fault is not None
    assert reason in fault.message and "wrong" not in fault.message + fault.remedy
    assert fault.remedy.endswith(".")


@pytest.mark.parametrize(("trusted", "reason"), [(False, "self-signed"), (True, "mismatch")])
def test_a_certificate_that_does_not_match_is_named(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool, reason: str
) -> None:
    of_another = certificate(tmp_path / "certificate", "tiled.example.org")
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(of_another))
    fault = server_fault(serve({}, certificate=of_another), "right")
    assert fault is not None and "certificate" in fault.message and reason in fault.message


def test_a_key_that_may_read_and_not_store_is_named(serve: Serve) -> None:
    replies = {"/api/v1/metadata/": TREE, "/api/v1/": ABOUT, "/api/v1/run_batch/": 403}
    fault = server_fault(serve(replies), "right")
    assert fault is not None and "permits this API key to read, and not to store runs" in fault.message


def test_no_server(tmp_path: Path) -> None:
    fault = server_fault(f"http://127.0.0.1:{free_port()}", None)
    assert fault is not None and "does not answer (ConnectError)" in fault.message


@pytest.mark.parametrize(("library", "state"), [("9.0.1", NOTE), (None, BAD)])
def test_the_doctor_reports_it(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str | None, state: str
) -> None:
    monkeypatch.setenv("TILED_API_KEY", "right")
    replies = {"/api/v1/metadata/": TREE, "/api/v1/": {"library_version": library}} if library else {}
    data = {"root": str(tmp_path), "catalogue": serve(replies)}
    assert check_catalogue(configuration(tmp_path, "sim:", data=data)).state == state


def test_a_session_reports_it_once_and_goes_on(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILED_API_KEY", "wrong")
    monkeypatch.setattr(process, "writer_command", lambda _: [sys.executable, "-c", "import time; time.sleep(60)"])
    address, messages, reported = serve({}), list[str](), threading.Event()
    config = configuration(tmp_path, "sim:", data={"root": str(tmp_path), "catalogue": address})
    writer = process.WriterProcess(config, lambda message: (messages.append(message), reported.set())[1])
    try:
        assert reported.wait(30)
        assert messages == [f"Catalogue: {address} refuses the API key. {messages[0].split('key. ', 1)[1]}"]
        assert writer.at_work
    finally:
        writer.end(messages.append, hurry=True)
