"""`trxas queue` in a terminal that is asked to end in the middle of a scan, and the session after it."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.beamline.config_files import write_config
from tests.beamline.configurations import ENERGIES
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
from tests.beamline.test_queue_server import WHO, Queue, opened, redis_server
from tests.devices.builds import until
from tests.helpers.ports import free_port
from tests.helpers.terminal import Terminal

__all__ = ["redis_server", "terminals"]

SCAN = {"item_type": "plan", "name": "energy_scan", "kwargs": {"energies": ENERGIES, "dwell": 40.0, "passes": 3}}


def interrupt(terminal: Terminal) -> str:
    """Not from the terminal: the process alone gets it."""
    terminal.process.send_signal(signal.SIGINT)
    return "ended with Ctrl-C"


@pytest.mark.long
@pytest.mark.parametrize("way", [press, press_once, interrupt, hang_up, terminate])
def test_a_queue_ends_its_scan_in_order_and_says_why(
    simulated_beamline: Any, redis_server: str, tmp_path: Path, terminals: list[Terminal], way: Any
) -> None:
    root = tmp_path / "data"
    address = f"tcp://127.0.0.1:{free_port()}"
    config = write_config(tmp_path)
    queue = Terminal("queue", "--config", str(config), "--redis", redis_server, "--control", address)
    terminals.append(queue)
    client = opened(Queue(address, queue.process, root / "queue"))
    until(lambda: client.ask("queue_item_add", item=SCAN, **WHO)["success"], "the plan is taken")
    assert client.ask("queue_start")["success"]
    scanning(root, queue)
    reason = way(queue)
    queue.end()
    client.close()
    goes_on(root, check_end(root, tmp_path, reason))
