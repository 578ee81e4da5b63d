"""The sums of a series: separate for each scan set, also with interleaved passes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from beamline.records.journal import read, run_file
from beamline.records.runs.journal_runs import JournalRuns
from plans.scans.energy import delay_series, energy_scan
from reduction.live.reducer import LiveReducer
from tests.beamline.photon_bench import PhotonBench
from tests.beamline.test_resume import events_of_first_pass

GRID = [13.450, 13.455, 13.460, 13.468, 13.472, 13.49, 13.53, 13.57]


def test_passes_of_several_scan_sets_in_turn_are_summed_each_with_its_own(tmp_path: Path) -> None:
    """Two delays, two passes, and then a separate scan with new sums."""
    evening = PhotonBench(tmp_path)
    published: list[tuple[str, Any]] = []
    evening.engine.subscribe(LiveReducer(lambda name, doc: published.append((name, doc))))
    evening.run(delay_series(evening.instruments, [100, 10_100], energies=GRID, dwell=1.0, passes=2))
    evening.run(energy_scan(evening.instruments, energies=GRID, dwell=1.0))
    evening.close()
    raw = [run.uid for run in JournalRuns(tmp_path).runs()]
    starts = [doc for name, doc in published if name == "start"]
    assert [start["analysis_of"] for start in starts] == raw
    assert [start["accumulates"] for start in starts] == [[], [], [raw[0]], [raw[1]], []]
    names = {doc["uid"]: doc["name"] for name, doc in published if name == "descriptor"}
    spectra = [doc["data"] for name, doc in published if name == "event" and names[doc["descriptor"]] == "spectrum"]
    assert [set(each["dwells"].ravel().tolist()) for each in spectra] == [{2}, {2}, {4}, {4}, {2}]


def test_an_interrupted_point_is_excluded_from_the_sums(tmp_path: Path) -> None:
    """Thirty dwells: seven points and a half."""
    events_of_first_pass(tmp_path, 30)
    reducer = LiveReducer(lambda name, doc: None)
    (run,) = JournalRuns(tmp_path).runs()
    for name, doc in read(run_file(tmp_path, run.uid)):
        reducer(name, doc)
    assert reducer.spectrum().dwells.tolist() == [[2] * 7 + [0]] * 2


def test_runs_that_are_summed_again_have_no_result_each_and_the_next_pass_has_all_of_them(tmp_path: Path) -> None:
    events_of_first_pass(tmp_path, 32)
    (run,) = JournalRuns(tmp_path).runs()
    published: list[str] = []
    reducer = LiveReducer(lambda name, doc: published.append(name))
    reducer.summing = True
    for name, doc in read(run_file(tmp_path, run.uid)):
        reducer(name, doc)
    assert published.count("descriptor") == 1  # of the points; none of a spectrum
    reducer.summing = False
    for name, doc in read(run_file(tmp_path, run.uid)):
        reducer(name, doc | ({"uid": "b"} if name == "start" else {"run_start": "b"} if "run_start" in doc else {}))
    assert reducer.spectrum().dwells.tolist() == [[4] * 8] * 2
    assert published.count("descriptor") > 2
