"""`trxas queue` in a terminal that is asked to end in the middle of a scan, and the session after it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from beamline.session.session import start
from tests.beamline.config_files import write_config
from tests.beamline.configurations import ENERGIES, configuration
from tests.beamline.test_ends_in_a_terminal import (
    check_end,
    goes_on,
    hang_up,
    press,
    press_once,
    scanning,
    terminals,
    terminate,
)
from tests.beamline.test_queue_server import WHO, Client, Queue, redis_server
from tests.devices.builds import until
from tests.helpers.ports import free_port
from tests.helpers.terminal import Terminal

__all__ = ["redis_server", "terminals"]

SCAN = {"item_type": "plan", "name": "energy_scan", "kwargs": {"energies": ENERGIES, "dwell": 40.0, "passes": 3}}


def interrupt(terminal: Terminal) -> str:
    """Not from the terminal: the process alone gets it."""
    terminal.process.send_signal(signal.SIGINT)
    return "ended with Ctrl-C"


Started = Callable[[], tuple[Terminal, Client]]


@pytest.fixture
def started(simulated_beamline: Any, redis_server: str, tmp_path: Path, terminals: list[Terminal]) -> Iterator[Started]:
    """Starts a queue in a terminal, and a client of it."""
    clients: list[Client] = []

    def start_one() -> tuple[Terminal, Client]:
        address = f"tcp://127.0.0.1:{free_port()}"
        options = ["--config", str(write_config(tmp_path)), "--redis", redis_server, "--control", address]
        terminals.append(queue := Terminal("queue", *options))
        clients.append(client := Queue(address, queue.process, tmp_path / "data" / "queue").client())
        client.wait(lambda status: status.get("manager_state") == "idle")
        return queue, client

    yield start_one
    for client in clients:
        client.close()


@pytest.mark.long
@pytest.mark.parametrize("way", [press, press_once, interrupt, hang_up, terminate])
def test_a_queue_ends_its_scan_in_order_and_says_why(started: Started, tmp_path: Path, way: Any) -> None:
    root = tmp_path / "data"
    queue, client = started()
    assert client.ask("environment_open")["success"]
    client.wait(lambda status: status.get("worker_environment_exists") and status["manager_state"] == "idle")
    until(lambda: client.ask("queue_item_add", item=SCAN, **WHO)["success"], "the plan is taken")
    assert client.ask("queue_start")["success"]
    scanning(root, queue)
    reason = way(queue)
    queue.end()
    goes_on(root, check_end(root, tmp_path, reason))


@pytest.mark.long
def test_a_queue_beside_another_session_reports_who_has_control(started: Started, tmp_path: Path) -> None:
    queue, client = started()
    with start(configuration(tmp_path / "data"), fill_catalogue=False, notify=lambda _: None):
        assert client.ask("environment_open")["success"]
        queue.wait_for("no plan runs from here")
        assert f"process {os.getpid()}" in queue.shown
        client.wait(lambda status: status.get("manager_state") == "idle")
    assert client.ask("environment_open")["success"]
    client.wait(lambda status: status.get("worker_environment_exists") and status["manager_state"] == "idle")
