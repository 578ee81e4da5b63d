"""`trxas shell` and `trxas resume` in a terminal that are asked to end in the middle of a scan, and what follows."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.beamline.test_ends_in_a_terminal import (
    GRID,
    SCAN,
    check_end,
    config,
    goes_on,
    hang_up,
    is_open,
    press,
    press_once,
    scanning,
    terminals,
    terminate,
)
from tests.devices.builds import until
from tests.helpers.ports import free_port
from tests.helpers.terminal import CTRL_C, Terminal

__all__ = ["config", "terminals"]

pytestmark = pytest.mark.long


@pytest.fixture
def shell(config: Path, tmp_path: Path, terminals: list[Terminal]) -> Terminal:
    """A shell in the middle of a scan, on a port of the repeater that nobody serves."""
    environment = {"IPYTHONDIR": str(tmp_path / "ipython"), "EPICS_CA_REPEATER_PORT": str(free_port())}
    terminals.append(made := Terminal("shell", "--config", str(config), environment=environment))
    made.wait_for("Ready after", 100)
    made.type(f"RE(energy_scan(energies=[{GRID}], dwell=40, passes=3))\r")
    scanning(tmp_path / "data", made)
    return made


@pytest.mark.parametrize("way", [hang_up, terminate])
def test_a_shell_ends_its_scan_in_order(shell: Terminal, tmp_path: Path, way: Callable[[Terminal], str]) -> None:
    began = time.monotonic()
    reason = way(shell)
    shell.end()
    print(f"{way.__name__}: {time.monotonic() - began:.1f} s to the end")
    goes_on(tmp_path / "data", check_end(tmp_path / "data", tmp_path, reason))
    assert "repeater" not in shell.shown.lower() and "Traceback" not in shell.shown


def press_twice(terminal: Terminal) -> None:
    terminal.type(CTRL_C)
    time.sleep(0.3)
    terminal.type(CTRL_C)


@pytest.mark.parametrize("way", [press_once, press_twice, press])
def test_ctrl_c_pauses_a_shell_and_a_paused_plan_ends_in_order(
    shell: Terminal, tmp_path: Path, way: Callable[[Terminal], object]
) -> None:
    way(shell)
    shell.wait_for("Paused. RE.resume() goes on")
    until(lambda: not is_open(), "the laser is shut meanwhile", 10)
    before = shell.shown.count("Paused.")
    shell.type("RE.resume()\r")
    until(is_open, "the scan goes on", 30)
    way(shell)
    until(lambda: shell.shown.count("Paused.") > before, "it is paused again", 30)
    before = len(shell.shown)
    shell.type("exit\r")
    assert shell.end() == 0, shell.shown
    lines = [line.strip() for line in shell.shown[before:].splitlines() if line.strip()]
    told = 'Ending the session; the paused scan ends as aborted, RE(resume("last")) continues it later ...'
    assert [line for line in lines if "exit" not in line and "catalogue" not in line] == [told]
    goes_on(
        tmp_path / "data",
        check_end(tmp_path / "data", tmp_path, "the session was closed while the plan was paused"),
    )
    assert "Traceback" not in shell.shown


@pytest.mark.parametrize("way", [press, hang_up, terminate])
def test_a_resumed_measurement_ends_in_order_and_can_be_resumed_again(
    config: Path, tmp_path: Path, terminals: list[Terminal], way: Callable[[Terminal], str]
) -> None:
    root = tmp_path / "data"
    terminals.append(scan := Terminal(*SCAN, "--config", str(config)))
    scanning(root, scan)
    reason = press_once(scan)
    scan.end()
    scan_set = check_end(root, tmp_path, reason)
    terminals.append(resume := Terminal("resume", scan_set[:8], "--config", str(config)))
    scanning(root, resume, runs=2)
    reason = way(resume)
    resume.end()
    assert check_end(root, tmp_path, reason) == scan_set
    assert "Traceback" not in resume.shown
    goes_on(root, scan_set)
