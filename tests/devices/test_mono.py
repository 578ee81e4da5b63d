"""The monochromator: what it refuses, when a move has ended, and what counts as a failure."""

from __future__ import annotations

from collections.abc import Iterator

import epics
import pytest
from ophyd.utils import LimitError

from beamline.station.build import Beamline
from devices.instruments.mono import Monochromator
from tests.devices.builds import record, until
from tests.devices.conftest import SOFT, Make

WAIT = 20.0
GRACE = 0.3


def puts(behaviour: str) -> int:
    """How often the set energy of a soft monochromator was put."""
    return int(record(f"{SOFT}mono-{behaviour}:Puts"))


@pytest.fixture
def energy_nan(sim: Beamline) -> Iterator[None]:
    """The energy readback is not a number, for one test."""
    epics.caput("sim:Fault:EnergyNaN", 1, wait=True)
    yield
    epics.caput("sim:Fault:EnergyNaN", 0, wait=True)


@pytest.mark.parametrize("target", [13.46, 13.4601, 13.452])
def test_a_move_ends_when_the_axis_rests_at_the_set_energy(sim: Beamline, target: float) -> None:
    sim.mono.set(target).wait(WAIT)
    assert record("sim:7ida:KohzuMoving") == 0
    assert record("sim:7ida:BraggEAO") == target
    assert record("sim:7ida:BraggERdbkAO") == pytest.approx(target, abs=6e-5)
    assert sim.mono.position == pytest.approx(target, abs=6e-5)


def test_the_calibration_offset_changes_no_energy(sim: Beamline) -> None:
    """It is recorded beside the energies, and neither what is read nor what is sent is corrected by it."""
    sim.mono.set(13.46).wait(WAIT)
    before = sim.mono.position
    sim.mono.calibration_offset.put(5e-3)
    try:
        assert sim.mono.position == before
        assert sim.mono.read_configuration()["mono_calibration_offset"]["value"] == 5e-3
        sim.mono.set(13.461).wait(WAIT)
        assert record("sim:7ida:BraggEAO") == 13.461
    finally:
        sim.mono.calibration_offset.put(0.0)


@pytest.mark.parametrize("behaviour", ["good", "jump", "lag", "tremble", "twice"])
def test_manners_of_arriving(soft: Make, behaviour: str) -> None:
    """Seen to move; too fast to be seen; readback late, or restless before; rests for a moment below the target."""
    mono = soft(Monochromator, f"mono-{behaviour}:")
    for target in (13.46, 13.47, 13.45):
        mono.set(target).wait(WAIT)
        assert record(f"{SOFT}mono-{behaviour}:BraggERdbkAO") == target
        assert record(f"{SOFT}mono-{behaviour}:KohzuMoving") == 0


@pytest.mark.parametrize("behaviour", ["good", "jump", "tremble"])
@pytest.mark.parametrize("step", [0.0, 1e-6])
def test_a_move_to_nearly_or_exactly_the_same_energy_ends(soft: Make, behaviour: str, step: float) -> None:
    mono = soft(Monochromator, f"mono-{behaviour}:")
    mono.grace.put(GRACE)
    mono.set(13.46).wait(WAIT)
    before = puts(behaviour)
    mono.set(13.46 + step).wait(WAIT)
    assert puts(behaviour) == before + 1
    assert record(f"{SOFT}mono-{behaviour}:BraggERdbkAO") == 13.46 + step


@pytest.mark.parametrize("step", [0.0, 1e-6])
def test_the_simulated_axis_ends_a_move_of_nothing(sim: Beamline, step: float) -> None:
    sim.mono.set(13.46).wait(WAIT)
    sim.mono.set(13.46 + step).wait(WAIT)
    assert record("sim:7ida:BraggEAO") == 13.46 + step


@pytest.mark.parametrize("target", [5.999, 24.001, -13.46, float("nan"), float("inf")])
def test_an_energy_outside_the_limits_is_refused_before_anything_is_sent(soft: Make, target: float) -> None:
    mono = soft(Monochromator, "mono-good:")
    before = puts("good")
    for attempt in (mono.check_value, mono.set):
        with pytest.raises(LimitError, match=r"^probe .*6 to 24 keV"):
            attempt(target)
    mono.set(13.46).wait(WAIT)  # whatever was sent before this has arrived with it
    assert puts("good") == before + 1


