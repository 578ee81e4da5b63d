"""Nights from a table on the simulated beamline: places, failures, what is done, exposure, and a verdict that stops."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import epics
import pytest
from bluesky.utils import RunEngineInterrupted
from IPython.core.interactiveshell import InteractiveShell

from beamline.config.entries import QueueEntry
from beamline.records.runs.journal_runs import JournalRuns
from beamline.records.runs.run import Run
from beamline.session.nights.night import FaultyNightError, Night
from beamline.session.nights.progress import NightProgress
from beamline.session.nights.row_plan import RowPlans
from beamline.session.persistent.places import PlaceError
from beamline.session.persistent.state import read_state
from beamline.session.session import Session
from beamline.session.verdict_stop import VerdictError, stop_at_verdicts
from tests.beamline.session_runs import session as session

GRID = '"energies=(13.45, 13.46, 13.472, 13.53, 13.57), dwell=0.5"'
ACROSS = "sim:7idd:m2.RBV"


def across() -> float:
    return float(epics.caget(ACROSS, use_monitor=False))


def raw_runs(session: Session) -> list[Run]:
    return [run for run in JournalRuns(session.config.data.root).runs() if run.raw_uid is None]


def night_of(session: Session, *rows: str) -> tuple[Night, list[str]]:
    """A night of these rows, and what it reports."""
    path: Path = session.config.data.root / "tonight.csv"
    path.write_text("\n".join(["sample,place,exposure,arguments,delay,passes,priority", *rows]) + "\n")
    said: list[str] = []
    return Night(session, path, said.append), said


@pytest.fixture
def spots(session: Session) -> Any:
    """Places spot1 and spot2; the stage is left as it was found."""
    stage, before = session.beamline.stage.across, across()
    for name, value in (("spot1", 1.0), ("spot2", 2.0)):
        stage.set(value).wait(20)
        session.scans.places.save(name)
    yield
    stage.set(before).wait(20)


def test_places_are_saved_where_the_axes_are_and_found_again(session: Session, spots: None, capsys: Any) -> None:
    places, goto = session.scans.places, session.names()["goto"]
    positions = [each[-1].positions["stage.across"] for each in places.saved().values()]
    assert positions == pytest.approx([1.0, 2.0], abs=5e-3)  # right after the move, not the monitored value before it
    session.RE(goto("spot1"))
    assert across() == pytest.approx(1.0, abs=5e-3)
    shell = InteractiveShell(user_ns={"session": session})
    shell.run_line_magic("load_ext", "beamline")
    shell.run_cell("%mov stage.across 3\n%save spot1\n%goto spot1@1\n%save")
    assert across() == pytest.approx(1.0, abs=5e-3)
    state = read_state(session.config.data.root)
    assert state is not None and [round(each.positions["stage.across"]) for each in state.places["spot1"]] == [1, 3]
    lines = capsys.readouterr().out
    assert "  @1 spot1: stage.across 1" in lines
    shell.run_cell("%goto nowhere")
    assert "no place 'nowhere' is saved" in "".join(capsys.readouterr())
    with pytest.raises(PlaceError, match=r"mono\.energy is no axis"):
        places.save("odd", ["mono.energy"])
    assert places.save("edge", ["mono"]).saved.positions["mono"] == pytest.approx(
        session.beamline.mono.position, abs=1e-3
    )


def test_a_night_goes_on_after_a_failure_and_skips_what_is_done(session: Session, spots: None) -> None:
    rows = [f"wet,spot2,,{GRID},100,1,2", f"wet,spot1,,{GRID},1e9,1,1", f"dry,,,{GRID},100,1,3"]
    night, _ = night_of(session, *rows)
    night.run()
    reasons = {outcome.row.number: outcome.reason for outcome in night.outcomes.values()}
    assert list(reasons) == [3, 2, 4] and "laser_delay" in reasons[3] and reasons[2] == reasons[4] == ""
    first, second = raw_runs(session)
    assert (first.start["sample"], first.start["place"]["name"]) == ("wet", "spot2")
    assert second.start["sample"] == "dry" and "place" not in second.start and first.status == "success"
    assert across() == pytest.approx(2.0, abs=5e-3)
    night_of(session, *rows)
    more, said = [*rows, f"dry,,,{GRID},200,1,9"], list[str]()

    def change(text: str) -> None:
        """While row 3 runs, a row is added; while that runs, another one is spoilt."""
        said.append(text)
        if text.startswith("Row 3: "):
            night_of(session, *more)
        elif text.startswith("Row 5: "):
            night_of(session, *more, ",,,,,-1,")

    again = Night(session, session.config.data.root / "tonight.csv", change)
    again.run()
    assert [outcome.row.number for outcome in again.outcomes.values()] == [3, 5]
    assert any("has changed: the rest of the night follows it" in text for text in said)
    assert any("row 6, column passes" in text and "goes on as it was" in text for text in said)
    assert [run.start["pump_delay"] for run in raw_runs(session)] == [100, 100, 200]
    with pytest.raises(FaultyNightError, match="row 2, column passes"):
        night_of(session, f",,,{GRID},100,-1,")[0].run()


def test_a_row_that_was_cut_off_goes_on_where_it_was_and_moves_to_the_next_spot(session: Session, spots: None) -> None:
    night, _ = night_of(session, f'wet,"spot1, spot2",21,{GRID},100,4,1')
    night._read()
    (row,) = night.rows
    measured: list[Any] = []

    def pause(name: str, doc: Any) -> None:
        measured.append(doc)
        if len(measured) == 30:
            threading.Thread(target=session.RE.request_pause).start()

    token = session.RE.subscribe(pause, "event")
    with pytest.raises(RunEngineInterrupted):
        session.RE(RowPlans(session.scans).measure("tonight", row))
    session.RE.abort("the test pauses")
    session.RE.unsubscribe(token)
    night.run()
    (outcome,) = night.outcomes.values()
    assert "a pass of 10 s is too much for its places, 21 s each: spot1 has had" in outcome.reason
    runs = raw_runs(session)
    assert [run.start["place"]["name"] for run in runs] == ["spot1", "spot1", "spot2", "spot2"]
    assert len({run.scan_set for run in runs}) == 1 and runs[2].start["resumes"] == [runs[1].uid]
    session.scans.places.save("spot2")  # a new spot under the old name
    night_of(session, f'wet,"spot1, spot2",21,{GRID},100,4,1')[0].run()
    progress = NightProgress.of(session.config.data.root, "tonight")
    assert progress.is_done(row, "wet")


def test_a_bad_pass_stops_the_night_if_that_is_asked_for(session: Session) -> None:
    session.config = session.config.model_copy(update={"queue": QueueEntry(stop_at="bad")})
    stop_at_verdicts(session)
    rows = [f"wet,,,{GRID},100,2,1", f"wet,,,{GRID},200,1,2"]
    epics.caput("sim:Fault:GateSaturated", 1, wait=True)
    try:
        with pytest.raises(VerdictError, match=r"run \w{8} is bad: .*saturated.*; \[queue\] stop_at stops the queue"):
            night_of(session, *rows)[0].run()
    finally:
        epics.caput("sim:Fault:GateSaturated", 0, wait=True)
    (run,) = raw_runs(session)
    assert run.status == "success"  # the pass is kept, the next one has not begun
    night_of(session, *rows)[0].run()
    assert [run.start["pump_delay"] for run in raw_runs(session)] == [100, 100, 200]


@pytest.mark.long
def test_a_night_on_the_command_line_ends_with_a_report_by_sample(tmp_path: Path) -> None:
    """As a user would, with a simulated beamline of its own; the second call has only the failed row to do."""
    table = tmp_path / "tonight.csv"
    rows = [f"wet,{GRID},100,1,2", f"dry,{GRID},1e9,1,1", f"dry,{GRID},200,1,3"]
    table.write_text("\n".join(["sample,arguments,delay,passes,priority", *rows]) + "\n")
    code = "from beamline.app.cli import main; main()"
    command = [sys.executable, "-c", code, "batch", str(table), "--data", str(tmp_path / "data")]
    for measured in (2, 0):
        done = subprocess.run([*command, "--sim", "--speedup", "100"], capture_output=True, text=True, timeout=200)
        assert done.returncode == 1, done.stderr  # a row has failed
        assert len(re.findall(r"pass 1 of 1", done.stdout)) == measured
        lines = [line for line in done.stdout.partition("by sample")[2].splitlines() if re.match(r" +\d ", line)]
        assert [line.split()[0] for line in lines] == ["3", "4", "2"]
        assert [line.split()[-1] for line in lines[1:]] == ["done", "done"] and "failed: laser_delay" in lines[0]
    report = subprocess.run([*command, "--report"], capture_output=True, text=True, timeout=100)
    assert report.returncode == 0 and report.stdout.count("done") == 2
