"""The page for a facility's computing group: what it says to do is done, and what it has written is read."""

from __future__ import annotations

import importlib
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dask
import pytest
import typer
import yaml
from distributed.security import Security
from tiled.access_control.access_policies import TagBasedAccessPolicy
from tiled.config import parse_configs

from beamline.app import cli
from beamline.records.catalogue import roles
from beamline.records.catalogue_writer import __main__ as writer
from beamline.records.journal import run_file
from beamline.records.shot_files.dwells import DwellTask
from beamline.records.shot_files.workers import reduce_dwells
from beamline.records.workers.cluster import WorkersError
from tests.beamline.catalogue_writing import Announce, Open
from tests.beamline.example_runs import raw_run, reduced_run, uid_of_run
from tests.beamline.expected_catalogue import assert_holds
from tests.beamline.facility_page import PageServer, Sandbox, service, unit_of
from tests.beamline.facility_server import PAGE, READER, WRITER, Facility
from tests.helpers.ports import free_port

UNITS = sorted(name for name in PAGE.files if name.endswith(".service"))
MODULES = {"beamline.records.catalogue_writer": writer._options, "beamline.records.catalogue.roles": roles._options}
EXECUTED = {
    "createdb",
    "dropdb",
    "pg_dump",
    "psql",
    "openssl",
    "chmod",
    "cd",
    "rm",
    "set",
    "echo",
    "export",
    "install",
    "redis-server",
}
"""Programs whose commands are executed by the long tests below; the options of the others are parsed."""


def commands_of(name: str) -> Any:
    """The command line of a program, as typer and click know it."""
    if name == "trxas":
        return typer.main.get_command(cli.app)
    if name == "dask":
        return SimpleNamespace(commands={each.name: each.load() for each in entry_points(group="dask_cli")})
    return typer.main.get_command(importlib.import_module("tiled.commandline.main").cli_app)


def parse(argv: Sequence[str]) -> None:
    """Parse a command as its program does; raises, or ends this process, for one that it does not take."""
    program, *arguments = argv
    name = Path(program).name
    if name == "python":
        MODULES[arguments[1]](arguments[2:])
    elif name not in EXECUTED and "=" not in name:
        command = commands_of(name)
        while hasattr(command, "commands"):
            command = command.commands[arguments.pop(0)]
        command.make_context(name, arguments)


def lines_of(commands: str) -> list[list[str]]:
    """Commands of a block of the shell, one after the other."""
    whole = commands.replace("\\\n", " ").replace("$(cat", "").replace(";", "\n").splitlines()
    return [shlex.split(line, comments=True) for line in whole if line.strip() and not line.strip().startswith(". ")]


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_starts_a_command_that_its_program_takes(name: str) -> None:
    parse(shlex.split(unit_of(name)["ExecStart"]))


@pytest.mark.parametrize("commands", PAGE.commands, ids=lambda text: text.split("\n")[0][:40])
def test_commands_are_taken_by_their_programs(commands: str) -> None:
    for line in lines_of(commands):
        parse(line)


def test_a_command_that_no_program_takes_is_noticed() -> None:
    for wrong in ("trxas queue --radis a", "tiled catalog inits x", "python -m beamline.records.catalogue.roles"):
        with pytest.raises((Exception, SystemExit)):
            parse(shlex.split(wrong))


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    sandbox = Sandbox(tmp_path, {})
    for name in UNITS:
        (tmp_path / Path(name).name).write_text(
            sandbox.text(PAGE.files[name]).replace("/usr/bin/redis-server", "/bin/true")
        )
    units = [str(tmp_path / Path(name).name) for name in UNITS]
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if str(tmp_path) in line or any(unit in line for unit in units)]
    assert ours == [] and "Unknown" not in done.stderr


def test_tiled_takes_the_configuration_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = Sandbox(tmp_path, {})
    sandbox.load("/etc/trxas/tiled.env")
    for name, value in {**sandbox.environment, "SECRET": "secret"}.items():
        monkeypatch.setenv(name, value)
    config = parse_configs(sandbox.place("/etc/trxas/tiled.yml"))
    assert isinstance(config.access_policy, TagBasedAccessPolicy)
    (tree,) = config.trees or ()
    assert tree.tree.context.database_settings.uri == "postgresql+asyncpg://localhost/runs"
    assert [spec.name for spec in tree.tree.specs] == ["CatalogOfBlueskyRuns"]
    (provider,) = config.authentication.providers or ()
    assert provider.authenticator.__name__ == "LDAPAuthenticator"


