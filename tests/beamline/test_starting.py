"""The prompt does not wait for the session."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from rich.console import Console

from beamline.app.shell import prepare
from beamline.app.starting import Starting
from beamline.station.connect import NotConnectedError


def test_a_session_comes_later_and_is_ended_with_what_stands_around_it() -> None:
    go, ended = threading.Event(), []

    def make(stack: contextlib.ExitStack) -> str:
        stack.callback(ended.append, "around")
        assert go.wait(10)
        return "session"

    starting = Starting(make, lambda _: None)
    starting.begin()
    assert starting.is_under_way and starting.wait(0.01) is None
    starting.begin()  # is under way already
    go.set()
    assert starting.wait(10) == "session" and not starting.is_under_way
    starting.close()
    assert ended == ["around"] and starting.session is None


def test_a_failure_is_reported_on_one_line_and_can_be_retried() -> None:
    messages: list[str] = []
    failures: list[Exception] = [NotConnectedError("all of them", "41 records (mono: sim:0 and 39 more; i0: sim:i0)")]

    def make(stack: contextlib.ExitStack) -> str:
        if failures:
            raise failures.pop()
        return "session"

    starting = Starting(make, messages.append)
    starting.begin()
    assert starting.wait(10) is None
    assert messages == [
        "NO SESSION: 41 records (mono: sim:0 and 39 more; i0: sim:i0) Fix this and type %connect; `trxas doctor` names"
        " each record; exit leaves."
    ]
    starting.begin()
    assert starting.wait(10) == "session"
    starting.close()


def test_early_input_waits_and_without_a_session_the_shell_reports_what_to_do(capsys: Any) -> None:
    names: dict[str, Any] = {}
    tries: list[Exception] = [RuntimeError("the beamline is away.")]

    def make(_: contextlib.ExitStack) -> str:
        time.sleep(0.3)  # the start of a session takes its time
        if tries:
            raise tries.pop()
        names["mono"] = 13.47
        return "session"

    shell = InteractiveShell(user_ns=names)
    starting = Starting(make, print)
    prepare(shell, starting, Console())
    starting.begin()
    shell.run_cell("mono")
    output = capsys.readouterr().out
    assert "Still connecting" in output and "NO SESSION: the beamline is away." in output
    assert "NameError: name 'mono' is not defined" in output and "No session: %connect tries again." in output
    shell.run_cell("%wa")
    assert "UsageError: there is no session; in a shell %connect retries" in "".join(capsys.readouterr())
    starting.begin()
    shell.run_cell("print('AT', mono)")
    assert "AT 13.47" in capsys.readouterr().out
    starting.close()


def test_a_read_only_shell_reports_why_it_has_no_plans(capsys: Any) -> None:
    view = SimpleNamespace(read_only=True, why="controlled by A. Curie")
    shell = InteractiveShell(user_ns={})
    starting = Starting(lambda stack: view, print)
    prepare(shell, starting, Console())
    starting.begin()
    assert starting.wait(10) is view
    shell.run_cell("RE(energy_scan())")
    assert "read-only, controlled by A. Curie: it has no RE and no plans." in capsys.readouterr().out
    for line in ("%mov mono 13.4", "%ct"):
        shell.run_cell(line)
        assert "this session is read-only, controlled by A. Curie" in "".join(capsys.readouterr()), line


class Terminal:
    """A program in its own terminal."""

    def __init__(self, cwd: Path, *arguments: str) -> None:
        ours, theirs = pty.openpty()
        clean = {key: value for key, value in os.environ.items() if not key.startswith("EPICS_")}
        clean |= {"PYTHONPATH": str(Path(__file__).parents[2]), "TERM": "dumb", "IPYTHONDIR": str(cwd / "ipython")}
        command = [sys.executable, "-c", "from beamline.app.cli import main; main()", *arguments]
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=cwd, env=clean, start_new_session=True
        )
        os.close(theirs)
        self._terminal = ours
        self.text = ""

    def type(self, line: str) -> None:
        os.write(self._terminal, line.encode() + b"\r")

    def wait_for(self, pattern: str, timeout: float = 100.0) -> re.Match[str]:
        """Read until the pattern is on the screen."""
        deadline = time.monotonic() + timeout
        while (found := re.search(pattern, self.text)) is None:
            assert time.monotonic() < deadline, self.text
            if select.select([self._terminal], [], [], 0.2)[0]:
                self.text += os.read(self._terminal, 65536).decode(errors="replace")
        return found

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._terminal)


@pytest.fixture
def terminal(tmp_path: Path) -> Any:
    started: list[Terminal] = []

    def start(*arguments: str) -> Terminal:
        started.append(Terminal(tmp_path, *arguments))
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.mark.long
def test_a_new_user_is_prompted_once_and_types_before_the_session_is_ready(terminal: Any, tmp_path: Path) -> None:
    screen = terminal("shell", "--sim", "--speedup", "100")
    screen.wait_for("Proposal \\[none\\], Enter keeps it: ")
    screen.type("GUP-1")
    screen.wait_for("Sample ")
    screen.type("")
    screen.wait_for("Users")
    screen.type("A. Curie")
    screen.wait_for(r"SIM \[")
    screen.type("print('PLACE', mono.position > 1, session.about()['users'])")
    screen.wait_for(r"Still connecting")
    screen.wait_for(r"Ready after [0-9.]+ s: \d+ signals of \d+ devices")
    screen.wait_for(r"PLACE True \['A. Curie'\]")
    os.write(screen._terminal, b"\x03")  # Ctrl-C goes to every program of the terminal
    screen.type("print(get_ipython().complete(None, '%mov lase', 9)[1], get_ipython().complete('energy_s')[1])")
    screen.wait_for(r"'laser_fluence'.*'energy_scan'")
    screen.type("print('WRITER', session._catalogue_writer.at_work)")
    screen.wait_for("WRITER True")
    screen.type("exit")
    assert screen.process.wait(timeout=60) == 0
    assert '"GUP-1"' in (tmp_path / "trxas_data" / "session.json").read_text()


@pytest.mark.long
def test_without_a_beamline_the_prompt_remains_and_reports_what_to_do(tmp_path: Path) -> None:
    from tests.beamline.config_files import simulated_text
    from tests.beamline.test_cli import trxas

    path = tmp_path / "nowhere.toml"
    soon = "clock_rate = 1.0\nconnect_timeout = 0.5"
    path.write_text(simulated_text(**{'"sim:': '"sim:nowhere:', "clock_rate = 1.0": soon}))
    done = trxas("shell", "--config", str(path), cwd=tmp_path, text="mono.position\n%wa\nprint('STILL HERE')\nexit\n")
    assert done.returncode == 0
    text = " ".join(done.stdout.split())
    assert "NO SESSION:" in text and "mono: sim:nowhere:7ida:BraggEAO" in text and re.search(r"and \d+ more", text)
    assert "NameError: name 'mono' is not defined" in text and "No session: %connect tries again." in text
    assert "UsageError: there is no session" in text + done.stderr and "STILL HERE" in text
    assert "Traceback" not in done.stdout + done.stderr
