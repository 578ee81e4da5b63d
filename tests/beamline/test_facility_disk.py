"""The disk of a Tiled server is full: files of arrays and tables of PostgreSQL lie on one of 16 megabytes."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from beamline.records.catalogue_writer.loop import CatalogueWriter
from beamline.records.catalogue_writer.status import read_status
from tests.beamline.catalogue_writing import Announce, Open
from tests.beamline.example_runs import raw_run, reduced_run, uid_of_run
from tests.beamline.expected_catalogue import assert_holds
from tests.beamline.facility_server import WRITER, Facility, Serve


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 16 megabytes, in a folder that PostgreSQL's user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="trxas-disk-"))
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m,mode=755", "small", folder], capture_output=True)
    if mounted.returncode:
        folder.rmdir()
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    folder.chmod(0o755)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)
    folder.rmdir()


@pytest.fixture
def small_database(facility: Facility, small_disk: Path) -> Iterator[str]:
    """A database with its tables there; removed before the disk is."""
    tables = small_disk / "tables"
    tables.mkdir()
    if os.getuid() == 0:
        shutil.chown(tables, "nobody")
    uri = facility.postgres.database(folder=tables)
    yield uri
    facility.postgres.drop(uri.rpartition("/")[2])


def fill(disk: Path) -> Path:
    """Fill a disk to the last byte."""
    filler = disk / "filler"
    with pytest.raises(OSError, match="No space left"), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return filler


@pytest.mark.long
@pytest.mark.parametrize("where", ["arrays", "tables"])
def test_what_a_full_disk_of_the_server_refuses_is_stored_when_there_is_room(
    announce: Announce,
    tmp_path: Path,
    small_disk: Path,
    small_database: str,
    serve: Serve,
    opened: Open,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
) -> None:
    server = serve(numbers=small_database) if where == "tables" else serve(elsewhere=small_disk / "arrays")
    monkeypatch.setenv("TILED_API_KEY", server.new_key(WRITER))
    before, run, following = raw_run(2, seed=1), raw_run(4, seed=2), reduced_run(2, energies=20, seed=3)
    announce(before)
    writer = CatalogueWriter(tmp_path, server.uri, linger=0.0)
    assert writer.until_idle(lambda: False)

    filler = fill(small_disk)
    announce(run)
    for _ in range(4):
        writer.step()
    status = read_status(tmp_path)
    assert status is not None and list(status.failing) == [uid_of_run(run)]
    assert os.statvfs(small_disk).f_bavail == 0
    announce(following)  # the beamline goes on

    filler.unlink()
    assert writer.until_idle(lambda: False)
    writer.close()
    assert_holds(opened(server.uri), before, run, following)