@contextmanager
def databases(facility: Facility) -> Iterator[None]:
    """The names of the page's databases are free before and after."""
    names = ("runs", "numbers", "users")
    try:
        yield
    finally:
        for name in names:
            facility.postgres.drop(name)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_page_from_the_first_start_to_restore_and_retention(
    journal: Any, announce: Announce, tmp_path: Path, facility: Facility, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = f"{facility.postgres.programs}:{os.environ['PATH']}"
    monkeypatch.setenv("PATH", programs)
    sandbox = Sandbox(tmp_path / "machine", facility.postgres.environment)
    sandbox.place("/data/7idd").symlink_to(tmp_path)
    (sandbox.place("/srv") / "backup").mkdir()
    with databases(facility), ExitStack() as closing:
        sandbox.run(PAGE.command("openssl rand"))
        sandbox.load("/etc/trxas/tiled.env")
        assert sandbox.place("/etc/trxas/tiled.env").stat().st_mode & 0o777 == 0o600
        server = PageServer(sandbox, tmp_path / "server")
        closing.callback(server.kill)
        server.start()
        key = sandbox.place("/home/operator/tiled.key")
        key.write_text(server.new_key(WRITER))
        key.chmod(0o600)
        alices = server.new_key(READER, "alice")
        runs = raw_run(3, seed=1, proposal="GUP-1234"), reduced_run(2, energies=5, seed=2, proposal="GUP-9")
        for run in runs:
            announce(run)
        fill = PAGE.command("catalogue_writer")
        sandbox.run(fill)

        sandbox.run(PAGE.command("pg_dump"))
        server.kill()
        sandbox.run(PAGE.command("dropdb"))
        server.start()
        sandbox.run(fill)
        monkeypatch.setenv("TILED_API_KEY", key.read_text())
        client = opened(server.uri)
        assert_holds(client, *runs)
        assert_holds(client_of(opened, server, alices, monkeypatch), runs[0])

        monkeypatch.setenv("TILED_API_KEY", key.read_text())
        file = run_file(tmp_path, uid_of_run(runs[0]))
        archived = Path(shutil.move(file, tmp_path / "archive"))
        exec(sandbox.text(dict(PAGE.others)["python"]), {})
        sandbox.run(fill)
        assert_holds(client, runs[1])
        shutil.move(archived, file)
        sandbox.run(fill)
        assert_holds(client, *runs)


def client_of(opened: Open, server: PageServer, key: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client with the key of somebody else."""
    monkeypatch.setenv("TILED_API_KEY", key)
    return opened(server.uri)


def certificates(text: str) -> Any:
    """Dask's configuration in this process with a file of it."""
    ours = yaml.safe_load(text)["distributed"]["comm"]
    return dask.config.set({"distributed.comm": dask.config.merge(dask.config.get("distributed.comm"), ours)})


def test_dask_takes_its_certificates_from_the_file_of_the_page() -> None:
    with certificates(PAGE.files["/etc/dask/trxas.yaml"]):
        security = Security()
    assert security.require_encryption
    for role in ("scheduler", "worker", "client"):
        arguments = security.get_tls_config_for_role(role)
        assert arguments["ca_file"] == "/etc/trxas/dask/ca.pem" and arguments["key"] == "/etc/trxas/dask/node.key"


@pytest.mark.long
def test_dask_with_certificates_reduces_and_refuses_others(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path, {"DASK_CONFIG": str(tmp_path / "etc" / "dask")})
    sandbox.place("/etc/trxas/dask").mkdir()
    sandbox.run(PAGE.command("openssl req"))
    task = DwellTask(str(tmp_path / "none.h5"), 0, 1, 120, 1000)
    address = f"127.0.0.1:{free_port()}"
    port = {"8786": address.rpartition(":")[2]}
    with ExitStack() as stack:
        stack.enter_context(service(sandbox, "dask-scheduler", "--host", "127.0.0.1", **port))
        stack.enter_context(
            service(
                sandbox,
                "dask-worker",
                "--host",
                "127.0.0.1",
                **{"dask.example.org:8786": address, "--nworkers 4": "--nworkers 1"},
            )
        )
        with certificates(sandbox.place("/etc/dask/trxas.yaml").read_text()):
            (done,) = patient(lambda: reduce_dwells([task], 1, f"tls://{address}", lambda done, number: None))
        assert "none.h5" in done.left_out[0]
        for other in ("tcp", "tls"):
            with pytest.raises(WorkersError, match="does not reply"):
                reduce_dwells([task], 1, f"{other}://{address}", lambda done, number: None)


def patient(work: Any) -> Any:
    """Repeat until the workers are there: processes take a while to start."""
    for _ in range(20):
        try:
            return work()
        except WorkersError as error:
            last = error
    raise last
