"""The process of a session that copies its journal into its catalogue."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from beamline.config.models import Configuration
from beamline.config.own_files import open_own
from beamline.records.catalogue.client import is_server
from beamline.records.catalogue_writer.lag import describe_incomplete, incomplete_runs, runs_behind
from beamline.records.journal import uid_of

DRAIN_TIMEOUT = 20.0
"""Seconds at the end of a session to store what the catalogue lacks."""
STOP_TIMEOUT = 10.0
"""Seconds to exit after that, before the process is killed."""
SHORTEST_PAUSE, LONGEST_PAUSE = 0.5, 60.0
"""Seconds before a process that died is restarted."""
HEALTH_TIMEOUT = 20.0
"""Seconds for a reply of the server: nobody waits for its sentence, and one that was just started takes some."""
ENDING = {signal.SIGTERM, signal.SIGINT}
"""Signals that request it to stop."""
HURRY = 1.0
"""Seconds in place of each, where the operating system ends the process."""


class WriterProcess:
    """A catalogue writer process that runs until its session ends; one that dies is restarted.

    Parameters
    ----------
    config : Configuration
        That of the session. The output of the writer goes to ``log/catalogue_writer.log`` below the data root.
    notify : callable
        Takes messages for the user.

    Raises
    ------
    beamline.config.secrets.SecretError
        If the key of the Tiled server cannot be read.
    """

    def __init__(self, config: Configuration, notify: Callable[[str], None] = lambda message: None) -> None:
        self._config, self._data, self._notify = config, config.data, notify
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._incomplete = incomplete_runs(self._data.root, self._data.catalogue_address)
        self._environment = with_key(config.data.catalogue_key())
        self._process = self._started()
        # Beside the start of the session, which does not wait for a server.
        threading.Thread(target=self._report_fault, name="catalogue-health", daemon=True).start()
        self._watch = threading.Thread(target=self._keep_alive, name="catalogue-writer", daemon=True)
        self._watch.start()

    @property
    def at_work(self) -> bool:
        """Whether the process is running."""
        return self._process.poll() is None

    def end(self, notify: Callable[[str], None], *, hurry: bool = False) -> None:
        """Store what is left; if that times out or is interrupted, the next session resumes it."""
        drain, stop = (HURRY, HURRY) if hurry else (DRAIN_TIMEOUT, STOP_TIMEOUT)
        with self._lock:
            self._ending.set()
        try:
            if not hurry and self.at_work and runs_behind(self._data.root, self._data.catalogue_address):
                notify(f"Storing the last runs in the catalogue, at most {DRAIN_TIMEOUT + STOP_TIMEOUT:g} s ...")
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=drain)
        finally:  # after Ctrl-C too: a second SIGTERM ends it without storing more
            self._process.terminate()
        try:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=stop)
        finally:
            self._process.kill()
            self._process.wait()
            self._watch.join(timeout=1.0)
        self._report_what_remains(notify)

    def _report_fault(self) -> None:
        """Report what keeps the server from being the catalogue; meanwhile documents wait in the journal."""
        from beamline.records.catalogue.health import server_fault

        address = self._data.catalogue_address
        if not is_server(address):
            return
        fault = server_fault(address, self._environment.get("TILED_API_KEY"), HEALTH_TIMEOUT)
        if fault is not None and not self._ending.is_set():
            self._notify(f"Catalogue: {fault.message}. {fault.remedy}")

    def _report_what_remains(self, notify: Callable[[str], None]) -> None:
        root, catalogue = self._data.root, self._data.catalogue_address
        if left := [uid_of(path)[:8] for path in runs_behind(root, catalogue)]:
            notify(f"Not in the catalogue yet, the next session resumes it: {', '.join(left)}.")
        new = {uid: why for uid, why in incomplete_runs(root, catalogue).items() if uid not in self._incomplete}
        if new:
            notify(describe_incomplete(new))

    def _started(self) -> subprocess.Popen[bytes]:
        log = self._data.root / "log"
        log.mkdir(exist_ok=True)
        output = open_own(log / "catalogue_writer.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        # SIGTERM before its handler is installed would end it with nothing stored: blocked until then.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        try:
            return subprocess.Popen(
                [*writer_command(self._config), "--with-parent", str(os.getpid())],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal pauses a scan; the catalogue writer goes on
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            os.close(output)

    def _keep_alive(self) -> None:
        """Restart it whenever it exits, with growing delays if it exits repeatedly."""
        pause = SHORTEST_PAUSE
        while True:
            began = time.monotonic()
            status = self._process.wait()
            if self._ending.is_set():
                return
            pause = min(LONGEST_PAUSE, 2 * pause) if time.monotonic() - began < LONGEST_PAUSE else SHORTEST_PAUSE
            self._notify(
                f"The catalogue writer died (status {status}, see log/catalogue_writer.log); it is"
                f" restarted in {pause:g} s. Nothing is lost: the journal has everything."
            )
            self._ending.wait(pause)
            with self._lock:
                if self._ending.is_set():
                    return
                self._process = self._started()


def with_key(api_key: str | None) -> dict[str, str]:
    """The environment of a process that uses the Tiled server: it holds the key, the command line does not."""
    return {**os.environ, **({"TILED_API_KEY": api_key} if api_key else {})}


def writer_command(config: Configuration) -> list[str]:
    """Command line of a catalogue writer for a beamline's journal and catalogue."""
    command = [sys.executable, "-m", "beamline.records.catalogue_writer", "--journal", str(config.data.root)]
    return [*command, "--catalogue", config.data.catalogue_address]
