"""Beginnings of uids are enough wherever a uid is expected, and stay text however much they look like numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from beamline.app.commands.scan import _arguments
from beamline.records.runs.find import whole_set
from beamline.records.runs.run import RunError
from beamline.session.scans.background import BackgroundError, background_uid
from beamline.session.scans.resume import ResumeError, runs_of
from plans.scans.background import background_run
from tests.beamline.photon_bench import PhotonBench
from tests.beamline.raw_scans import acquire, scan_set_of
from tests.beamline.test_resume import scan


@pytest.fixture
def bench(tmp_path: Path) -> PhotonBench:
    return PhotonBench(tmp_path)


@pytest.mark.parametrize("uid", ["1234e567", "12345678", "0000", "true", "1e5", "null"])
def test_on_the_command_line_they_stay_text(uid: str) -> None:
    given = _arguments([f"background={uid}", f"scan_set={uid}", "dwell=1e0", "delays=100"])
    assert given == {"background": uid, "scan_set": uid, "dwell": 1.0, "delays": [100]}


def test_a_background_is_found_by_the_beginning_of_run_and_set(tmp_path: Path, bench: PhotonBench) -> None:
    (uid,) = bench.run(background_run(bench.instruments, dwell=1.0, repeats=1)).run_start_uids
    (other,) = bench.run(background_run(bench.instruments, dwell=1.0, repeats=1)).run_start_uids
    bench.close()
    runs = {run.uid: str(run.scan_set) for each in (uid, other) for run in runs_of_all(tmp_path) if run.uid == each}
    for name in (uid, uid[:9], runs[uid], runs[uid][:9], uid[:9].upper()):
        assert background_uid(tmp_path, name) == uid
    assert background_uid(tmp_path, other[:9]) == other
    with pytest.raises(BackgroundError, match="begins with 'nothing'"):
        background_uid(tmp_path, "nothing")


def runs_of_all(root: Path) -> list[Any]:
    from beamline.records.runs.journal_runs import JournalRuns

    return JournalRuns(root).runs()


def test_a_set_is_gone_on_with_by_its_beginning(tmp_path: Path) -> None:
    for number, scan_set in enumerate(("1234e567-a", "1234e568-b")):
        acquire(tmp_path, [documents(scan_set, number)])
    assert whole_set(tmp_path, "1234e567") == "1234e567-a"
    assert whole_set(tmp_path, "of my own") == "of my own"
    with pytest.raises(RunError, match=r"ambiguous.*1234e567-a, 1234e568-b"):
        whole_set(tmp_path, "1234e56")


def documents(scan_set: str, seed: int) -> Any:
    (only,) = scan_set_of(1, seed=seed)
    (name, start), *rest = only
    return [(name, {**start, "scan_set": scan_set}), *rest]


def test_resume_takes_last_as_the_other_commands_do(tmp_path: Path, bench: PhotonBench) -> None:
    with pytest.raises(ResumeError, match="not in the journal"):
        runs_of(tmp_path, "last")
    bench.run(scan(bench, scan_set="1111", passes=1))
    bench.run(scan(bench, scan_set="22222222", passes=2))
    bench.close()
    assert {run.scan_set for run in runs_of(tmp_path, "last")} == {"22222222"}
    assert len(runs_of(tmp_path, "2222")) == 2
    assert len(runs_of(tmp_path, 1111)) == 1  # type: ignore[arg-type]  # what a prompt makes of RE(resume(1111))
