"""A real Tiled server as a process, and a proxy in front of it with seeded faults."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.helpers.ports import free_port

API_KEY = "0123456789abcdef"
WITH_BATCHES = "beamline.records.catalogue.batches:catalogue"
"""The tree of a server that stores a batch in one request; ``catalog`` is Tiled's own."""


class TiledProcess:
    """``tiled serve`` on 127.0.0.1 with a catalogue that stays through restarts."""

    def __init__(self, directory: Path, template: Path | None, kind: str = "catalog") -> None:
        self._directory, self._kind = directory, kind
        self.environment = dict(os.environ)
        directory.mkdir(parents=True, exist_ok=True)
        if template is not None:
            (directory / "catalogue.db").write_bytes((template / "catalogue.db").read_bytes())
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        (directory / "config.yml").write_text(json.dumps(self._configuration()))  # JSON is YAML

    def _configuration(self) -> dict[str, object]:
        tree = {
            "path": "/",
            "tree": self._kind,
            "args": {
                "uri": f"sqlite:///{self._directory / 'catalogue.db'}",
                "specs": [{"name": "CatalogOfBlueskyRuns", "version": "3.0"}],
                "readable_storage": [str(self._directory.parent / "shots")],
                "writable_storage": [
                    str(self._directory / "arrays"),
                    f"sqlite:///{self._directory / 'tables.db'}",
                ],
            },
        }
        authentication = {"single_user_api_key": API_KEY, "allow_anonymous_access": False}
        uvicorn = {"host": "127.0.0.1", "port": self.port}
        return {"trees": [tree], "authentication": authentication, "uvicorn": uvicorn}

    def start(self, wait: bool = True) -> TiledProcess:
        command = [sys.executable, "-W", "ignore", "-m", "tiled", "serve", "config", "config.yml"]
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self._directory, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        if wait:
            self.wait_until_up()
        return self

    def wait_until_up(self, timeout: float = 150.0) -> None:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            try:
                connection = self._connection()
                connection.request("GET", "/healthz")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                time.sleep(0.05)
            finally:
                connection.close()
        raise TimeoutError(self.log()[-2000:])

    def _connection(self) -> http.client.HTTPConnection:
        if self.uri.startswith("https"):
            unchecked = ssl._create_unverified_context()
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=1, context=unchecked)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)

    def configure(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the configuration of a server that is not running."""
        path = self._directory / "config.yml"
        configuration = json.loads(path.read_text())
        change(configuration)
        path.write_text(json.dumps(configuration))

    def wait(self, timeout: float) -> int:
        """Exit status of a server that ends by itself."""
        assert self._process is not None
        return self._process.wait(timeout)

    def log(self) -> str:
        """What it has printed."""
        return (self._directory / "log").read_text()

    @property
    def pid(self) -> int:
        """Its process; 0 while there is none."""
        return self._process.pid if self._process is not None else 0

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()
            self._process = None


class Faults:
    """What the proxy does with a request: forward it, refuse it, forward it and lose the reply, or be slow."""

    def __init__(self, seed: int, refuse: float = 0.0, lose: float = 0.0, slow: float = 0.0) -> None:
        self._random = random.Random(seed)
        self._shares = (refuse, lose, slow)
        self._lock = threading.Lock()
        self.counts = {"refuse": 0, "lose": 0, "slow": 0, "pass": 0}

    def choose(self) -> str:
        with self._lock:
            draw = self._random.random()
            for name, share in zip(("refuse", "lose", "slow"), self._shares, strict=True):
                if draw < share:
                    self.counts[name] += 1
                    return name
                draw -= share
            self.counts["pass"] += 1
            return "pass"


class FaultyProxy:
    """Forwards to a server, with faults. Use as a context manager."""

    def __init__(self, port: int, faults: Faults) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(port, faults))
        self._server.daemon_threads = True
        self.uri = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> FaultyProxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(port: int, faults: Faults) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            fault = faults.choose()
            if fault == "refuse":
                self.send_response(500)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if fault == "slow":
                time.sleep(0.3)
            status, headers, content = self.forward(body)
            if fault == "lose":
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.send_response(status)
            for key, value in headers:
                if key.lower() not in ("transfer-encoding", "content-length", "connection", "server", "date"):
                    self.send_header(key, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            try:
                # The Host header stays the proxy's, so that the links in the answers lead back through it.
                connection.request(self.command, self.path, body, dict(self.headers))
                answer = connection.getresponse()
                return answer.status, answer.getheaders(), answer.read()
            finally:
                connection.close()

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    return Handler


def client_environment() -> dict[str, str]:
    """The environment of a process that may use the server."""
    return os.environ | {"TILED_API_KEY": API_KEY}
