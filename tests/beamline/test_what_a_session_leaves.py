"""What a closed session leaves in its process: no thread, no file."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from beamline.session.session import Session, start
from tests.beamline.configurations import ENERGIES, configuration
from tests.devices.builds import until
from tests.helpers.ioc_process import RunningIoc


def open_files() -> list[str]:
    """Targets of the descriptors of this process."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            found.append(str(descriptor.readlink()))
        except OSError:  # that of the listing
            continue
    return found


@pytest.mark.parametrize("fill_catalogue", [False, pytest.param(True, marks=pytest.mark.long)])
def test_a_closed_session_leaves_no_thread_and_no_file(
    simulated_beamline: RunningIoc, tmp_path: Path, fill_catalogue: bool
) -> None:
    def scan(number: int) -> None:
        config = configuration(tmp_path / str(number))
        with start(config, fill_catalogue=fill_catalogue, notify=lambda _: None) as session:
            assert isinstance(session, Session)
            session.RE(session.energy_scan(energies=ENERGIES[:2], dwell=1.0))

    scan(1)  # threads of libca and ophyd belong to the process
    threads, files = set(threading.enumerate()), len(open_files())
    scan(2)
    until(lambda: set(threading.enumerate()) <= threads, "no thread is left", 10)
    until(lambda: len(open_files()) <= files, "no file is left", 10)
