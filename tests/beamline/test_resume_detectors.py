"""Resuming scans with several counters, and scans without the laser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from beamline.records.runs.journal_runs import JournalRuns
from beamline.session.scans.resume import remaining
from plans.execution.run_scan import measure
from tests.beamline.photon_bench import SAMPLE, PhotonBench, photons, summed
from tests.beamline.test_broken_measurements import pulls
from tests.beamline.test_resume import BROKEN, GRID, PASSES, broken_off, scan


def test_a_resumed_scan_with_two_counters_has_the_sum_of_both(tmp_path: Path) -> None:
    """The detectors are those of the first evening; each counter and their combination have every dwell once."""
    detectors = {"apd1": {"kind": "counter", "device": "fpga"}, "apd2": {"kind": "counter", "device": "fpga2"}}
    evening = PhotonBench(tmp_path, second=True)
    evening.notes.fail_in(200)
    with pytest.raises(BROKEN):
        evening.run(scan(evening, md={"detectors": detectors}))
    evening.close()
    morning = PhotonBench(tmp_path, seed=1, second=True)
    morning.run(measure(morning.instruments, remaining(tmp_path, "5eed0000", SAMPLE), {}))
    morning.close()
    found = pulls(tmp_path, sees=1.5)
    assert abs(found.std() - 1) < 4.5 / np.sqrt(2 * found.size)
    starts = [run.start for run in JournalRuns(tmp_path).runs()]
    assert len(starts) == PASSES + 1 and all(start["detectors"] == detectors for start in starts)
    published: list[tuple[str, Any]] = []
    reducer = summed(tmp_path, "5eed0000", lambda name, doc: published.append((name, doc)))
    names = {doc["uid"]: doc["name"] for name, doc in published if name == "descriptor"}
    last = {names[doc["descriptor"]]: doc["data"] for name, doc in published if name == "event"}
    assert last["spectrum_apd2"]["dwells"].tolist() == reducer.spectrum().dwells.tolist()
    assert last["detectors"]["share"] == pytest.approx([2 / 3, 1 / 3], abs=0.02)
    assert last["detectors"]["disagrees"] == ""


def test_a_resumed_scan_without_the_laser_has_the_laser_off(tmp_path: Path) -> None:
    def plan(evening: PhotonBench) -> Any:
        return scan(evening, delay=None, pattern=(0, 0))

    broken_off(tmp_path, plan, 100)
    morning = PhotonBench(tmp_path, seed=1)
    morning.run(measure(morning.instruments, remaining(tmp_path, "5eed0000", SAMPLE), {}))
    morning.close()
    spectrum = summed(tmp_path, "5eed0000").spectrum()
    assert spectrum.dwells.tolist() == [[2 * PASSES] * len(GRID), [0] * len(GRID)]
    above = np.array([photons(energy, 0)[0] for energy in GRID])
    above -= above[:3].mean()  # in the windows of Br_K
    expected = above * np.ptp(GRID[3:]) / np.trapezoid(above[3:], GRID[3:])
    assert np.abs((spectrum.static - expected) / spectrum.static_stddev).max() < 4.5
