"""The key of a Tiled server: read from an owner-only file, and found nowhere else."""

from __future__ import annotations

import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from beamline.app.doctor.finding import BAD
from beamline.app.doctor.machine import check_catalogue
from beamline.app.doctor.report import as_text, examine, show
from beamline.config.models import Configuration, ConfigurationError, load
from beamline.config.secrets import SecretError, read_secret, refuse_secret
from beamline.outputs.report.content import gather
from beamline.outputs.report.page import render
from beamline.outputs.report.shift import shift_of
from beamline.records.runs.store import open_runs
from beamline.session.session import start
from tests.beamline.catalogue_writing import write_catalogue
from tests.beamline.configurations import ENERGIES, configuration
from tests.beamline.tiled_process import API_KEY, TiledProcess
from tests.helpers.ioc_process import ROOT, RunningIoc
from tests.helpers.secrets import holding, in_command_lines
from tests.helpers.writer import writer_command


@pytest.fixture
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The server's key in a file, and not in the environment."""
    monkeypatch.delenv("TILED_API_KEY", raising=False)
    path = tmp_path / "tiled.key"
    path.write_text(f"{API_KEY}\n")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:8000?api_key=abcdef",
        "https://tiled.example/api/v1/?x=1&API_KEY=abcdef",
        "http://user:abcdef@127.0.0.1:8000",
    ],
)
def test_a_key_in_an_address_is_refused_without_being_repeated(address: str):
    with pytest.raises(SecretError, match=r"data\.catalogue") as refused:
        refuse_secret(address, "data.catalogue", "data.catalogue_key_file")
    with pytest.raises(ConfigurationError, match="catalogue_key_file") as also:
        load("simulated", data={"catalogue": address})
    command = [sys.executable, "-m", "beamline.records.catalogue_writer", "--journal", "nowhere", "--once"]
    done = subprocess.run([*command, "--catalogue", address], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "TILED_API_KEY" in done.stderr
    assert not any("abcdef" in text for text in (str(refused.value), str(also.value), done.stdout, done.stderr))


def test_an_address_without_a_key_is_taken():
    assert refuse_secret("https://tiled.example:8000/api/v1/?prefix=a", "x", "y").endswith("prefix=a")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_key_file_that_others_can_read_is_refused(key_file: Path, mode: int):
    key_file.chmod(mode)
    with pytest.raises(SecretError, match="chmod 600"):
        read_secret(key_file)
    key_file.chmod(0o400)
    assert read_secret(key_file) == API_KEY


def test_a_catalogue_writer_takes_its_key_from_an_owner_only_file(key_file: Path, tmp_path: Path):
    key_file.chmod(0o644)
    command = [*writer_command(tmp_path, "http://127.0.0.1:1", "--once"), "--key-file", str(key_file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "chmod 600" in done.stderr and API_KEY not in done.stderr


def test_a_key_file_is_a_regular_file_with_a_key(key_file: Path, tmp_path: Path):
    (tmp_path / "link").symlink_to(key_file)
    os.mkfifo(tmp_path / "fifo", 0o600)
    (tmp_path / "empty").touch(0o600)
    for name, reason in {"link": "symbolic link", "fifo": "regular", "empty": "empty", "none": "No such"}.items():
        with pytest.raises(SecretError, match=reason):
            read_secret(tmp_path / name)


def server_configuration(root: Path, key_file: Path, server: TiledProcess, prefix: str = "sim:") -> Configuration:
    data = {"root": str(root), "min_free_gb": 0.01, "catalogue": server.uri, "catalogue_key_file": str(key_file)}
    return configuration(root, prefix, data=data)


@pytest.mark.long
def test_the_doctor_names_a_key_that_the_server_refuses(key_file: Path, tmp_path: Path, tiled_server: TiledProcess):
    tiled_server.start()
    os.environ.pop("TILED_API_KEY", None)
    config = server_configuration(tmp_path, key_file, tiled_server)
    open_runs("catalogue", tmp_path, tiled_server.uri, API_KEY).close()  # a server's first reply takes longest
    assert check_catalogue(config).state != BAD
    key_file.write_text("wrong")
    found = check_catalogue(config)
    assert found.state == BAD
    assert "refuses the API key" in found.message
    assert "wrong" not in found.message


@pytest.mark.long
def test_the_key_is_in_no_process_list_file_document_report_or_doctor(
    simulated_beamline: RunningIoc, tmp_path: Path, key_file: Path, tiled_server: TiledProcess
):
    tiled_server.start()
    os.environ.pop("TILED_API_KEY", None)
    root = tmp_path / "data"
    root.mkdir()
    config = server_configuration(root, key_file, tiled_server)
    shown: list[str] = []
    with start(config, notify=shown.append) as session:
        assert in_command_lines("beamline.records.catalogue_writer") and not in_command_lines(API_KEY)
        session.RE(session.energy_scan(energies=ENERGIES, dwell=2.0, delay=100.0))
        assert not in_command_lines(API_KEY)
        examined, console = examine(config, read_only=True), Console(file=StringIO(), width=500)
        show(examined, console)
        shown += [as_text(examined), console.file.getvalue()]
    with pytest.MonkeyPatch.context() as patch:  # on a busy machine the session's writer has left some of it
        patch.setenv("TILED_API_KEY", API_KEY)
        assert write_catalogue(root, tiled_server.uri)
    stored = open_runs("catalogue", root, config.data.catalogue_address, config.data.catalogue_key())
    assert [run.status for run in stored.runs()] == ["success", "success"]
    stored.close()
    journal = open_runs("journal", root, "")
    runs = journal.runs()
    shown.append(render(gather(journal, runs, shift_of(runs, ["last"]), root)))
    shown += [str(document) for run in runs for document in journal.documents(run.uid)]
    assert not any(API_KEY in text for text in shown)
    assert {"status.json", "catalogue_writer.log"} <= {file.name for file in root.rglob("*")}
    assert holding(root, API_KEY) == []


def test_a_session_whose_key_cannot_be_read_measures_into_the_journal(
    simulated_beamline: RunningIoc, tmp_path: Path, key_file: Path, tiled_server: TiledProcess
):
    key_file.chmod(0o644)
    messages: list[str] = []
    with start(server_configuration(tmp_path / "data", key_file, tiled_server), notify=messages.append) as session:
        (uid,) = session.RE(session.energy_scan(energies=ENERGIES[:3], dwell=0.5, delay=100.0)).run_start_uids
    assert any("chmod 600" in sentence for sentence in messages)
    assert uid in {run.uid for run in open_runs("journal", tmp_path / "data", "").runs()}
