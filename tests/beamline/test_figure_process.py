"""The live figure as a process: its failures change nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from beamline.outputs.live_figure.__main__ import main
from beamline.records.journal import run_files
from tests.beamline.example_runs import Documents, uid_of_run
from tests.beamline.figures import (
    alive,
    wait_for,
    whole,
)
from tests.beamline.raw_scans import Acquisition, acquire, scan_set_of


@pytest.fixture
def figure_process() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts live figures that end with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(root: Path, png: Path, *more: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "beamline.outputs.live_figure", "--journal", str(root), "--png", str(png)]
        started.append(subprocess.Popen([*command, "--every", "0.1", *more], stderr=subprocess.PIPE))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def test_as_a_process_it_writes_whole_pictures_and_ends_on_a_signal(tmp_path: Path, figure_process) -> None:
    png = tmp_path / "figure" / "live.png"
    (documents,) = scan_set_of(1)
    process = figure_process(tmp_path, png)
    wait_for(png.exists)
    waiting = png.read_bytes()
    with Acquisition(tmp_path) as session:
        session.take(documents[:30])
        wait_for(lambda: png.read_bytes() != waiting)
        assert whole(png)[:2] == (860, 1300)
        running = png.read_bytes()
        session.take(documents[30:])
    process.terminate()
    assert process.wait(timeout=60) == 0
    assert png.read_bytes() not in (waiting, running)  # the end was still drawn
    assert [path.name for path in png.parent.iterdir()] == ["live.png"]
    assert process.stderr.read() == b""


@pytest.mark.long
def test_killed_frozen_or_opened_twice_it_changes_nothing(tmp_path: Path, figure_process) -> None:
    """The same documents, written with and without figures to which bad things happen, make the same files.

    Two figures write to the same picture; then one is killed and the other frozen.
    """
    passes, png = scan_set_of(2), tmp_path / "both.png"
    killed, frozen = figure_process(tmp_path / "with", png), figure_process(tmp_path / "with", png)
    wait_for(lambda: handles_sigterm(killed.pid) and handles_sigterm(frozen.pid) and png.exists())
    with Acquisition(tmp_path / "with") as session:
        session.take(passes[0][:20])
        killed.kill()
        killed.wait()  # until then the system keeps its number
        os.kill(frozen.pid, signal.SIGSTOP)
        session.take(passes[0][20:])
        session.take(passes[1])
    acquire(tmp_path / "without", passes)
    with_figures, without = (raw_bytes(tmp_path / name, passes) for name in ("with", "without"))
    assert with_figures == without
    os.kill(frozen.pid, signal.SIGCONT)
    frozen.terminate()
    assert frozen.wait(timeout=60) == 0
    assert frozen.stderr.read() == b""
    whole(png)
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []
    assert {path.name for path in (tmp_path / "with").iterdir()} == {"journal"}


def handles_sigterm(pid: int) -> bool:
    """Whether a process has a handler for SIGTERM by now (Linux: the caught signals as a mask)."""
    caught = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) & 1 << (signal.SIGTERM - 1))


def raw_bytes(root: Path, passes: list[Documents]) -> list[bytes]:
    uids = [uid_of_run(documents) for documents in passes]
    return [path.read_bytes() for path in run_files(root) if path.stem.rpartition("_")[2] in uids]


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys\n"
        f"p = subprocess.Popen([sys.executable, '-m', 'beamline.outputs.live_figure', '--journal', {str(tmp_path)!r},"
        f" '--png', {str(tmp_path / 'p.png')!r}, '--with-parent'])\n"
        "print(p.pid, flush=True)\n"
        "import time\n"
        f"from pathlib import Path\n"
        f"while not Path({str(tmp_path / 'p.png')!r}).exists(): time.sleep(0.05)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    pid = int(done.stdout)
    wait_for(lambda: not alive(pid))


@pytest.mark.long
def test_a_picture_that_cannot_be_written_is_reported_once_and_tried_again(tmp_path: Path, figure_process) -> None:
    """A folder stands where the picture should go; then it is taken away."""
    png = tmp_path / "live.png"
    (png / "in the way").mkdir(parents=True)
    process = figure_process(tmp_path, png)
    acquire(tmp_path, scan_set_of(1))
    assert process.stderr.peek()  # waits for a message
    (png / "in the way").rmdir()
    png.rmdir()
    wait_for(png.is_file)
    process.terminate()
    assert process.wait(timeout=60) == 0
    output = process.stderr.read().decode()
    assert output.count("cannot write") == 1 and "trying again" in output


@pytest.mark.long
def test_once_draws_what_is_there(tmp_path: Path) -> None:
    acquire(tmp_path, scan_set_of(1))
    niceness = os.nice(0)
    code = "import sys; from beamline.outputs.live_figure.__main__ import main; sys.exit(main(sys.argv[1:]))"
    arguments = ["--journal", str(tmp_path), "--png", str(tmp_path / "one.png"), "--once"]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, timeout=120)
    assert whole(tmp_path / "one.png")[:2] == (860, 1300) and os.nice(0) == niceness


def test_without_a_display_or_qt_it_reports_what_to_do(monkeypatch, capsys, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "nice", lambda _: 0)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert main(["--journal", str(tmp_path)]) == 2
    assert "no display here; write a picture instead with --png" in capsys.readouterr().err
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("beamline.outputs.live_figure.screen.has_qt", lambda: False)
    assert main(["--journal", str(tmp_path)]) == 2
    assert "install the extra 'qt'" in capsys.readouterr().err
