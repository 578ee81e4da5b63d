"""The doctor on the machine: data root, disk, lock, catalogue, display and compiled code."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from beamline.app.doctor import machine
from beamline.app.doctor.control import check_lock, why_not_shared
from beamline.app.doctor.finding import BAD, GOOD, NOTE
from beamline.config.models import Configuration, load
from beamline.session.lock import ControlLock, lock_paths
from tests.beamline.configurations import configuration


def with_data(config: Configuration, **changes: Any) -> Configuration:
    return config.model_copy(update={"data": config.data.model_copy(update=changes)})


def test_a_full_disk_and_a_root_that_cannot_be_written(tmp_path: Path) -> None:
    config = configuration(tmp_path)
    assert machine.check_disk(config).state == GOOD
    assert machine.check_disk(with_data(config, min_free_gb=1e9)).state == BAD
    file = tmp_path / "file"
    file.write_text("")
    for read_only in (True, False):
        blocked = machine.check_root(with_data(config, root=file), read_only=read_only)
        assert blocked.state == BAD and "[data] root" in blocked.todo


def test_the_controller_is_named_and_not_disturbed(tmp_path: Path) -> None:
    config = configuration(tmp_path)
    elsewhere = config.model_copy(update={"data": config.data.model_copy(update={"root": tmp_path / "elsewhere"})})
    assert machine.check_controller(config).state == GOOD
    lock = ControlLock(lock_paths(config))
    for requested in (config, elsewhere):  # whatever the data root
        assert str(os.getpid()) in machine.check_controller(requested).message and lock.held
    lock.release()
    assert machine.check_controller(config).state == GOOD


@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        ("/var/tmp/trxas_locks", "/ is a file system of this machine (ext4)"),
        ("/net/beamline/locks", ""),
        ("/net/my home/locks", "is mounted with local_lock=all"),
        ("/gpfs/7id", ""),
    ],
)
def test_a_lock_that_stays_on_this_machine_is_reported(tmp_path: Path, folder: str, reason: str) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/sda1 / ext4 rw 0 0\nserver:/b /net/beamline nfs4 rw,local_lock=none 0 0\n"
        "server:/h /net/my\\040home nfs rw,local_lock=all 0 0\n/dev/gpfs0 /gpfs gpfs rw 0 0\n"
    )
    assert reason in why_not_shared(Path(folder), mounts)
    assert bool(reason) == bool(why_not_shared(Path(folder), mounts))


def test_the_folder_of_the_lock_is_reported(tmp_path: Path) -> None:
    assert check_lock(configuration(tmp_path)).state == GOOD  # simulated: nobody else reaches it
    real = check_lock(load("7idd", control={"lock": str(tmp_path)}))
    assert real.state == (NOTE if why_not_shared(tmp_path) else GOOD) and str(tmp_path) in real.message


def test_a_catalogue_that_does_not_answer_is_reported(tmp_path: Path) -> None:
    config = configuration(tmp_path)
    assert machine.check_catalogue(config).state == NOTE  # not there yet
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        dead = machine.check_catalogue(with_data(config, catalogue=f"http://127.0.0.1:{free.getsockname()[1]}"))
    assert dead.state == BAD and "stay in the journal" in dead.todo


def test_display_and_compiled_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = configuration(tmp_path, display={"live_figure": "auto"})
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert machine.check_display(config).state == NOTE
    monkeypatch.setenv("DISPLAY", ":7")
    monkeypatch.setattr(machine, "has_qt", lambda: True)
    monkeypatch.setattr(machine, "missing_libraries", lambda: ["libEGL.so.1"])
    assert "apt install libegl1" in machine.check_display(config).message
    monkeypatch.setattr(machine, "missing_libraries", lambda: [])
    assert machine.check_display(config).state == GOOD
    assert machine.check_compiled().state == GOOD
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file" / "cache"))
    assert machine.check_compiled().state == BAD and "NUMBA_CACHE_DIR" in machine.check_compiled().todo
