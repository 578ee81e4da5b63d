"""The real queue server with a real Redis: a plan queued by a client is run by a session and stored."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from beamline.app.commands.queue import manager_options
from beamline.records.runs.store import JournalRuns
from beamline.session.persistent.state import read_state
from tests.beamline.configurations import ENERGIES
from tests.beamline.test_config import simulated_text
from tests.devices.builds import until
from tests.helpers.ports import free_port

PATIENCE = 120.0
NO_REPORT = "Internal RE Manager error occurred. Report the error to the development team"
"""Error when a busy machine delays the worker for more than half a second, a fixed timeout."""


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[str]:
    """Address of a Redis server of this test, without persistence."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed (.ci/system-packages installs it where apt can)")
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(tmp_path)]
    process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
    yield f"127.0.0.1:{port}"
    process.terminate()
    process.wait(timeout=10)


@pytest.fixture
def manager(simulated_beamline: Any, redis_server: str, tmp_path: Path) -> Iterator[str]:
    """Control address of `trxas queue` on the simulated beamline of the tests."""
    data = f'root = "{tmp_path / "data"}"\nmin_free_gb = 0.01'
    changes = {
        'root = "trxas_data"': data,
        "clock_rate = 1.0": "clock_rate = 200.0",
        'live_figure = "auto"': 'live_figure = "off"',
    }
    config = tmp_path / "beamline.toml"
    config.write_text(simulated_text(**changes))
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    code = "from beamline.app.cli import main; main()"
    options = ["queue", "--config", str(config), "--redis", redis_server, "--control", address]
    with (tmp_path / "manager.log").open("w") as log:
        process = subprocess.Popen([sys.executable, "-c", code, *options], stdout=log, stderr=log)
    yield address
    process.terminate()
    process.wait(timeout=20)


class Client:
    """A client of the manager: JSON over 0MQ."""

    def __init__(self, address: str) -> None:
        from bluesky_queueserver import ZMQCommSendThreads

        self._link = ZMQCommSendThreads(zmq_server_address=address, timeout_recv=2000)

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        return dict(self._link.send_message(method=method, params=params))

    def wait(self, until: Callable[[dict[str, Any]], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not until(self._status()):
            assert time.monotonic() < deadline, self._status()
            time.sleep(0.1)

    def _status(self) -> dict[str, Any]:
        try:
            return self.ask("status")
        except Exception:  # noqa: BLE001  the manager is not there yet; the deadline ends the wait
            return {}

    def close(self) -> None:
        self._link.close()


def test_a_plan_of_the_queue_is_run_and_kept(manager: str, tmp_path: Path) -> None:
    client = Client(manager)
    client.wait(lambda status: status.get("manager_state") == "idle")
    assert client.ask("environment_open")["success"]
    client.wait(lambda status: status.get("worker_environment_exists") and status["manager_state"] == "idle")
    who = {"user": "a user", "user_group": "primary"}
    scan = {"item_type": "plan", "name": "energy_scan", "kwargs": {"energies": ENERGIES[:5], "dwell": 0.5}}
    # the manager gets the worker's plans a moment after it reports that it is idle
    until(lambda: client.ask("queue_item_add", item=scan, **who)["success"], "the plan is taken")
    for forbidden in ({**scan, "name": "nonsense"}, {**scan, "kwargs": {"edges": "Br_K"}}):
        assert not client.ask("queue_item_add", item=forbidden, **who)["success"]
    told = client.ask("function_execute", item={"item_type": "function", "name": "start_filler"}, **who)
    assert not told["success"]
    assert client.ask("queue_start")["success"]
    client.wait(lambda status: status.get("items_in_history") == 1 and status["manager_state"] == "idle")
    (done,) = client.ask("history_get")["items"]
    raw, reduced = JournalRuns(tmp_path / "data").runs()
    assert raw.stop is not None and raw.stop["exit_status"] == "success"
    if done["result"]["msg"] != NO_REPORT:
        assert done["result"]["exit_status"] == "completed" and done["result"]["run_uids"] == [raw.uid]
    assert reduced.raw_uid == raw.uid
    state = read_state(tmp_path / "data")
    assert state is not None and state.scan_id == raw.start["scan_id"] == 1
    assert client.ask("environment_close")["success"]
    client.wait(lambda status: not status.get("worker_environment_exists", True))
    client.ask("manager_stop")
    client.close()


def test_the_manager_listens_on_this_machine_and_takes_json_alone(tmp_path: Path) -> None:
    options = manager_options(tmp_path, "127.0.0.1:1", "tcp://127.0.0.1:2")
    given = dict(zip(options[::2], options[1::2], strict=True))
    assert given["--zmq-encoding"] == "json" and given["--zmq-publish-console"] == "OFF"
    assert Path(given["--user-group-permissions"]).is_file()
    json.dumps(given)
