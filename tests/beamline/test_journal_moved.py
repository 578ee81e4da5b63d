"""A data root that is removed, moved or remounted: the scan ends as for a full disk, and the next one goes on."""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from bluesky import RunEngine
from bluesky import plan_stubs as bps
from bluesky import preprocessors as bpp
from ophyd import Signal

from beamline.records.journal import Journal, JournalError, read, run_files
from tests.beamline.example_runs import announced, raw_run, same


def removed(root: Path) -> None:
    shutil.rmtree(root)


def mounted_anew(root: Path) -> None:
    """Another file system at the same place, with the folders that it had when it was mounted last."""
    root.rename(root.with_name("detached"))
    (root / "journal").mkdir(parents=True)


def file_moved(root: Path) -> None:
    (path,) = run_files(root)
    path.rename(root / path.name)


FAULTS = [removed, mounted_anew, file_moved]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_scan_ends_when_its_file_has_gone(tmp_path: Path, fault: Callable[[Path], None]) -> None:
    root = tmp_path / "data"
    journal = Journal(root, min_free_bytes=0)
    RE = RunEngine(context_managers=[])
    RE.subscribe(journal)
    points, counter = 0, Signal(name="counter", value=1.0)

    def scan() -> object:
        nonlocal points
        for number in range(300):
            yield from bps.trigger_and_read([counter])
            yield from bps.sleep(0.05)
            points += 1
            if number == 3:
                fault(root)

    with pytest.raises(JournalError, match="is gone: the data root was removed, moved or remounted"):
        RE(bpp.run_wrapper(scan()))
    assert 3 < points < 100  # the next sync has seen it
    assert RE.state == "idle"
    journal.close()
    again = Journal(root, min_free_bytes=0)
    documents = raw_run(2)
    announced(again, documents)
    again.close()
    assert same(read(run_files(root)[-1]), documents)


@pytest.mark.parametrize("fault", [removed, mounted_anew])
def test_the_next_scan_of_the_same_session_is_refused(tmp_path: Path, fault: Callable[[Path], None]) -> None:
    root = tmp_path / "data"
    journal = Journal(root, min_free_bytes=0)
    announced(journal, raw_run(1))
    fault(root)
    with pytest.raises(JournalError, match="restart this session"):
        journal(*raw_run(1)[0])
    assert run_files(root) == []
    journal.close()


def test_a_run_that_ends_at_once_is_not_reported_as_kept(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "data", min_free_bytes=0)
    *documents, stop = raw_run(1)
    announced(journal, documents)
    removed(tmp_path / "data")
    with pytest.raises(JournalError, match="is gone"):
        journal(*stop)
    journal.close()


def test_a_root_that_is_brought_back_is_used_again(tmp_path: Path) -> None:
    root = tmp_path / "data"
    journal = Journal(root, min_free_bytes=0)
    *documents, stop = raw_run(1)
    announced(journal, documents)
    root.rename(tmp_path / "away")
    deadline = time.monotonic() + 20
    with pytest.raises(JournalError, match="is gone"):
        while time.monotonic() < deadline:
            journal(*documents[-1])
            time.sleep(0.05)
    (tmp_path / "away").rename(root)
    journal(*stop)
    after = raw_run(2, seed=1)
    announced(journal, after)
    journal.close()
    assert same(read(run_files(root)[-1]), after)


def test_what_became_of_one_run_does_not_end_the_next(tmp_path: Path) -> None:
    """The sync of a run that was moved away may come after its end."""
    root = tmp_path / "data"
    journal = Journal(root, min_free_bytes=0)
    *documents, stop = raw_run(1)
    announced(journal, documents)
    (path,) = run_files(root)
    path.rename(root / path.name)
    with pytest.raises(JournalError, match="is gone"):
        journal(*stop)
    journal._sync._failure = OSError(errno.ESTALE, f"{path} is gone", str(path))  # a thread that was late
    (root / path.name).rename(path)
    after = raw_run(2, seed=1)
    announced(journal, after)
    journal.close()
    assert same(read(run_files(root)[-1]), after)
