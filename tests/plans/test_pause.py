"""Pausing and going on: no half event, no wrong laser state, no quality of something else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from typing import Any

import pytest
from bluesky import RunEngine
from bluesky.run_engine import TransitionError
from bluesky.utils import MsgGenerator, RunEngineInterrupted

from beamline.station.build import Beamline, instruments
from plans.compilation.quality import Check
from plans.execution.dwell_assessment import NOT_READ_AGAIN
from plans.scans.energy import energy_scan
from tests.devices.builds import connected_beamline, record, until
from tests.helpers.ioc_process import IocPool, RunningIoc
from tests.plans.conftest import Documents
from tests.plans.fakes import Bench, DoneStatus, FakeRing, Notes, RefusedError, bench

BEAM = (Check("ring_current", 10.0, 1000.0, "beam lost"),)
SPEEDUP = 10.0
DWELL = 4.0  # 0.4 s of wall time
GRID = [13.460, 13.472]
WAIT = 20.0


class PausingNotes(Notes):
    """Asks for a pause at one of the actions, as another thread would."""

    def __init__(self, engine: RunEngine, pause_at: int) -> None:
        super().__init__()
        self._engine, self._pause_at = engine, pause_at
        self.thread: threading.Thread | None = None

    def note(self, action: str, name: str, value: Any = None) -> DoneStatus:
        status = super().note(action, name, value)
        if len(self.actions) - 1 == self._pause_at:
            self.thread = threading.Thread(target=self._ask)
            self.thread.start()
        return status

    def _ask(self) -> None:
        with suppress(TransitionError):  # the scan has ended before the pause
            self._engine.request_pause()


def short_scan(soft: Bench) -> MsgGenerator[str]:
    return energy_scan(soft.instruments(), energies=[13.46, 13.47], pattern=(1, 0), dwell=1.0, checks=BEAM)


def paused_scan(pause_at: int) -> tuple[Bench, Documents] | None:
    """A scan that is paused at an action while the beam is lost, and resumed; None if it ended before."""
    engine, documents = RunEngine({}, call_returns_result=True, context_managers=[]), Documents()
    engine.subscribe(documents)
    notes = PausingNotes(engine, pause_at)
    soft = bench(notes=notes)
    soft.ring.current = 102.0 if pause_at % 2 else 0.0
    try:
        engine(short_scan(soft))
    except RunEngineInterrupted:
        soft.ring.current = 102.0 - soft.ring.current
        engine.resume()
    if notes.thread is None:
        return None
    notes.thread.join(WAIT)
    return soft, documents


def test_wherever_it_is_paused_each_dwell_is_one_event_and_true_to_itself() -> None:
    paused = 0
    for pause_at in count():
        done = paused_scan(pause_at)
        if done is None:
            break
        paused += 1
        soft, documents = done
        events = documents.events()
        last = {(data["point_index"], data["segment"]): data for data in events}
        assert list(last) == [(0, 0), (0, 1), (1, 0), (1, 1)]
        for label, data in last.items():
            attempts = [each for each in events if (each["point_index"], each["segment"]) == label]
            assert [each["attempt"] for each in attempts] == list(range(len(attempts)))
            assert "good" not in [each["quality"] for each in attempts[:-1]]
            assert data["quality"] == "good" or data["attempt"] == 2
        for data in events:
            assert data["laser_on"] == 1 - data["segment"]
            assert data["fpga_counts"][0] == 1 + 100 * data["laser_on"]
            assert data["mono_energy"] == [13.46, 13.47][data["point_index"]]
            assert data["quality"] == ("good" if data["ring_current"] > 10 else "beam lost"), pause_at
        assert documents.all("stop")[0]["exit_status"] == "success"
        assert soft.shutter.value == 0
    assert paused > 60


class ForgetfulRing(FakeRing):
    """The third read fails: the one that assesses a dwell again, after its messages have been repeated."""

    reads = 0

    def read(self) -> dict[str, dict[str, Any]]:
        self.reads += 1
        if self.reads == 3:
            raise RefusedError("ring does not answer")
        return super().read()


def test_a_dwell_that_cannot_be_assessed_again_after_a_pause_is_taken_again() -> None:
    rehearsed = bench()
    RunEngine({}, context_managers=[])(short_scan(rehearsed))
    first_label = [action[:2] for action in rehearsed.notes.actions].index(("read", "dwell_label"))
    engine, documents = RunEngine({}, call_returns_result=True, context_managers=[]), Documents()
    engine.subscribe(documents)
    notes = PausingNotes(engine, first_label)
    soft = bench(notes=notes)
    soft.ring = ForgetfulRing("ring", notes)
    with pytest.raises(RunEngineInterrupted):
        engine(short_scan(soft))
    engine.resume()
    assert notes.thread is not None
    notes.thread.join(WAIT)
    taken = [(data["attempt"], data["quality"]) for data in documents.events()][:2]
    assert taken == [(0, f"{NOT_READ_AGAIN}: ring does not answer"), (1, "good")]


@pytest.fixture(scope="module")
def ioc(ioc_pool: IocPool) -> Iterator[RunningIoc]:
    """A simulated beamline for this file; each test leaves it at rest."""
    started = ioc_pool.start("demo", SPEEDUP)
    yield started
    ioc_pool.stop(started)


@pytest.fixture
def slow(ioc: RunningIoc) -> Iterator[Beamline]:
    """A simulated beamline that leaves time to pause."""
    with connected_beamline(ioc.prefix) as beamline:
        yield beamline


def run_until(
    engine: RunEngine, beamline: Beamline, condition: Callable[[], bool], defer: bool = False, **changes: Any
) -> None:
    """Run a scan and pause it as soon as a condition holds."""

    def wait_and_pause() -> None:
        until(condition, "the moment to pause")
        engine.request_pause(defer)

    pausing = threading.Thread(target=wait_and_pause)
    arguments: dict[str, Any] = {"energies": GRID, "pattern": (1, 0), "dwell": DWELL}
    pausing.start()
    with pytest.raises(RunEngineInterrupted):
        engine(energy_scan(instruments(beamline, SPEEDUP), **(arguments | changes)))
    pausing.join(WAIT)


def check_events(documents: Documents) -> None:
    events = documents.events()
    assert [(data["point_index"], data["segment"]) for data in events] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    for data in events:
        assert data["laser_shutter_status"] == data["laser_on"] == 1 - data["segment"]
        assert data["fpga_elapsed"] == pytest.approx(DWELL, rel=1e-6)  # a whole dwell, not the rest of one
        assert data["i0_time"] == pytest.approx(DWELL, rel=1e-6)
        assert data["mono_energy"] == pytest.approx(GRID[data["point_index"]], abs=6e-5)
        assert data["quality"] == "good"
    assert documents.all("stop")[0]["exit_status"] == "success"


@pytest.mark.parametrize("laser_on", [1, 0])
def test_paused_in_the_middle_of_a_dwell(
    slow: Beamline, ioc: RunningIoc, engine: RunEngine, documents: Documents, laser_on: int
) -> None:
    """The count ends, the laser is shut while nothing is measured, and the dwell is taken anew as a whole."""
    counting = ioc.name("7idd:FPGA1:Acquire")
    shutter = ioc.name("7idd:Laser:ShutterStatus_RBV")
    run_until(
        engine,
        slow,
        lambda: record(counting) == 1 and record(shutter) == laser_on and len(documents.events()) == 1 - laser_on,
    )
    assert record(shutter) == 0
    assert record(counting) == 0
    assert record(ioc.name("7idd:scaler1.CNT")) == 0
    assert len(documents.events()) == 1 - laser_on
    engine.resume()
    check_events(documents)
    assert record(shutter) == 0


def test_paused_in_the_middle_of_a_move(
    slow: Beamline, ioc: RunningIoc, engine: RunEngine, documents: Documents
) -> None:
    """The axis stops, and the move that did not arrive does not fail the scan when it goes on."""
    slow.mono.grace.put(0.1)
    moving = ioc.name("7ida:KohzuMoving")
    far = [13.460, 13.660]
    run_until(engine, slow, lambda: len(documents.events()) == 2 and record(moving) == 1, energies=far)
    until(lambda: record(moving) == 0, "the axis has stopped")
    here = record(ioc.name("7ida:BraggERdbkAO"))
    assert far[0] < here < far[1]
    threading.Event().wait(0.5)  # longer than an axis may rest before its move counts as failed
    engine.resume()
    energies = [data["mono_energy"] for data in documents.events()]
    assert energies == pytest.approx([far[0], far[0], far[1], far[1]], abs=6e-5)
    assert documents.all("stop")[0]["exit_status"] == "success"


@pytest.mark.parametrize(("end", "status"), [("abort", "abort"), ("stop", "success"), ("halt", "abort")])
def test_ended_while_paused(
    slow: Beamline, ioc: RunningIoc, engine: RunEngine, documents: Documents, end: str, status: str
) -> None:
    run_until(engine, slow, lambda: record(ioc.name("7idd:FPGA1:Acquire")) == 1)
    getattr(engine, end)()
    (stop,) = documents.all("stop")
    assert stop["exit_status"] == status
    assert stop["num_events"].get("primary", 0) == len(documents.events())
    assert record(ioc.name("7idd:Laser:ShutterStatus_RBV")) == 0
    until(lambda: record(ioc.name("7idd:FPGA1:Acquire")) == 0, "nothing counts")


def test_a_pause_at_the_next_checkpoint_comes_between_two_dwells(
    slow: Beamline, ioc: RunningIoc, engine: RunEngine, documents: Documents
) -> None:
    run_until(engine, slow, lambda: record(ioc.name("7idd:FPGA1:Acquire")) == 1, defer=True)
    assert len(documents.events()) == 1
    assert record(ioc.name("7idd:Laser:ShutterStatus_RBV")) == 0
    engine.resume()
    check_events(documents)
