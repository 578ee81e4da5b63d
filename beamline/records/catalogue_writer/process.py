"""The process of a session that copies its journal into its catalogue."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress

from beamline.config.models import Configuration
from beamline.records.catalogue_writer.lag import runs_behind

DRAIN_TIMEOUT = 20.0
"""Seconds at the end of a session to store what the catalogue lacks."""
STOP_TIMEOUT = 10.0
"""Seconds to exit after that, before the process is killed."""


class FillerProcess:
    """A filler process that runs until its session ends.

    Parameters
    ----------
    config : Configuration
        That of the session. The output of the filler goes to ``log/filler.log`` below the data root.
    """

    def __init__(self, config: Configuration) -> None:
        self._data = config.data
        log = config.data.root / "log"
        log.mkdir(exist_ok=True)
        with (log / "filler.log").open("ab") as output:
            self._process = subprocess.Popen(
                [*filler_command(config), "--with-parent", str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal pauses a scan and must not reach the filler
            )

    @property
    def at_work(self) -> bool:
        """Whether the process is running."""
        return self._process.poll() is None

    def end(self, notify: Callable[[str], None]) -> None:
        """Store what is left; if that times out or is interrupted, the next session resumes it."""
        try:
            if self.at_work and runs_behind(self._data.root, self._data.catalogue_address):
                notify(f"Storing the last runs in the catalogue, at most {DRAIN_TIMEOUT + STOP_TIMEOUT:g} s ...")
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=DRAIN_TIMEOUT)
        finally:  # also after Ctrl-C: a second request makes it exit without storing more
            self._process.terminate()
        try:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=STOP_TIMEOUT)
        finally:
            self._process.kill()
            self._process.wait()


def filler_command(config: Configuration) -> list[str]:
    """Command line of a filler for a beamline's journal and catalogue."""
    command = [sys.executable, "-m", "beamline.records.catalogue_writer", "--journal", str(config.data.root)]
    return [*command, "--catalogue", config.data.catalogue_address]
