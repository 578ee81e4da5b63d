"""The live figure that a session opens automatically."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from beamline.config.models import ConfigurationError, load
from beamline.records.journal import Journal
from beamline.session.figure_process import figure_command, open_live_figure, png_path
from tests.beamline.configurations import configuration
from tests.beamline.figures import (
    alive,
    wait_for,
)


@pytest.mark.parametrize(
    ("choice", "display", "qt", "expected"),
    [
        ("off", True, True, None), ("auto", False, True, None), ("auto", True, True, "screen"),
        ("auto", True, False, "png"), ("png", False, False, "png"),
    ],
)  # fmt: skip
def test_which_figure_a_session_opens(monkeypatch, tmp_path: Path, choice, display, qt, expected) -> None:
    monkeypatch.setattr("beamline.session.figure_process.has_display", lambda: display)
    monkeypatch.setattr("beamline.session.figure_process.has_qt", lambda: qt)
    messages: list[str] = []
    config = configuration(tmp_path, display={"live_figure": choice, "png": "figures/now.png"})
    command = figure_command(config, messages.append)
    if expected is None:
        assert command is None and messages == []
        return
    assert command is not None and "--with-parent" in command
    assert (str(tmp_path / "figures" / "now.png") in command) is (expected == "png")
    assert any("now.png" in line for line in messages) is (expected == "png")


def test_the_display_section_is_checked() -> None:
    assert png_path(load("simulated")) == Path("trxas_data/live.png")
    with pytest.raises(ConfigurationError, match=r"display\.live_figure"):
        load("simulated", display={"live_figure": "on"})
    with pytest.raises(ConfigurationError, match=r"display\.pgn"):
        load("simulated", display={"pgn": "x"})


def test_the_sessions_figure_is_out_of_reach_of_ctrl_c_and_ends_even_when_frozen(tmp_path: Path) -> None:
    config = configuration(tmp_path, display={"live_figure": "png"})
    Journal(tmp_path, min_free_bytes=0).close()
    process = open_live_figure(config, lambda _: None)
    assert process is not None
    try:
        assert os.getsid(process.pid) != os.getsid(0)
        wait_for(png_path(config).exists)
        os.kill(process.pid, signal.SIGSTOP)
    finally:
        process.close(timeout=0.5)
    assert not alive(process.pid)
    assert (tmp_path / "log" / "live_figure.log").read_text() == ""


def test_a_figure_that_cannot_start_is_reported_and_harmless(tmp_path: Path, monkeypatch) -> None:
    messages: list[str] = []
    config = configuration(tmp_path, display={"live_figure": "png"})
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no python here"))
    assert open_live_figure(config, messages.append) is None
    assert "could not be started" in messages[-1]
