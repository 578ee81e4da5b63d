"""The files and commands of the page for the computing group, in folders of a test in place of those of a machine."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.beamline.facility_server import PAGE, FacilityServer
from tests.beamline.tiled_process import WITH_BATCHES, TiledProcess

PLACES = (
    "/etc/trxas",
    "/etc/dask",
    "/srv",
    "/data",
    "/home/operator",
    "/run/trxas-redis",
    "/var/cache/trxas",
    "/var/lib/trxas-web",
)
"""Folders on the page."""
PROGRAMS = Path(sys.executable).parent
SERVER = "https://tiled.example.org"


class Sandbox:
    """The page in a folder.

    Parameters
    ----------
    folder : Path
        Holds the folders of the page.
    environment : mapping
        Added to that of the commands.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        path = f"{PROGRAMS}:{os.environ['PATH']}"
        self.environment = {**os.environ, **environment, "PATH": path}
        self.address = SERVER
        for place in PLACES:
            self.place(place).mkdir(parents=True)
        for name, content in PAGE.files.items():
            if name.startswith(PLACES):
                self.place(name).write_text(self.text(content))

    def place(self, path: str) -> Path:
        """A path of the page in this sandbox."""
        return self._folder / path.lstrip("/")

    def text(self, text: str) -> str:
        """A text of the page for this sandbox."""
        text = re.sub(f"(?<![\\w.])({'|'.join(PLACES)})\\b", lambda found: str(self.place(found[1])), text)
        return text.replace("/opt/trxas/.venv/bin", str(PROGRAMS)).replace(SERVER, self.address)

    def run(self, commands: str) -> None:
        """Run commands of the page."""
        done = subprocess.run(
            ["sh", "-euc", self.text(commands)], env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (commands, done.stderr[-2000:])

    def load(self, name: str) -> None:
        """Take a file of variables of the page into the environment of the commands."""
        lines = self.place(name).read_text().splitlines()
        self.environment |= dict(line.split("=", 1) for line in lines if "=" in line)


class PageServer(FacilityServer):
    """The server of the page, with the databases that its commands have made."""

    def __init__(self, sandbox: Sandbox, directory: Path) -> None:
        TiledProcess.__init__(self, directory, None, WITH_BATCHES)
        self.environment = sandbox.environment
        sandbox.address = self.uri


def unit_of(name: str) -> configparser.SectionProxy:
    """The section on the service in a unit of the page."""
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(PAGE.files[name])
    assert set(unit) == {"DEFAULT", "Unit", "Service", "Install"}
    return unit["Service"]


@contextmanager
def service(sandbox: Sandbox, name: str, *more: str, **replaced: str) -> Iterator[None]:
    """The command of a unit as a process, with its environment."""
    section = unit_of(f"/etc/systemd/system/{name}.service")
    command = section["ExecStart"]
    for old, new in replaced.items():
        assert old in command
        command = command.replace(old, new)
    variables = shlex.split(sandbox.text(section.get("Environment", "")))
    environment = sandbox.environment | dict(variable.split("=", 1) for variable in variables)
    output = subprocess.DEVNULL if section.get("StandardOutput") == "null" else None
    argv = [*shlex.split(sandbox.text(command)), *more]
    process = subprocess.Popen(argv, env=environment, stdout=output, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)
