"""Starts and stops the simulated beamline as a separate process, on free local ports."""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

READY_TIMEOUT = 20.0
STOP_TIMEOUT = 5.0


class SimulatorError(Exception):
    """The simulated beamline did not start; the message has the end of its output."""


@contextlib.contextmanager
def loopback_environment() -> Iterator[dict[str, str]]:
    """Channel Access environment with free ports on the loopback, for server and clients alike.

    Meanwhile a repeater serves its port, so that no client starts one that would remain.
    """
    with socket.socket() as server, stand_in_repeater(0) as repeater_port:
        server.bind(("127.0.0.1", 0))
        server_port = server.getsockname()[1]
        server.close()
        yield _environment(server_port, repeater_port)


REPEATER_CONFIRM = struct.pack(">HHHHI4s", 17, 0, 0, 0, 0, bytes((127, 0, 0, 1)))
"""The Channel Access message REPEATER_CONFIRM."""


@contextlib.contextmanager
def stand_in_repeater(port: int) -> Iterator[int]:
    """Serve as a CA repeater on a loopback port (0: any); yields the port.

    Local clients need no beacons, but without a repeater they start one, which would remain.
    """
    with socket.socket(type=socket.SOCK_DGRAM) as repeater:
        repeater.bind(("127.0.0.1", port))
        repeater.settimeout(0.2)
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                with contextlib.suppress(OSError):  # no request for a while, or the client has gone
                    _, client = repeater.recvfrom(1024)
                    repeater.sendto(REPEATER_CONFIRM, client)

        thread = threading.Thread(target=serve, daemon=True, name="stand-in repeater")
        thread.start()
        try:
            yield repeater.getsockname()[1]
        finally:
            ended.set()
            thread.join()


DEFAULT_SERVER_PORT, DEFAULT_REPEATER_PORT = 5064, 5065
REPEATER_PORT = "EPICS_CA_REPEATER_PORT"
"""Environment variable with the port of the repeater."""


def default_environment() -> dict[str, str]:
    """Channel Access environment of a simulator on the usual ports of this machine."""
    return _environment(DEFAULT_SERVER_PORT, DEFAULT_REPEATER_PORT)


def _environment(server: int, repeater: int) -> dict[str, str]:
    return {
        "EPICS_CA_ADDR_LIST": "127.0.0.1",
        "EPICS_CA_AUTO_ADDR_LIST": "NO",
        "EPICS_CAS_INTF_ADDR_LIST": "127.0.0.1",
        "EPICS_CAS_AUTO_BEACON_ADDR_LIST": "NO",
        "EPICS_CAS_BEACON_ADDR_LIST": "127.0.0.1",
        "EPICS_CA_SERVER_PORT": str(server),
        "EPICS_CAS_SERVER_PORT": str(server),
        REPEATER_PORT: str(repeater),
        "EPICS_CA_MAX_ARRAY_BYTES": "10000000",
    }


@contextlib.contextmanager
def simulated_beamline(
    scenario: str | Path | None, speedup: float, seed: int | None = None
) -> Iterator[dict[str, str]]:
    """Run the simulated beamline for the duration of a ``with`` block.

    Parameters
    ----------
    scenario : str or Path, optional
        A scenario TOML, or the name of a packaged one.
    speedup : float
        Simulated seconds per second of wall time.
    seed : int, optional
        Of the noise, instead of that of the scenario.

    Yields
    ------
    dict
        Channel Access environment of its clients; put it into ``os.environ`` before ophyd is imported.

    Raises
    ------
    SimulatorError
        If it does not start.
    """
    command = [sys.executable, "-m", "sim_ioc", "--prefix", "sim:", "--speedup", f"{speedup:g}", "--with-parent"]
    if scenario is not None:
        command += ["--scenario", str(scenario)]
    if seed is not None:
        command += ["--seed", str(seed)]
    with loopback_environment() as environment, _running(command, environment) as process:
        _wait_ready(process)
        yield environment
        _quieten_clients()


def _quieten_clients() -> None:
    """Silence the messages of libca about the server that is about to be stopped."""
    if "epics.ca" in sys.modules and sys.modules["epics.ca"].libca is not None:
        sys.modules["epics.ca"].replace_printf_handler(None)


@contextlib.contextmanager
def _running(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run a process that is stopped at the end of the block, even after an exception."""
    # A process session of its own: Ctrl-C in the terminal pauses the scan and must not stop the simulator.
    process = subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_ready(process: subprocess.Popen[str]) -> None:
    """Wait until the simulator prints that it is ready; a thread keeps reading so that it never blocks."""
    output: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                output.put(line.rstrip())
        output.put(None)

    threading.Thread(target=read, daemon=True, name="simulator output").start()
    lines: list[str] = []
    while True:
        try:
            line = output.get(timeout=READY_TIMEOUT)
        except queue.Empty:
            raise SimulatorError(f"the simulated beamline was not ready within {READY_TIMEOUT:g} s") from None
        if line is None:
            raise SimulatorError(f"the simulated beamline did not start: {lines[-1] if lines else 'no output'}")
        if line.startswith("ready"):
            return
        lines.append(line)
