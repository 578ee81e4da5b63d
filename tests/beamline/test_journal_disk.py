"""The journal and its disk: syncs in time, and a disk that fills leaves whole documents."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from beamline.records.journal import DiskFullError, Journal, JournalError, read, run_file, tail
from tests.beamline.example_runs import (
    announced,
    raw_run,
    same,
    uid_of_run,
)

REPOSITORY = Path(__file__).parents[2]


def test_free_space_is_checked_at_each_start(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = raw_run(1), raw_run(1)
    free = os.statvfs(journal.directory.parent)
    journal.min_free_bytes = free.f_bavail * free.f_frsize // 2
    announced(journal, first)
    journal.min_free_bytes = free.f_bavail * free.f_frsize * 2
    with pytest.raises(DiskFullError):
        journal(*second[0])


class Syncs:
    """Counts calls of os.fsync by the size that the file then had."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sizes: list[int] = []
        self._fsync = os.fsync
        monkeypatch.setattr(os, "fsync", self)

    def __call__(self, descriptor: int) -> None:
        self.sizes.append(os.fstat(descriptor).st_size)
        self._fsync(descriptor)


def test_documents_are_synced_within_a_second_and_at_the_stop(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs = Syncs(monkeypatch)
    *documents, stop = raw_run(3)
    announced(journal, documents)
    path = run_file(tmp_path, uid_of_run(documents))
    size = path.stat().st_size
    deadline = time.monotonic() + 20
    while size not in syncs.sizes and time.monotonic() < deadline:
        time.sleep(0.01)
    assert size in syncs.sizes
    journal(*stop)
    assert syncs.sizes[-1] == path.stat().st_size > size


def test_a_failed_sync_is_raised_once_and_loses_nothing(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    *documents, last, stop = raw_run(3)
    failed = threading.Event()

    def broken(descriptor: int) -> None:
        failed.set()
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", broken)
        announced(journal, documents)
        assert failed.wait(20)
        time.sleep(0.01)
        deadline = time.monotonic() + 20
        while journal._sync._failure is None and time.monotonic() < deadline:
            time.sleep(0.01)
    with pytest.raises(JournalError, match="Input/output error"):
        journal(*last)
    journal(*stop)
    assert same(read(run_file(tmp_path, uid_of_run(documents))), [*documents, last, stop])


class Trickle:
    """An os.write that takes a part, then has no room: what a full disk does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
        self.room = room
        self._write = os.write
        monkeypatch.setattr(os, "write", self)

    def __call__(self, descriptor: int, data: Any) -> int:
        part = bytes(data[: self.room])
        if not part:
            raise OSError(28, "No space left on device")
        self.room -= len(part)
        return self._write(descriptor, part)


@pytest.mark.parametrize("room", [0, 1, 7, 8, 500, 3000])
def test_a_disk_that_fills_leaves_whole_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    journal = Journal(tmp_path, min_free_bytes=0)
    *documents, event, _, stop = raw_run(3)
    announced(journal, documents)
    with monkeypatch.context() as patch:
        Trickle(patch, room)
        with pytest.raises(DiskFullError, match=r"No space left on device.*free some space"):
            journal(*event)
    assert same(read(run_file(tmp_path, uid_of_run(documents))), documents)
    journal(*stop)  # what the RunEngine says after the error fits into the room of the part
    assert same(read(run_file(tmp_path, uid_of_run(documents))), [*documents, stop])
    journal.close()


@pytest.mark.parametrize("room", [0, 3, 8, 20])
def test_a_disk_that_is_full_at_the_start_leaves_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    journal = Journal(tmp_path, min_free_bytes=0)
    start, *_, stop = raw_run(1)
    with monkeypatch.context() as patch:
        Trickle(patch, room)
        with pytest.raises(DiskFullError):
            journal(*start)
    journal(*stop)
    assert list(tail(tmp_path)) == []
    journal.close()


FILL_UP = """
def fill_up(folder):
    # Another program takes all that is left, to the last byte.
    with (folder / "other").open("wb", buffering=0) as other:
        for size in (4096, 1):
            try:
                while True:
                    other.write(bytes(size))
            except OSError:
                pass
"""

SCAN_ON_A_SMALL_DISK = """
import sys
from pathlib import Path
from bluesky import RunEngine, plan_stubs as bps, preprocessors as bpp
from ophyd import Signal
import numpy as np
from beamline.records.journal import DiskFullError, Journal, read, run_files

root = Path(sys.argv[1])
engine, journal = RunEngine(), Journal(root, min_free_bytes=0)
engine.subscribe(journal)
counts = Signal(name="counts", value=np.arange(120))

@bpp.run_decorator(md={})
def plan():
    for number in range(5000):
        if number == 50:
            fill_up(root)
        yield from bps.trigger_and_read([counts])

try:
    engine(plan())
except DiskFullError as error:
    print("refused:", error)
(path,) = run_files(root)
documents = read(path)
journal.close()
print(len(documents), documents[-2][0], documents[-1][0], documents[-1][1].get("exit_status"))
print(sum(1 for name, _ in documents if name == "event") == documents[-2][1]["seq_num"])
print(engine.state)
"""

LONG_END_ON_A_SMALL_DISK = """
import sys
from pathlib import Path
from beamline.records.journal import DiskFullError, Journal, read, run_file
from tests.beamline.example_runs import raw_run, same, uid_of_run

root = Path(sys.argv[1])
journal = Journal(root, min_free_bytes=0)
*documents, event, _, (name, stop) = raw_run(3)
for item in documents:
    journal(*item)
fill_up(root)
try:
    for _ in range(5):  # the last page of a file has some room left
        journal(*event)
        documents.append(event)
except DiskFullError:
    pass
end = (name, stop | {"reason": "long " * 20_000})
journal(*end)
journal.close()
print(same(read(run_file(root, uid_of_run(documents))), [*documents, end]))
"""


def on_a_small_disk(folder: Path, script: str) -> list[str]:
    """Lines that a script prints with a full-able disk of 3 MB as its argument."""
    mount = f"mount -t tmpfs -o size=3m none {folder}"
    namespace = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    if subprocess.run([*namespace, mount], capture_output=True).returncode:
        pytest.skip("this machine does not let a user mount a small disk")
    path = folder.parent / f"{folder.name}.py"
    path.write_text(FILL_UP + script)
    command = f"{mount} && PYTHONPATH={REPOSITORY} exec {sys.executable} -W ignore {path} {folder}"
    done = subprocess.run([*namespace, command], capture_output=True, text=True, cwd=REPOSITORY, timeout=120)
    return done.stdout.splitlines()


def test_a_disk_that_fills_during_a_scan_ends_it_cleanly(tmp_path: Path) -> None:
    refused, counted, complete, state = on_a_small_disk(tmp_path, SCAN_ON_A_SMALL_DISK)
    assert refused.startswith("refused: The journal cannot write")
    assert "No space left on device" in refused
    assert counted.endswith("event stop fail")
    assert int(counted.split()[0]) >= 50
    assert (complete, state) == ("True", "idle")


def test_room_is_kept_back_for_the_end_of_a_run(tmp_path: Path) -> None:
    assert on_a_small_disk(tmp_path, LONG_END_ON_A_SMALL_DISK) == ["True"]


FILL_TO_A_LIMIT = """
import resource, sys
from beamline.records.journal import DiskFullError, Journal, read, run_file
from tests.beamline.example_runs import raw_run, same, uid_of_run

documents = raw_run(400)
journal = Journal(sys.argv[1], min_free_bytes=0)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_100_000, resource.RLIM_INFINITY))
kept = []
try:
    for item in documents:
        journal(*item)
        kept.append(item)
except DiskFullError as error:
    print(error)
path = run_file(sys.argv[1], uid_of_run(documents))
print(len(kept) > 50, same(read(path), kept), path.stat().st_size < 1_100_000)
"""


def test_a_limit_of_the_system_cuts_between_documents(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FILL_TO_A_LIMIT, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, timeout=120)
    message, outcome = done.stdout.splitlines()
    assert "File too large" in message
    assert outcome == "True True True"
