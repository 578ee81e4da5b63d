"""A rehearsal goes on where it was interrupted, and its faults begin and end."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from scipy.stats import norm

from beamline.records.journal import Journal
from beamline.session.scans.resume import CompleteError
from beamline.studies.rehearsal.programme import Step, programme
from beamline.studies.rehearsal.record import FILE, RehearsalRecord
from beamline.studies.rehearsal.run import _seed
from beamline.studies.rehearsal.station import Troubles, go_through
from plans.compilation.compiled_scan import CompiledScan
from plans.scans.delay import compiled_delay_scan
from plans.scans.energy import compiled_energy_scan
from plans.scans.fluence import compiled_fluence_scan
from plans.scans.temperature import compiled_temperature_series

COMPILED: dict[str, Callable[..., CompiledScan]] = {
    "energy_scan": compiled_energy_scan,
    "delay_scan": compiled_delay_scan,
    "fluence_scan": compiled_fluence_scan,
    "temperature_series": compiled_temperature_series,
}
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
    published = [25.0, 35.0, 40.0, 45.0, 55.0, 60.0, 65.0, 80.0, 100.0, 120.0, 140.0]
    assert steps["series"].arguments["temperatures"] == published
    assert all(step.scaled(1e-3)["passes"] == 1 for step in steps.values())
    troubles = [each for part in programme(1.0).values() for each in part.troubles]
    assert sorted(troubles) == ["BeamDump", "BeamDump", "LaserUnlocked"]


def test_the_whole_programme_has_more_than_80_000_dwells_of_the_published_seconds_a_point() -> None:
    compiled = {
        step.name: COMPILED[step.plan](**step.scaled(1.0)) for part in programme(1.0).values() for step in part.steps
    }
    assert sum(one.start["num_events"] for each in compiled.values() for one in each.passes) > 80_000
    seconds = {name: _seconds_a_point(each) for name, each in compiled.items() if not name.startswith(("gra", "ser"))}
    assert seconds["Br 100 ps"] == pytest.approx(54.0) and seconds["Br 10.1 ns"] == pytest.approx(66.0 + 48.0)
    assert seconds["Pb 100 ps"] == pytest.approx(56 * 5.0) and seconds["Pb 10.1 ns"] == pytest.approx(87 * 5.0)
    assert seconds["Br trace"] == pytest.approx(36.0) and seconds["Pb trace"] == pytest.approx(6 * 36.0)


def _seconds_a_point(compiled: CompiledScan) -> float:
    settings = compiled.passes[0].dwell_settings
    return len(compiled.passes) * settings.cycles * len(settings.pattern) * settings.dwell


def test_what_goes_on_after_an_interruption_has_noise_of_its_own(tmp_path: Path) -> None:
    before = [_seed(number, tmp_path) for number in range(4)]
    journal = Journal(tmp_path, min_free_bytes=0)
    journal("start", {"uid": str(uuid4()), "time": 1.0})
    journal.close()
    assert len({*before, *(_seed(number, tmp_path) for number in range(4))}) == 8


def _campaign(folder: Path, share: str) -> list[str]:
    command = [sys.executable, "-c", "from beamline.app.cli import main; main()", "rehearse", str(folder)]
    return [*command, "--share", share]


def _pulls(text: str) -> list[float]:
    return [float(row.split("│")[-2]) for row in text.splitlines() if re.search(r"│ +[+-]\d+\.\d │$", row)]


FIGURES = {f"figure_{number}" for number in ("2", "3", "4", "S2", "S4", "S5", "S6", "S7", "S8")}
FALSE_ALARM = 1e-4
"""How often the largest of all pulls is beyond the limit by chance."""


@pytest.mark.parametrize("share", ["0.1", pytest.param("1", marks=pytest.mark.long)])
@pytest.mark.timeout(3600)
def test_a_campaign_goes_on_after_an_interruption_and_ends_with_figures_and_a_table(tmp_path: Path, share: str) -> None:
    command, before = _campaign(tmp_path, share), ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as first:
        assert first.stdout is not None
        for line in first.stdout:
            before += line
            if "Pb trace" in line:
                first.send_signal(signal.SIGINT)
                break
        before += first.communicate(timeout=120)[0]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=3000)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "Pb 100 ps" not in done.stdout and "Pb trace" in done.stdout
    everything = before + done.stdout
    assert all(f"{name}: WAITING: beam lost" in everything for name in ("bromine", "lead_later"))
    assert "lead: WAITING: laser unlocked" in everything
    assert {path.stem for path in (tmp_path / "figures").glob("*.png")} == FIGURES
    assert {path.stem for path in (tmp_path / "figures").glob("*.pdf")} == FIGURES
    pulls = _pulls(done.stdout)
    assert len(pulls) > 20 and max(map(abs, pulls)) < norm.isf(FALSE_ALARM / 2 / len(pulls)), done.stdout
