"""Simulated beamlines as processes of their own, for tests."""

from __future__ import annotations

import itertools
import os
import queue
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.helpers.ports import PortBlock

ROOT = Path(__file__).parents[2]
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 5.0


@dataclass
class RunningIoc:
    """A simulated beamline that runs; `prefix` stands before each of its PV names."""

    prefix: str
    speedup: float
    port: int
    process: subprocess.Popen[str]
    lines: queue.Queue[str] = field(repr=False)
    first_line: str = ""

    def name(self, suffix: str) -> str:
        """Full name of a PV."""
        return self.prefix + suffix

    def stop(self) -> int:
        """Stop the process; its exit status."""
        self.process.terminate()
        try:
            return self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
        finally:
            if self.process.stdout is not None:
                self.process.stdout.close()


StartIoc = Callable[..., RunningIoc]


class IocPool:
    """Starts simulated beamlines on the ports of one block and stops what is left of them."""

    def __init__(self, ports: PortBlock) -> None:
        self._ports = ports
        self._free = list(ports.server_ports)
        self._running: list[RunningIoc] = []
        self._numbers = itertools.count(1)

    def start(
        self, scenario: str | Path | None = None, speedup: float = 200.0, prefix: str | None = None
    ) -> RunningIoc:
        """Start a simulated beamline and wait until clients find it.

        Parameters
        ----------
        scenario
            A scenario file, or the name of one that comes with the simulator.
        speedup
            Beamline seconds a wall second.
        prefix
            Put before each PV name; by default one that no other simulator of this process has had.
        """
        prefix = prefix if prefix is not None else f"sim{next(self._numbers)}:"
        port = self._free.pop(0)
        command = [sys.executable, "-m", "sim_ioc", "--prefix", prefix, "--speedup", f"{speedup:g}", "--with-parent"]
        command += ["--scenario", str(scenario)] if scenario is not None else []
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **self._ports.server_environment(port)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        ioc = RunningIoc(prefix, speedup, port, process, queue.Queue())
        self._running.append(ioc)
        threading.Thread(target=_read_lines, args=(process, ioc.lines), daemon=True).start()
        try:
            _wait_ready(ioc)
        except BaseException:
            self.stop(ioc)
            raise
        return ioc

    def take_environment(self) -> dict[str, str]:
        """Environment for a server that a test starts by itself, on a port that nothing else will use."""
        return {**os.environ, **self._ports.server_environment(self._free.pop())}

    def stop(self, ioc: RunningIoc) -> None:
        """Stop one and free its port."""
        if ioc in self._running:
            self._running.remove(ioc)
            ioc.stop()
            self._free.append(ioc.port)

    def stop_all(self) -> None:
        """Stop every one that still runs."""
        for ioc in list(self._running):
            self.stop(ioc)


def _read_lines(process: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
    assert process.stdout is not None
    try:
        for line in process.stdout:
            lines.put(line.rstrip("\n"))
    except ValueError:  # closed by stop() while this thread was reading
        return


def _wait_ready(ioc: RunningIoc) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    messages: list[str] = []
    while not (messages and messages[-1].startswith("ready:")):
        try:
            messages.append(ioc.lines.get(timeout=0.1))
            ioc.first_line = ioc.first_line or messages[-1]
        except queue.Empty:
            if ioc.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the simulated beamline did not start:\n" + "\n".join(messages)) from None
    while not answers_search(ioc.port, ioc.name("7ida:Heartbeat")):
        if time.monotonic() > deadline:
            raise RuntimeError(f"the simulated beamline on port {ioc.port} answers no search")


def answers_search(port: int, name: str) -> bool:
    """Ask for a PV as a client does (CA protocol: version and search messages over UDP)."""
    payload = name.encode() + b"\0"
    payload += b"\0" * (-len(payload) % 8)
    version = struct.pack(">HHHHII", 0, 0, 0, 13, 0, 0)
    search = struct.pack(">HHHHII", 6, len(payload), 5, 13, 1, 1) + payload
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.2)
        try:
            sock.sendto(version + search, ("127.0.0.1", port))
            return len(sock.recv(1024)) > 0
        except OSError:
            return False


def write_scenario(values: Mapping[str, Any], path: Path) -> Path:
    """Write a scenario of nested tables, numbers, strings, booleans and lists as TOML; the path again."""
    path.write_text("\n".join(_toml_lines(values, ())) + "\n", encoding="utf-8")
    return path


def _toml_lines(table: Mapping[str, Any], where: tuple[str, ...]) -> list[str]:
    lines = [f"[{'.'.join(where)}]"] if where else []
    lines += [f"{key} = {_toml_value(value)}" for key, value in table.items() if not isinstance(value, Mapping)]
    for key, value in table.items():
        if isinstance(value, Mapping):
            lines += _toml_lines(value, (*where, key))
    return lines


def _toml_value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{k} = {_toml_value(v)}" for k, v in value.items()) + " }"
    return repr(value)
