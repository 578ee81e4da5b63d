"""The control lock: its holder, and its release with the process."""

from __future__ import annotations

import subprocess
import sys

import pytest

from beamline.session.lock import ControlLock

HOLD = """
import sys
from pathlib import Path
from beamline.session.lock import ControlLock
lock = ControlLock(Path(sys.argv[1]))
print("held" if lock.held else lock.holder(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline().strip() == "held"
    yield process
    process.kill()
    process.communicate()


def test_the_second_session_learns_who_holds_the_lock(other, tmp_path):
    lock = ControlLock(tmp_path)
    assert not lock.held
    assert f"process {other.pid}, since 20" in lock.holder()
    lock.release()  # releasing what is not held changes nothing
    assert not ControlLock(tmp_path).held


def test_a_killed_holder_frees_the_lock(other, tmp_path):
    other.kill()
    other.wait()
    lock = ControlLock(tmp_path)
    assert lock.held
    again = ControlLock(tmp_path)
    assert not again.held
    lock.release()
    assert ControlLock(tmp_path).held


def test_an_unreadable_signature_is_no_error(tmp_path):
    first = ControlLock(tmp_path)
    (tmp_path / "controller.lock").write_text("not JSON")
    assert ControlLock(tmp_path).holder() == "somebody who did not sign"
    first.release()
