"""The server of these tests leaves nothing behind."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.devices.builds import until
from tests.devices.soft_process import soft_ioc
from tests.helpers.ioc_process import ROOT, IocPool


def listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def test_it_serves_in_its_block_and_is_gone_after_it(ioc_pool: IocPool) -> None:
    environment = ioc_pool.take_environment()
    port = int(environment["EPICS_CAS_SERVER_PORT"])
    with pytest.raises(ZeroDivisionError), soft_ioc("gone:", environment):
        assert listens(port)
        _ = 1 / 0
    assert not listens(port)


def test_it_ends_with_a_parent_that_is_killed(ioc_pool: IocPool, tmp_path: Path) -> None:
    environment = ioc_pool.take_environment()
    port = int(environment["EPICS_CAS_SERVER_PORT"])
    script = tmp_path / "parent.py"
    script.write_text(
        "import os, signal\n"
        "from tests.devices.soft_process import soft_ioc\n"
        "with soft_ioc('orphan:', os.environ):\n"
        "    print('serving', flush=True)\n"
        "    signal.pause()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        text=True,
        env={**environment, "PYTHONPATH": str(ROOT)},
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "serving\n"
    assert listens(port)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until(lambda: not listens(port), "the server has ended")
