"""Whatever others have put where a session keeps its files: nothing outside is written, and the file is named."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from beamline.config.own_files import NotOurFileError, draft_path, open_own, write_draft
from beamline.records.catalogue_writer.helper import Helper
from beamline.records.catalogue_writer.lag import catalogue_lag
from beamline.records.catalogue_writer.position import WriterPosition
from beamline.records.catalogue_writer.status import WriterStatus, read_status, write_status, writer_directory
from beamline.records.journal import Journal, run_files
from beamline.records.journal.reserve import Reserve
from beamline.station.logs import rotating_log
from tests.beamline.example_runs import announced, raw_run

SECRET = b"what a user keeps\n"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    path = tmp_path / "outside"
    path.write_bytes(SECRET)
    return path


def opens_log(root: Path) -> None:
    rotating_log(root, "puts").close()


def opens_helper_lock(root: Path) -> None:
    Helper(root, []).at_work()


@pytest.mark.parametrize(("name", "use"), [("log/puts.log", opens_log), ("helper-lock", opens_helper_lock)])
@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_what_is_no_file_of_ours_is_named_and_not_written(
    tmp_path: Path, outside: Path, name: str, use: Callable[[Path], None], kind: str
) -> None:
    path = tmp_path / "root" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    {"link": lambda: path.symlink_to(outside), "folder": path.mkdir, "pipe": lambda: os.mkfifo(path)}[kind]()
    with pytest.raises(NotOurFileError, match=str(path)):
        use(tmp_path / "root")
    assert outside.read_bytes() == SECRET
    if kind == "folder":
        path.rmdir()
    else:
        path.unlink()
    use(tmp_path / "root")


def test_drafts_do_not_follow_links(tmp_path: Path, outside: Path) -> None:
    root = tmp_path / "root"
    writer_directory(root).mkdir(parents=True)
    (writer_directory(root) / f".status.json.{os.getpid()}.part").symlink_to(outside)
    write_status(root, WriterStatus("up to date", "", "here"))
    status = read_status(root)
    assert status is not None and status.catalogue == "here"
    (root / "draft").symlink_to(outside)
    write_draft(root / "draft", b"ours")
    assert outside.read_bytes() == SECRET and not (root / "draft").is_symlink()


def test_drafts_of_killed_processes_are_removed_by_the_next(tmp_path: Path) -> None:
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    others = (f".a[1].png.{os.getppid()}.part", f".b.png.{killed.pid}.part", "a[1].png", ".a[1].png.x.part")
    for name in (f".a[1].png.{killed.pid}.part", *others):
        (tmp_path / name).touch()
    assert draft_path(tmp_path / "a[1].png") == tmp_path / f".a[1].png.{os.getpid()}.part"
    assert {path.name for path in tmp_path.iterdir()} == set(others)


def test_the_reserve_does_not_follow_links(tmp_path: Path, outside: Path) -> None:
    root = tmp_path / "root"
    (root / "journal").mkdir(parents=True)
    (root / "journal" / f"reserve-{os.getpid()}").symlink_to(outside)
    journal = Journal(root, min_free_bytes=0)
    announced(journal, raw_run(1)[:-1])
    assert (root / "journal" / f"reserve-{os.getpid()}").stat().st_size == Reserve.SIZE
    journal.close()
    assert len(run_files(root)) == 1 and outside.read_bytes() == SECRET


def test_a_file_of_another_user_is_read_and_not_written(tmp_path: Path, outside: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(outside, 65534, -1)
    os.close(open_own(outside, os.O_RDONLY))
    with pytest.raises(NotOurFileError, match="another user"):
        open_own(outside, os.O_RDWR)


@pytest.mark.parametrize("kind", ["link", "folder", "pipe", "garbage", "another shape"])
def test_odd_files_in_place_of_those_of_the_writer_disable_nothing(tmp_path: Path, outside: Path, kind: str) -> None:
    folder = writer_directory(tmp_path)
    folder.mkdir(parents=True)
    for path in (folder / "status.json", folder / "position-filler.json"):
        makers: dict[str, Callable[[], object]] = {
            "link": lambda path=path: path.symlink_to(outside),
            "folder": path.mkdir,
            "pipe": lambda path=path: os.mkfifo(path),
            "garbage": lambda path=path: path.write_bytes(b"\xff{"),
            "another shape": lambda path=path: path.write_text('{"catalogue": "here", "complete": {"a": 5}}'),
        }
        makers[kind]()
    assert read_status(tmp_path) is None
    assert "nothing has been copied" in catalogue_lag(tmp_path, "here")
    assert WriterPosition(folder, "here").left_out() == {}
