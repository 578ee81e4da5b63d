"""A PostgreSQL server of a test session, on a free port of 127.0.0.1 and below a folder of its own."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import asyncpg

from tests.helpers.ports import free_port

USER, PASSWORD = "tiled", "word-of-tests"
PLACES = [Path("/usr/local/bin"), *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]


class PostgresError(RuntimeError):
    """No server can be had here; the message says why."""


class PostgresServer:
    """A server that is started at once.

    Raises
    ------
    PostgresError
        When its programs are missing, or it does not start.
    """

    def __init__(self) -> None:
        self.programs = _programs()
        self._directory = Path(tempfile.mkdtemp(prefix="trxas-postgres-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._pass_file = self._directory / "pgpass"
        self._databases = 0
        self.port = free_port()
        try:
            if os.getuid() == 0:
                shutil.chown(self._directory, "nobody")
            self._initialise()
            self.start()
        except (OSError, subprocess.SubprocessError, LookupError) as error:
            self.close()
            raise PostgresError(f"PostgreSQL does not start here: {error}") from error

    def start(self) -> None:
        """Start it, also again after `stop`, and wait until it answers."""
        options = ["-D", str(self._data), "-p", str(self.port), "-k", str(self._directory), "-h", "127.0.0.1"]
        speed = ["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "shared_buffers=16MB"]
        command = [*_as_another_user(), str(self.programs / "postgres"), *options, *speed]
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._wait()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT ends the connections, SIGQUIT is as a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    @property
    def environment(self) -> dict[str, str]:
        """Environment of a program that uses it by addresses without the password, which is in an owner-only file."""
        return {"PGPASSFILE": str(self._pass_file), "PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": USER}

    def without_password(self, uri: str) -> str:
        """An address of one of its databases as others may see it."""
        return uri.replace(f"{USER}:{PASSWORD}@", "")

    def database(self, template: str = "template1", folder: Path | None = None) -> str:
        """The URI of a new database, a copy of another one by its URI; its tables may lie in another folder."""
        self._databases += 1
        name = f"d{self._databases}"
        place = ""
        if folder is not None:
            asyncio.run(self._execute(f"create tablespace t{name} location '{folder}'"))
            place = f"tablespace t{name}"
        asyncio.run(self._execute(f"create database {name} template {template.rpartition('/')[2]} {place}"))
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{name}"

    def drop(self, name: str) -> None:
        """Remove a database, also if it is in use, and the place of its tables if it has one of its own."""
        asyncio.run(self._execute(f"drop database if exists {name} with (force)"))
        asyncio.run(self._execute(f"drop tablespace if exists t{name}"))

    def close(self) -> None:
        """Stop it and remove its folder."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def _data(self) -> Path:
        return self._directory / "data"

    def _initialise(self) -> None:
        self._pass_file.write_text(f"*:*:*:{USER}:{PASSWORD}\n")
        self._pass_file.chmod(0o600)
        word = self._directory / "password"
        word.write_text(PASSWORD)
        if os.getuid() == 0:
            shutil.chown(word, "nobody")
        options = ["-D", str(self._data), "-U", USER, "-A", "scram-sha-256", "--pwfile", str(word), "-E", "UTF8"]
        command = [*_as_another_user(), str(self.programs / "initdb"), *options, "--locale=C", "-N"]
        subprocess.run(command, check=True, capture_output=True, timeout=120)

    def _wait(self, timeout: float = 60.0) -> None:
        deadline = time.monotonic() + timeout
        while True:
            try:
                return asyncio.run(self._execute("select 1"))
            except (OSError, asyncpg.PostgresError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(
            host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, database="postgres", timeout=5
        )
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


def _programs() -> Path:
    for place in PLACES:
        if all((place / name).exists() for name in ("initdb", "postgres")):
            return place
    raise PostgresError("PostgreSQL is not installed (.ci/system-packages installs it where apt can)")


def _as_another_user() -> list[str]:
    """PostgreSQL refuses to run as root."""
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.getuid() == 0 else []
