"""Resuming: the remaining points follow from the journal, and the sum is that of an uninterrupted measurement."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from beamline.records.journal import run_files
from beamline.records.runs.journal_runs import JournalRuns
from beamline.session.scans.resume import ResumeError, remaining
from plans.compilation.compiled_scan import CompiledScan
from plans.compilation.quality import Check
from plans.execution.failures import InstrumentError
from plans.execution.run_scan import measure
from plans.scans.delay import delay_scan
from plans.scans.energy import delay_series, energy_scan
from plans.scans.fluence import fluence_scan
from tests.beamline.photon_bench import SAMPLE, PhotonBench
from tests.plans.fakes import RefusedError

GRID = [13.450, 13.455, 13.460, 13.468, 13.472, 13.49, 13.53, 13.57]
PATTERN = (1, 0, 0, 1)
PASSES = 2
BROKEN = (InstrumentError, RefusedError)


def scan(bench: PhotonBench, **changes: Any) -> Any:
    arguments: dict[str, Any] = {
        "energies": GRID,
        "dwell": 1.0,
        "passes": PASSES,
        "scan_set": "5eed0000",
        "settings": {"i0_noise": 0.0},
    }
    return energy_scan(bench.instruments, **(arguments | changes))


def broken_off(root: Path, plan: Any, actions: int) -> PhotonBench:
    """The first session of a measurement, which fails after some actions."""
    evening = PhotonBench(root)
    evening.notes.fail_in(actions)
    with pytest.raises(BROKEN):
        evening.run(plan(evening))
    evening.close()
    return evening


def points_of_passes(compiled_scan: CompiledScan) -> list[tuple[int, list[int]]]:
    return [(one.start["scan_index"], [here.point_index for here in one.positions]) for one in compiled_scan.passes]


def events_of_first_pass(root: Path, dwells: int, **changes: Any) -> None:
    """A pass that is broken off after some dwells (each has 16 actions, a move and its approach one or two more)."""
    evening = PhotonBench(root)
    seen = []

    def count(name: str, doc: Any) -> None:
        seen.append(doc)
        if len(seen) == dwells:
            evening.notes.fail_in(3)

    evening.engine.subscribe(count, "event")
    with pytest.raises(BROKEN):
        evening.run(scan(evening, **changes))
    evening.close()


def test_remaining_points_follow_from_the_journal(tmp_path: Path) -> None:
    """After 10 dwells two points are complete and half of the third, which is measured again completely."""
    events_of_first_pass(tmp_path, 10, settings={"i0_noise": 0.002}, md={"note": "first evening"})
    compiled_scan = remaining(tmp_path, "5eed0000", SAMPLE)
    assert points_of_passes(compiled_scan) == [(0, [2, 3, 4, 5, 6, 7]), (1, list(range(8)))]
    assert points_of_passes(remaining(tmp_path, "last", SAMPLE)) == points_of_passes(compiled_scan)
    first, second = (one.start for one in compiled_scan.passes)
    assert first["grid"] == second["grid"] == GRID
    assert first["settings"]["i0_noise"] == 0.002 and first["note"] == "first evening"
    assert len(first["resumes"]) == 1 and second["resumes"] == []
    assert (first["num_points"], first["num_events"]) == (6, 24)
    assert not {"uid", "time", "sample", "t0", "estimated_time"} & set(first)
    assert [one.dwell_settings.dwell for one in compiled_scan.passes] == [1.0, 1.0]


def test_a_resumed_pass_returns_to_its_monitor_energies(tmp_path: Path) -> None:
    """Monitor dwells complete no point; the rest of a pass has visits of its own, from its first to its last point."""
    monitors = {"monitor_energies": [13.455, 13.49], "monitor_share": 0.1}
    events_of_first_pass(tmp_path, 10, **monitors)  # one of them before the first point
    rest, whole = remaining(tmp_path, "5eed0000", SAMPLE).passes
    assert [each.point_index for each in rest.points] == [2, 3, 4, 5, 6, 7]
    assert [each.point_index for each in whole.points] == list(range(8))
    for one, visits in ((rest, 3), (whole, 4)):
        assert one.positions[0].monitor and one.positions[-1].monitor
        assert one.monitor_dwells == sum(each.monitor for each in one.positions) == visits
        assert one.start["monitor_energies"] == monitors["monitor_energies"]
        assert one.start["num_events"] == 4 * len(one.points)


def test_a_point_without_a_good_dwell_of_each_state_is_wanted_again(tmp_path: Path) -> None:
    """The beam is lost during the second point: retakes fail, and the pass continues."""
    evening = PhotonBench(tmp_path)

    def inject_fault(name: str, doc: Any) -> None:
        evening.soft.ring.current = 0.0 if 4 <= doc["seq_num"] < 16 else 102.0

    evening.engine.subscribe(inject_fault, "event")
    beam = Check("ring_current", 10.0, 1000.0, "beam lost")
    evening.run(scan(evening, passes=1, checks=(beam,)))
    evening.close()
    assert points_of_passes(remaining(tmp_path, "5eed0000", SAMPLE)) == [(0, [1])]


def test_a_point_whose_energy_slipped_in_a_later_cycle_is_complete_when_it_was_taken_again(tmp_path: Path) -> None:
    """Counted to a target: it slips in the first dwell of the second pattern, and one pattern is enough after that."""
    evening = PhotonBench(tmp_path)

    def inject_fault(name: str, doc: Any) -> None:
        if doc["seq_num"] == 4:
            evening.soft.energy.value += 0.002

    evening.engine.subscribe(inject_fault, "event")
    requested: list[int] = []

    def judge(point_index: int) -> float:
        requested.append(point_index)
        return 1.0 if requested == [0] else 0.0

    evening.run(scan(evening, passes=1, target=1e-2, longest=20.0, judge=judge))
    evening.close()
    assert requested[:3] == [0, 0, 1]
    with pytest.raises(ResumeError, match="nothing is left to resume"):
        remaining(tmp_path, "5eed0000", SAMPLE)


def test_a_resumed_series_includes_members_that_were_never_started(tmp_path: Path) -> None:
    def plan(evening: PhotonBench) -> Any:
        return delay_series(evening.instruments, [100, 10_100], energies=GRID, dwell=1.0, passes=2)

    broken_off(tmp_path, plan, 100)
    (run,) = JournalRuns(tmp_path).runs()
    for name in (run.uid, run.scan_set, run.start["series"], str(run.start["series"])[:8]):
        compiled_scan = remaining(tmp_path, str(name), SAMPLE)
        found = [(one.start["pump_delay"], one.start["scan_index"]) for one in compiled_scan.passes]
        assert found == [(100, 0), (10_100, 0), (100, 1), (10_100, 1)]
        sets = [one.start["scan_set"] for one in compiled_scan.passes]
        assert sets[:2] == sets[2:] == [member["scan_set"] for member in run.start["members"]]
        assert {here.delay for here in compiled_scan.passes[1].positions} == {10_100}


def test_a_resumed_delay_scan_has_its_delays(tmp_path: Path) -> None:
    def plan(evening: PhotonBench) -> Any:
        return delay_scan(evening.instruments, energies=13.472, delays=[0.0, 100.0, 1000.0], dwell=1.0)

    broken_off(tmp_path, plan, 80)
    (run,) = JournalRuns(tmp_path).runs()
    (one,) = remaining(tmp_path, run.uid, SAMPLE).passes
    assert [here.delay for here in one.positions][-1] == 1000.0
    assert {here.energy for here in one.positions} == {13.472}


def test_a_resumed_fluence_scan_restores_the_original_fluence(tmp_path: Path) -> None:
    def plan(evening: PhotonBench) -> Any:
        evening.soft.fluence.value = 7.5
        return fluence_scan(evening.instruments, energy=13.472, fluences=[1.0, 3.0, 9.0], dwell=1.0)

    broken_off(tmp_path, plan, 80)
    (run,) = JournalRuns(tmp_path).runs()
    morning = PhotonBench(tmp_path)
    morning.soft.fluence.value = 3.0
    morning.run(measure(morning.instruments, remaining(tmp_path, run.uid, SAMPLE), {}))
    morning.close()
    assert morning.soft.fluence.value == 7.5


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"sample": "another"}, "^sample: 'soft' was measured, 'another' is in place"),
    ({"edge": "Pb_L3"}, "^edge: Br_K was measured, not Pb_L3"),
    ({"uid": "0ddba11"}, "^scan_set '0ddba11' is not in the journal"),
    ({"uid": ""}, "^scan_set '' is not in the journal"),
]


@pytest.mark.parametrize(("change", "message"), REFUSED, ids=str)
def test_what_cannot_be_resumed_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    events_of_first_pass(tmp_path, 5)
    with pytest.raises(ResumeError, match=message):
        remaining(tmp_path, **{"uid": "5eed0000", "sample": SAMPLE, **change})


def test_a_measurement_that_is_complete_or_ambiguous_is_refused(tmp_path: Path) -> None:
    evening = PhotonBench(tmp_path)
    evening.run(scan(evening, passes=1))
    evening.run(scan(evening, passes=1, scan_set="5eed0001"))
    evening.close()
    with pytest.raises(ResumeError, match=r"^nothing is left to resume: all 1 passes of 5eed0000 are complete"):
        remaining(tmp_path, "5eed0000", SAMPLE)
    with pytest.raises(ResumeError, match="ambiguous: 5eed0000, 5eed0001"):
        remaining(tmp_path, "5eed", SAMPLE)


def test_a_run_without_its_start_document_is_named_and_the_others_are_resumed(tmp_path: Path) -> None:
    """A power cut in the first second of a run: its file ends in its start document, which was never synced."""
    events_of_first_pass(tmp_path, 5)
    (path,) = run_files(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    named = f"; left alone: {path.name} (it has no start document that can be read)"
    with pytest.raises(ResumeError, match=re.escape(named)):
        remaining(tmp_path, "5eed0000", SAMPLE)
    evening = PhotonBench(tmp_path)
    evening.run(scan(evening, passes=1))
    evening.close()
    with pytest.raises(ResumeError, match="nothing is left to resume"):
        remaining(tmp_path, "5eed0000", SAMPLE)


def test_a_killed_session_can_be_resumed(tmp_path: Path) -> None:
    """The file ends within a record: no stop document, and the last dwell is lost with its point."""
    events_of_first_pass(tmp_path, 12)
    (path,) = run_files(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(0.8 * len(whole))])
    ((index, points), (_, second)) = points_of_passes(remaining(tmp_path, "5eed0000", SAMPLE))
    assert index == 0 and points[-1] == 7 and points[0] in (1, 2)
    assert second == list(range(8))
