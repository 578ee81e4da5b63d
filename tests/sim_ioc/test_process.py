"""The simulator as a process: start, refusals, list, stop."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.helpers.ioc_process import ROOT, IocPool, StartIoc

COMMAND = [sys.executable, "-m", "sim_ioc"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--prefix is missing"),
        (["--prefix", ""], "a simulator never serves real names"),
        (["--prefix", "7ida:"], "a simulator never serves real names"),
        (["--prefix", "simulated"], "a simulator never serves real names"),
        (["--prefix", "sim:", "--speedup", "0"], "--speedup must be above 0"),
        (["--prefix", "sim:", "--speedup", "nan"], "--speedup must be above 0"),
        (["--prefix", "sim:", "--scenario", "absent.toml"], "absent.toml cannot be read"),
    ],
)
def test_it_refuses_to_start_with_one_line(arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_it_names_an_unknown_key_of_the_scenario(tmp_path: Path) -> None:
    file = tmp_path / "odd.toml"
    file.write_text("[jet]\nthicknes_rms = 0.1\n")
    done = run("--prefix", "sim:", "--scenario", str(file))
    assert done.returncode == 2
    assert done.stderr == "sim_ioc: odd.toml: unknown key 'jet.thicknes_rms'\n"


def test_list_names_every_pv_and_exits() -> None:
    done = run("--prefix", "simx:", "--list")
    assert done.returncode == 0
    rows = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert all(name.startswith("simx:") for name in rows)
    assert "LONG" in rows["simx:7idd:FPGA1:Coinc"]
    assert " 600 " in rows["simx:7idd:FPGA1:Coinc"]
    assert {"simx:7idd:scaler1.CNT", "simx:7idd:scaler1.S2", "simx:7idd:m1.RBV"} <= set(rows)
    energy = rows["simx:7ida:BraggEAO"]
    assert "keV" in energy
    assert "6..24" in energy
    assert " rw " in energy


def test_ready_line_has_the_number_of_pvs(start_ioc: StartIoc) -> None:
    ioc = start_ioc("demo")
    listed = run("--prefix", "sim:", "--scenario", "demo", "--list").stdout
    records = [line for line in listed.splitlines() if "." not in line.split()[0]]
    assert ioc.first_line == f"ready: {len(records)} PVs"


def test_it_listens_on_the_loopback_only(start_ioc: StartIoc) -> None:
    ioc = start_ioc("demo")
    addresses = set()
    inodes = {
        str(link.readlink()).removeprefix("socket:[").removesuffix("]")
        for link in Path(f"/proc/{ioc.process.pid}/fd").iterdir()
        if str(link.readlink()).startswith("socket:")
    }
    for table in ("tcp", "udp"):
        for line in Path(f"/proc/{ioc.process.pid}/net/{table}").read_text().splitlines()[1:]:
            cells = line.split()
            if cells[9] in inodes:
                addresses.add(socket.inet_ntoa(bytes.fromhex(cells[1].split(":")[0])[::-1]))
    assert addresses == {"127.0.0.1"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_cleanly(start_ioc: StartIoc, number: signal.Signals) -> None:
    ioc = start_ioc("demo")
    with socket.create_connection(("127.0.0.1", ioc.port)):  # a client does not hold it up
        ioc.process.send_signal(number)
        assert ioc.process.wait(10) == 0
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", ioc.port))


def test_it_ends_with_its_parent(tmp_path: Path, ioc_pool: IocPool) -> None:
    """A parent that is killed without a word takes the simulator with it."""
    script = tmp_path / "parent.py"
    script.write_text(
        "import subprocess, sys\n"
        f"child = subprocess.Popen({[*COMMAND, '--prefix', 'sim:', '--with-parent']!r}, cwd={str(ROOT)!r},\n"
        "    stdout=subprocess.PIPE, text=True)\n"
        "assert child.stdout.readline().startswith('ready')\n"
        "print(child.pid, flush=True)\n"
        "child.wait()\n"
    )
    environment = ioc_pool.take_environment()
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=environment)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 20
    while _is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    if _is_alive(child):
        os.kill(child, signal.SIGKILL)
        pytest.fail("the simulator outlived its parent")


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_nothing_is_served_when_the_package_is_imported() -> None:
    script = "import sim_ioc.main, sim_ioc.server, threading; print(threading.active_count())"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
