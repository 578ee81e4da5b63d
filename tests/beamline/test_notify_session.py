"""A real session starts the process of its messages, which outlives it and reports its loss."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from beamline.config.models import Configuration
from beamline.config.own_files import open_own
from beamline.records.journal.files import try_lock
from beamline.session.session import start
from tests.beamline.configurations import ENERGIES, configuration
from tests.beamline.figures import wait_for
from tests.beamline.mail_server import web_hook
from tests.helpers.ioc_process import ROOT

pytestmark = pytest.mark.long

SESSION = """
import sys
from pathlib import Path
from beamline.session.session import start
from tests.beamline.test_notify_session import with_hook
session = start(with_hook(Path(sys.argv[1]), int(sys.argv[2])), fill_catalogue=False)
session.RE(session.energy_scan(energies=[13.45, 13.472], dwell=0.5), lambda name, doc: print(name, flush=True))
sys.stdin.read()
"""


def with_hook(root: Path, port: int) -> Configuration:
    """A configuration whose messages go to a local web hook."""
    secret = root.parent / "url"
    secret.touch(mode=0o600)
    secret.write_text(f"json://127.0.0.1:{port}\n")
    return configuration(root, notify=({"name": "hook", "url_file": str(secret), "figure": False},))


def titles(posts: list[dict[str, Any]]) -> str:
    return "\n".join(str(post["title"]) for post in posts)


def has_ended(root: Path) -> bool:
    """Whether no process sends the messages of a data root any more."""
    descriptor = open_own(root / "log" / "notify.lock", os.O_RDWR)
    try:
        return try_lock(descriptor)
    finally:
        os.close(descriptor)


def test_a_scan_of_a_session_is_reported_and_the_process_ends_after_the_session(simulated_beamline, tmp_path) -> None:
    root = tmp_path / "data"
    with web_hook() as (port, posts, _):
        with start(with_hook(root, port), fill_catalogue=False, notify=lambda _: None) as session:
            wait_for((root / "log" / "notify.lock").exists)
            session.RE(session.energy_scan(energies=ENERGIES, dwell=0.5))
            wait_for(lambda: "energy_scan ended" in titles(posts))
            assert titles(posts).startswith("SIM 7-ID-D") and not has_ended(root)
        wait_for(lambda: has_ended(root))
        assert "lost" not in titles(posts)
    assert f":{port}" not in (root / "log" / "notify.log").read_text()


def test_a_session_that_is_killed_is_reported_as_lost(simulated_beamline, tmp_path) -> None:
    root = tmp_path / "data"
    with web_hook() as (port, posts, _):
        command = [sys.executable, "-c", SESSION, str(root), str(port)]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as process:
            assert process.stdout is not None
            while process.stdout.readline() != "stop\n":
                assert process.poll() is None
            wait_for(lambda: "energy_scan ended" in titles(posts))
            process.kill()
        wait_for(lambda: "session lost" in titles(posts))
        wait_for(lambda: has_ended(root))
