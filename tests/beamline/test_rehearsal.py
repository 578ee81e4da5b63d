"""A rehearsal goes on where it was interrupted, and its faults begin and end."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from beamline.session.scans.resume import CompleteError
from beamline.studies.rehearsal.programme import Step, programme
from beamline.studies.rehearsal.record import FILE, RehearsalRecord
from beamline.studies.rehearsal.station import Troubles, go_through

STEPS = (Step("one", "energy_scan", {"edge": "Br_K"}, 9), Step("two", "energy_scan", {"edge": "Pb_L3"}, 56))


class FakeEngine:
    """Emits a start document for each plan, and is interrupted in the step named."""

    def __init__(self, interrupted: str = "") -> None:
        self.ran: list[Any] = []
        self._interrupted, self._listeners = interrupted, dict[int, Any]()

    def subscribe(self, listener: Any, _: str) -> int:
        self._listeners[len(self._listeners)] = listener
        return len(self._listeners) - 1

    def unsubscribe(self, token: int) -> None:
        del self._listeners[token]

    def __call__(self, plan: Any) -> None:
        self.ran.append(plan)
        if plan[0] != "resume":
            for listener in self._listeners.values():
                listener("start", {"scan_set": f"set of {plan[1]['edge']}"})
        if self._interrupted in str(plan) and self._interrupted:
            raise KeyboardInterrupt


def session(engine: FakeEngine, nothing_left: bool = False) -> Any:
    def resume(uid: str) -> Any:
        if nothing_left:
            raise CompleteError("nothing is left to resume")
        return "resume", uid

    plans = {"energy_scan": lambda **arguments: ("scan", arguments)}
    return SimpleNamespace(RE=engine, scans=SimpleNamespace(plans=plans, resume=resume))


def test_an_interrupted_rehearsal_resumes_its_step_and_goes_on(tmp_path: Path) -> None:
    first = FakeEngine("Pb_L3")
    with pytest.raises(KeyboardInterrupt):
        go_through(session(first), STEPS, RehearsalRecord(tmp_path, 0.5), 0.5)
    assert [plan[1] for plan in first.ran] == [{"edge": "Br_K", "passes": 4}, {"edge": "Pb_L3", "passes": 28}]
    again = FakeEngine()
    record = RehearsalRecord(tmp_path, 0.5)
    assert record.done == ["one"]
    go_through(session(again), STEPS, record, 0.5)
    assert again.ran == [("resume", "set of Pb_L3")]
    last = FakeEngine()
    go_through(session(last), STEPS, RehearsalRecord(tmp_path, 0.5), 0.5)
    assert last.ran == []


def test_a_step_that_was_complete_when_it_was_cut_off_is_done(tmp_path: Path) -> None:
    record = RehearsalRecord(tmp_path, 1.0)
    record.begin("one", "set")
    go_through(session(FakeEngine(), nothing_left=True), STEPS[:1], record, 1.0)
    assert RehearsalRecord(tmp_path, 1.0).done == ["one"]


def test_a_record_of_another_share_and_a_damaged_one_are_refused(tmp_path: Path) -> None:
    RehearsalRecord(tmp_path, 0.5).begin("one", "set")
    with pytest.raises(ValueError, match=r"has a rehearsal of 0\.5 of the campaign, not 1"):
        RehearsalRecord(tmp_path, 1.0)
    (tmp_path / FILE).write_text(json.dumps({"share": 1}))
    with pytest.raises(ValueError, match="damaged"):
        RehearsalRecord(tmp_path, 1.0)


def test_faults_come_in_order_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("beamline.studies.rehearsal.station.FIRST_FAULT", 2)
    monkeypatch.setattr("beamline.studies.rehearsal.station.FAULT_LASTS", 0.0)
    puts: list[tuple[str, int]] = []
    troubles = Troubles("sim:", ("BeamDump", "LaserUnlocked"), lambda name, value: puts.append((name, value)))
    for number in range(10):
        troubles("event", {"seq_num": number})
        while len(puts) % 2:
            pass
    assert puts == [(f"sim:Fault:{name}", value) for name in ("BeamDump", "LaserUnlocked") for value in (1, 0)]


def test_the_whole_programme_is_the_published_one() -> None:
    steps = {step.name: step for part in programme(1.0).values() for step in part.steps}
    passes = {name: step.scaled(1.0)["passes"] for name, step in steps.items()}
    assert passes["Br 100 ps"] == 9 and passes["Br 10.1 ns"] == 19
    assert (passes["Pb 100 ps"], passes["Pb 10.1 ns"]) == (56, 87)
    assert steps["series"].arguments["temperatures"] == [25.0, 35.0, 40.0, 45.0, 55.0, 60.0, 65.0, 120.0, 140.0]
    assert all(step.scaled(1e-3)["passes"] == 1 for step in steps.values())
    assert programme(1.0)["7-ID-D"].troubles.count("BeamDump") == 2


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_short_campaign_goes_on_after_a_kill_and_ends_with_figures_and_a_table(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from beamline.app.cli import main; main()", "rehearse", str(tmp_path)]
    command += ["--share", "0.01"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as first:
        assert first.stdout is not None
        for line in first.stdout:
            if "Pb 100 ps" in line:
                first.send_signal(signal.SIGINT)
                break
        first.communicate(timeout=120)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1500)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "Br 100 ps" not in done.stdout and "Pb 100 ps" in done.stdout
    drawn = {path.stem for path in (tmp_path / "figures").glob("*.png")}
    assert drawn == {f"figure_{number}" for number in ("2", "3", "S2", "S5", "S6", "S7", "S8")}
    pulls = [float(row.split("│")[-2]) for row in done.stdout.splitlines() if re.search(r"│ +[+-]\d+\.\d │$", row)]
    assert len(pulls) > 8 and max(map(abs, pulls)) < 6