@pytest.mark.parametrize("target", [6.0, 24.0])
def test_the_limits_themselves_are_within_reach(soft: Make, target: float) -> None:
    mono = soft(Monochromator, "mono-good:")
    mono.set(target).wait(WAIT)
    assert mono.position == target


def test_in_manual_mode_it_refuses_and_names_the_way_out(sim: Beamline) -> None:
    before = record("sim:7ida:BraggEAO")
    sim.mono.mode.set(0).wait(WAIT)
    with pytest.raises(RuntimeError, match=r"^mono: .*Manual.*put sim:7ida:KohzuModeBO to Auto"):
        sim.mono.set(before + 0.01)
    assert record("sim:7ida:BraggEAO") == before
    sim.mono.mode.set(1).wait(WAIT)
    sim.mono.set(before + 0.01).wait(WAIT)


def test_a_move_that_ends_beside_its_target_is_an_error(soft: Make) -> None:
    mono = soft(Monochromator, "mono-short:")
    mono.grace.put(GRACE)
    with pytest.raises(RuntimeError, match=r"^probe: stopped at 13\.46900 keV, 1\.000 eV from 13\.47000 keV"):
        mono.set(13.47).wait(WAIT)
    mono.tolerance.put(2e-3)
    mono.set(13.46).wait(WAIT)


def test_an_axis_that_does_not_begin_is_an_error(soft: Make) -> None:
    mono = soft(Monochromator, "mono-still:")
    mono.grace.put(GRACE)
    with pytest.raises(RuntimeError, match=r"^probe: did not begin to move to 13\.47000 keV"):
        mono.set(13.47).wait(WAIT)


def test_a_busy_server_may_process_the_put_after_the_grace_time(soft: Make) -> None:
    mono = soft(Monochromator, "mono-late:")
    mono.grace.put(GRACE)
    mono.set(13.47).wait(WAIT)
    assert record(f"{SOFT}mono-late:BraggERdbkAO") == 13.47


def test_a_move_that_never_ends_times_out_by_name(soft: Make) -> None:
    mono = soft(Monochromator, "mono-stuck:")
    mono.timeout.put(GRACE)
    with pytest.raises(TimeoutError, match=r"^probe did not arrive at 13\.47000 keV within 0\.3 s"):
        mono.set(13.47).wait(WAIT)


def test_an_energy_readback_that_is_no_number_is_an_error(sim: Beamline, energy_nan: None) -> None:
    with pytest.raises(TimeoutError, match=r"^mono did not arrive at .*BraggERdbkAO is nan"):
        sim.mono.set(13.46).wait(WAIT)


@pytest.mark.parametrize("success", [True, False])
def test_stopping_ends_the_move_that_is_under_way(soft: Make, success: bool) -> None:
    mono = soft(Monochromator, "mono-stuck:")
    mono.set(13.49)
    moving = mono.set(13.48)
    here = record(f"{SOFT}mono-stuck:BraggERdbkAO")
    until(lambda: mono.moving.get() == 1, "the sequencer moves")
    mono.stop(success=success)
    if success:
        moving.wait(WAIT)
    else:
        with pytest.raises(RuntimeError, match=r"^probe was stopped before it could arrive at 13\.48000 keV"):
            moving.wait(WAIT)
    assert record(f"{SOFT}mono-stuck:BraggEAO") == here


def test_a_move_after_a_stop_is_a_move_of_its_own(sim: Beamline) -> None:
    first = sim.mono.set(16.0)  # 2.5 keV away: 0.6 s
    sim.mono.stop(success=True)
    second = sim.mono.set(13.46)
    first.wait(WAIT)
    second.wait(WAIT)
    assert record("sim:7ida:BraggERdbkAO") == pytest.approx(13.46, abs=6e-5)


def test_a_finished_move_leaves_no_callback_behind(soft: Make) -> None:
    mono = soft(Monochromator, "mono-good:")

    def callbacks() -> int:
        return sum(len(each) for signal in (mono.moving, mono.energy, mono) for each in signal._callbacks.values())

    mono.set(13.46).wait(WAIT)
    before = callbacks()
    for target in (13.47, 13.46, 13.47):
        mono.set(target).wait(WAIT)
    assert callbacks() == before
