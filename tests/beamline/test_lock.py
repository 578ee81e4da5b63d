"""One controller: the lock, who holds it, that it ends with its process, and that no other session can take it away."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from beamline.config.models import Configuration, ConfigurationError, load
from beamline.session.lock import ControlLock, ControlLostError, lock_paths
from tests.beamline.configurations import configuration, with_records

HOLD = """
import sys
from pathlib import Path
from beamline.session.lock import ControlLock
lock = ControlLock([Path(each) for each in sys.argv[1:]])
print(lock.refusal or "held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    devices = [f"{name}-{os.getpid()}-{tmp_path.name}.lock" for name in ("mono", "laser")]  # of this test alone
    return [tmp_path / "data" / "controller.lock", *(tmp_path / "locks" / name for name in devices)]


def hold(paths: list[Path]) -> subprocess.Popen[str]:
    """Another process that requests the lock and holds it."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, *map(str, paths)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.fixture
def other(paths: list[Path]) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock."""
    process = hold(paths)
    assert first_line(process) == "held"
    yield process
    process.kill()
    process.communicate()


def real(root: Path, **changes: object) -> Configuration:
    return load("7idd", data={"root": str(root)}, **changes)


def test_the_second_reports_who_holds_the_lock(other: subprocess.Popen[str], paths: list[Path]) -> None:
    lock = ControlLock(paths)
    assert not lock.held
    assert f"process {other.pid}, since 20" in lock.refusal
    lock.release()  # releasing what is not held changes nothing
    assert not ControlLock(paths).held
    elsewhere = ControlLock([paths[0].parents[1] / "other" / "controller.lock"])
    assert elsewhere.held
    elsewhere.release()


def test_a_killed_holder_frees_the_lock_and_nothing_is_left_of_it(
    other: subprocess.Popen[str], paths: list[Path]
) -> None:
    other.kill()
    other.wait()
    assert all(path.exists() for path in paths)
    lock = ControlLock(paths)
    assert lock.held
    assert not ControlLock(paths).held
    lock.release()
    assert not any(path.exists() for path in paths)
    again = ControlLock(paths)
    assert again.held
    again.release()


def test_an_unreadable_signature_is_no_error(paths: list[Path]) -> None:
    first = ControlLock(paths)
    paths[0].write_text("not JSON")
    assert ControlLock(paths).refusal == "controlled by an unidentified session"
    first.release()


def test_data_roots_working_directories_and_names_are_one_controller(tmp_path: Path) -> None:
    """The same devices are locked by the same files, whatever the configuration is called and wherever data go."""
    here = set(lock_paths(real(tmp_path / "a"))[:-1])
    there = set(lock_paths(real(tmp_path / "b", name="copy of 7-ID-D"))[:-1])
    assert here == there and len(here) > 8
    other = with_records(with_records(real(tmp_path), "laser", prefix="9idd:L:"), "laser_fluence", prefix="9idd:L:")
    assert len(here ^ set(lock_paths(other)[:-1])) == 2
    assert all(path.parent == Path("/var/tmp/trxas_locks") for path in here)
    with pytest.raises(ConfigurationError, match="depends on who starts the session"):
        real(tmp_path, control={"lock": "locks"})


def test_simulated_beamlines_on_other_ports_are_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = configuration(tmp_path)
    here = set(lock_paths(config)[:-1])
    monkeypatch.setenv("EPICS_CA_SERVER_PORT", "1")
    assert not here & set(lock_paths(config)[:-1])


@pytest.mark.parametrize("number", [0, 1])
def test_a_lock_that_is_removed_admits_no_other_session_and_is_recreated(paths: list[Path], number: int) -> None:
    lock = ControlLock(paths)
    paths[number].unlink()
    second = hold(paths)
    assert first_line(second).startswith("controlled by")
    second.communicate("")
    assert paths[number] in lock.restore()
    assert lock.restore() == []
    assert f"process {os.getpid()}" in ControlLock(paths).refusal
    lock.release()


def test_a_folder_of_locks_that_is_removed_is_reported(paths: list[Path]) -> None:
    lock = ControlLock(paths)
    for path in paths[1:]:
        path.unlink()
    paths[1].parent.rmdir()
    assert lock.restore() == paths[1:]
    lock.release()


def test_a_lock_that_another_machine_has_taken_meanwhile_is_lost(paths: list[Path]) -> None:
    """Another machine shares the files and not the kernel."""
    import fcntl

    lock = ControlLock(paths)
    paths[1].unlink()
    with paths[1].open("w") as theirs:
        fcntl.flock(theirs, fcntl.LOCK_EX)
        with pytest.raises(ControlLostError, match="has taken control"):
            lock.restore()
    lock.release()


def test_no_link_is_followed(paths: list[Path], tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("kept")
    paths[1].parent.mkdir(parents=True)
    paths[1].symlink_to(precious)
    lock = ControlLock(paths)
    assert not lock.held and str(paths[1]) in lock.refusal
    assert precious.read_text() == "kept"
    paths[1].unlink()
    os.mkfifo(paths[1])
    assert "no regular file" in ControlLock(paths).refusal
    paths[1].unlink()
    lock = ControlLock(paths)
    assert lock.held
    lock.release()


def test_a_link_in_place_of_the_folder_is_refused(paths: list[Path], tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    paths[1].parent.symlink_to(tmp_path / "elsewhere")
    assert "is a link" in ControlLock(paths).refusal
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_other_users_may_lock_after_this_one(paths: list[Path]) -> None:
    before = os.umask(0o077)
    try:
        lock = ControlLock(paths)
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o666}
    assert stat.S_IMODE(paths[1].parent.stat().st_mode) == 0o1777
    lock.release()


def test_a_file_that_may_only_be_read_is_locked_all_the_same(
    paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As another user meets it whose file is not for everybody."""
    paths[1].parent.mkdir(parents=True)
    paths[1].write_text("{}")
    plain = os.open

    def refuse(path: Path, flags: int, *args: int) -> int:
        if path == paths[1] and flags & os.O_RDWR:
            raise PermissionError(13, "Permission denied")
        return plain(path, flags, *args)

    monkeypatch.setattr(os, "open", refuse)
    lock = ControlLock(paths)
    assert lock.held
    assert not ControlLock(paths).held
    lock.release()
