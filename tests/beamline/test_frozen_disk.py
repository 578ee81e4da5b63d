"""The data root hangs while `trxas scan` is asked to end: the laser shutter is shut at once all the same."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.beamline.test_ends_in_a_terminal import SCAN, check_end, config, goes_on, is_open, scanning, terminals
from tests.devices.builds import until
from tests.helpers.terminal import Terminal

__all__ = ["config", "terminals"]

HANGS = """
import os, time, pathlib
mark = pathlib.Path({mark!r})
def hanging(call):
    def wait_first(descriptor, *arguments):
        while mark.exists() and os.readlink(f"/proc/self/fd/{{descriptor}}").startswith({root!r}):
            time.sleep(0.02)
        return call(descriptor, *arguments)
    return wait_first
os.write, os.fsync, os.fstat, os.ftruncate = map(hanging, (os.write, os.fsync, os.fstat, os.ftruncate))
"""
"""Every call with a descriptor below the data root waits while a file exists: as on a server that is gone."""
AT_ONCE, ROUND_TRIPS = 1.0, 20
"""Seconds, and so many gets as well: on a busy machine these take longer than the rest."""


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_laser_shutter_is_shut_at_once_while_the_data_root_hangs(
    config: Path, tmp_path: Path, terminals: list[Terminal], number: signal.Signals
) -> None:
    root, mark = tmp_path / "data", tmp_path / "hangs"
    before = f"exec({HANGS.format(mark=str(mark), root=str(root))!r})"
    terminals.append(scan := Terminal(*SCAN, "--config", str(config), before=before))
    scanning(root, scan)
    for _ in range(50):
        mark.touch()
        time.sleep(0.5)  # a dwell takes 0.2 s: the journal hangs
        if is_open():
            break
        mark.unlink()
        time.sleep(0.05)
    begun = time.monotonic()
    assert is_open()
    busy = ROUND_TRIPS * (time.monotonic() - begun)
    asked = time.monotonic()
    scan.process.send_signal(number)
    shut = until(lambda: not is_open(), "the laser shutter is shut", 10)
    print(f"laser shutter shut {shut - asked:.2f} s after {number.name}")
    assert shut - asked < AT_ONCE + busy
    assert scan.process.poll() is None, "the journal hangs"
    mark.unlink()
    assert scan.end() == 128 + number
    reason = "ended with Ctrl-C" if number == signal.SIGINT else f"ended by {number.name}"
    goes_on(root, check_end(root, tmp_path, reason))
