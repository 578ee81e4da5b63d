"""The real queue server with a real Redis: a plan queued by a client is run by a session and stored."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import epics
import pytest
from typer.testing import CliRunner

from beamline.app.cli import app
from beamline.app.commands.queue import manager_options, queue_command
from beamline.app.queue_server.keys import CLIENT, SERVER, QueueKeyError, queue_keys
from beamline.config.secrets import SecretError
from beamline.records.runs.journal_runs import JournalRuns
from beamline.session.persistent.state import read_state
from tests.beamline.config_files import write_config
from tests.beamline.configurations import ENERGIES
from tests.devices.builds import until
from tests.helpers.ports import free_port
from tests.helpers.secrets import holding, in_command_lines

PATIENCE = 120.0
NO_REPORT = "Internal RE Manager error occurred. Report the error to the development team"
"""Error when a busy machine delays the worker for more than half a second, a fixed timeout."""


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[str]:
    """Address of a Redis server of this test, which only its own user reaches."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed (.ci/system-packages installs it where apt can)")
    place = tmp_path / "redis"
    options = ["--port", "0", "--unixsocket", str(place), "--unixsocketperm", "700"]
    options += ["--save", "", "--appendonly", "no", "--dir", str(tmp_path)]
    process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
    yield f"unix://{place}"
    process.terminate()
    process.wait(timeout=10)


@dataclass(frozen=True)
class Queue:
    """`trxas queue` as it runs."""

    address: str
    process: subprocess.Popen[bytes]
    folder: Path

    def client(self) -> Client:
        """A client that has the key."""
        until((self.folder / CLIENT).is_file, "the key is made")
        return Client(self.address, (self.folder / CLIENT).read_text())


@pytest.fixture
def manager(simulated_beamline: Any, redis_server: str, tmp_path: Path) -> Iterator[Queue]:
    """`trxas queue` on the simulated beamline of the tests."""
    config = write_config(tmp_path, **{"[display]": '[queue]\nstop_at = "bad"\n\n[display]'})
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    code = "from beamline.app.cli import main; main()"
    options = ["queue", "--config", str(config), "--redis", redis_server, "--control", address]
    with (tmp_path / "manager.log").open("w") as log:
        process = subprocess.Popen([sys.executable, "-c", code, *options], stdout=log, stderr=log)
    yield Queue(address, process, tmp_path / "data" / "queue")
    process.terminate()
    process.wait(timeout=60)


class Client:
    """A client of the manager: JSON over 0MQ."""

    def __init__(self, address: str, key: str | None) -> None:
        from bluesky_queueserver import ZMQCommSendThreads

        self._link = ZMQCommSendThreads(zmq_server_address=address, timeout_recv=2000, server_public_key=key)

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
        self._link._ctx.destroy(linger=0)  # it leaves its context open


WHO = {"user": "a user", "user_group": "primary"}


def opened(manager: Queue) -> Client:
    """A client once the worker is there."""
    client = manager.client()
    client.wait(lambda status: status.get("manager_state") == "idle")
    assert client.ask("environment_open")["success"]
    client.wait(lambda status: status.get("worker_environment_exists") and status["manager_state"] == "idle")
    return client


@pytest.mark.long
def test_clients_without_the_key_are_refused_and_no_client_runs_code(manager: Queue, tmp_path: Path) -> None:
    client = opened(manager)
    stranger = Client(manager.address, None)
    # The manager refuses the handshake. Before the request is sent, zmq has nowhere to send it to; later, no
    # reply comes.
    with pytest.raises(Exception, match=r"Resource temporarily unavailable|[Tt]imeout"):
        stranger.ask("status")
    stranger.close()
    mark = tmp_path / "mark"
    script = f"open({str(mark)!r}, 'w').close()"
    free = {"user_groups": {"root": {"allowed_functions": [None]}, "primary": {"allowed_functions": [None]}}}
    function = {"item_type": "function", "name": "open", "args": [str(mark), "w"]}
    for method, params in (
        ("script_upload", {"script": script}),
        ("permissions_set", {"user_group_permissions": free}),
        ("permissions_reload", {}),
        ("function_execute", {"item": function, **WHO}),
    ):
        answer = client.ask(method, **params)
        assert not answer["success"] and "locked" in answer["msg"], method
    assert not mark.exists()
    client.close()


@pytest.mark.long
def test_a_queue_that_is_terminated_ends_its_scan_in_order(manager: Queue, tmp_path: Path) -> None:
    client = opened(manager)
    scan = {"item_type": "plan", "name": "energy_scan", "kwargs": {"energies": ENERGIES, "dwell": 40.0, "passes": 3}}
    until(lambda: client.ask("queue_item_add", item=scan, **WHO)["success"], "the plan is taken")
    assert client.ask("queue_start")["success"]
    until(lambda: epics.caget("sim:7idd:Laser:ShutterStatus_RBV", use_monitor=False) == 1, "the laser is on")
    manager.process.terminate()
    manager.process.wait(timeout=60)
    assert epics.caget("sim:7idd:Laser:ShutterStatus_RBV", use_monitor=False) == 0
    raw = next(run for run in JournalRuns(tmp_path / "data").runs() if run.raw_uid is None)
    assert raw.stop is not None and (raw.stop["exit_status"], raw.stop["reason"]) == ("abort", "ended by SIGTERM")
    client.close()


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    server, client = queue_keys(tmp_path)
    assert len(server) == len(client) == 40 and server != client
    assert queue_keys(tmp_path) == (server, client)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    (tmp_path / CLIENT).chmod(0o644)
    with pytest.raises(QueueKeyError, match="may be read by others"):
        queue_keys(tmp_path)
    (tmp_path / CLIENT).unlink()
    assert queue_keys(tmp_path)[1] != client


@pytest.mark.parametrize("address", ["a:word-of-tests@127.0.0.1:6379", "redis://:word-of-tests@127.0.0.1:6379"])
def test_a_password_in_the_address_of_redis_is_refused_without_being_repeated(address: str) -> None:
    with pytest.raises(SecretError, match="unix:///PATH") as refused:
        queue_command(redis=address)
    assert "word-of-tests" not in str(refused.value)


def test_a_plan_of_the_queue_is_run_and_kept(manager: Queue, tmp_path: Path) -> None:
    client = opened(manager)
    scan = {"item_type": "plan", "name": "energy_scan", "kwargs": {"energies": ENERGIES[:5], "dwell": 0.5}}
    # the manager gets the worker's plans a moment after it reports that it is idle
    until(lambda: client.ask("queue_item_add", item=scan, **WHO)["success"], "the plan is taken")
    for forbidden in ({**scan, "name": "nonsense"}, {**scan, "kwargs": {"edges": "Br_K"}}):
        assert not client.ask("queue_item_add", item=forbidden, **WHO)["success"]
    output = client.ask("function_execute", item={"item_type": "function", "name": "start_catalogue_writer"}, **WHO)
    assert not output["success"]
    assert client.ask("queue_start")["success"]
    client.wait(lambda status: status.get("items_in_history") == 1 and status["manager_state"] == "idle")
    for secret in queue_keys(manager.folder):
        assert not in_command_lines(secret)
        assert {Path(file).name for file in holding(tmp_path, secret)} <= {SERVER, CLIENT}
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


def waiting_rows(client: Client) -> list[int]:
    return [json.loads(each["kwargs"]["row"])["number"] for each in client.ask("queue_get")["items"]]


@pytest.mark.long
def test_a_night_in_the_queue_goes_on_after_a_failure_and_stops_at_a_bad_pass(manager: Queue, tmp_path: Path) -> None:
    client = opened(manager)
    table = tmp_path / "tonight.csv"
    grid = '"energies=(13.45, 13.46, 13.472, 13.53, 13.57), dwell=0.5"'
    lines = [f"wet,{grid},1e9,1,1", f"jet,{grid},100,2,2", f"mono,{grid},100,1,3"]
    table.write_text("\n".join(["sample,arguments,delay,passes,priority", *lines]) + "\n")
    sending = [str(table), "--queue", manager.address, "--config", str(tmp_path / "beamline.toml")]
    sent = partial(CliRunner().invoke, app, ["batch", *sending])
    until(lambda: sent().exit_code == 0, f"the rows are taken: {sent()}")
    assert "3 rows are in the queue, 3 earlier" in sent().output
    assert waiting_rows(client) == [2, 3, 4]
    epics.caput("sim:Fault:GateSaturated", 1, wait=True)
    try:
        assert client.ask("queue_start")["success"]
        client.wait(lambda status: status.get("items_in_history") == 2 and status["manager_state"] == "idle")
    finally:
        epics.caput("sim:Fault:GateSaturated", 0, wait=True)
    assert waiting_rows(client) == [3, 4]  # the failed one comes first again
    assert client.ask("queue_start")["success"]
    client.wait(lambda status: status.get("items_in_queue") == 0 and status["manager_state"] == "idle")
    raw = [run for run in JournalRuns(tmp_path / "data").runs() if run.raw_uid is None]
    assert [(run.start["sample"], run.start["scan_index"]) for run in raw] == [("jet", 0), ("jet", 1), ("mono", 0)]
    assert "Row 2 has failed: laser_delay" in (tmp_path / "manager.log").read_text()
    assert client.ask("environment_close")["success"]
    client.close()


def test_the_manager_listens_on_this_machine_and_takes_json_alone(tmp_path: Path) -> None:
    options = manager_options(tmp_path, "127.0.0.1:1", "tcp://127.0.0.1:2")
    given = dict(zip(options[::2], options[1::2], strict=True))
    assert given["--zmq-encoding"] == "json" and given["--zmq-publish-console"] == "OFF"
    assert Path(given["--user-group-permissions"]).is_file()
    json.dumps(given)
