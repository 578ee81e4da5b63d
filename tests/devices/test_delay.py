"""Pump-probe delay: sign, limits, which of generator and phase shifter moves, and a generator that goes elsewhere."""

from __future__ import annotations

import epics
import pytest
from ophyd.utils import LimitError

from beamline.station.build import Beamline
from devices.instruments.delay import LaserDelay
from tests.devices.builds import record, until
from tests.devices.conftest import SOFT, Make

WAIT = 20.0
T0_NS = 169.78
RANGE_PS = 2000.0
GENERATOR, MADE = "sim:7idd:DG1:ADelayAO", "sim:7idd:DG1:ADelayAI"
FINE, FINE_MADE = "sim:7idd:digDelay1:delay", "sim:7idd:digDelay1:actualDelay"


def made_ps() -> float:
    """The delay according to the readbacks of both instruments."""
    return float(T0_NS * 1e3 - record(MADE) * 1e12 + record(FINE_MADE))


def put_fine(sim: Beamline, picoseconds: float) -> None:
    epics.caput(FINE, picoseconds, wait=True)
    until(lambda: sim.laser_delay.fine.get() == picoseconds, "the fine phase has followed")


@pytest.mark.parametrize("delay", [-500.0, 0.0, 100.0, 133.3, 10_100.0, 163_500.0])
def test_delay_is_t0_minus_generator_plus_fine(sim: Beamline, delay: float) -> None:
    """A later probe is an earlier pump: the generator runs backwards."""
    sim.laser_delay.set(delay).wait(WAIT)
    assert made_ps() == pytest.approx(delay, abs=0.1)  # the phase shifter has steps of 0.1 ps, the generator of 5 ps
    assert sim.laser_delay.position == pytest.approx(made_ps(), abs=1e-3)
    assert sim.laser_delay.read()["laser_delay"]["value"] == pytest.approx(made_ps(), abs=1e-3)


def test_small_changes_leave_the_generator_where_it_is(sim: Beamline) -> None:
    sim.laser_delay.set(100.0).wait(WAIT)
    coarse = record(GENERATOR)
    for delay in (-800.0, 0.3, 912.7):
        sim.laser_delay.set(delay).wait(WAIT)
        assert record(GENERATOR) == coarse
        assert made_ps() == pytest.approx(delay, abs=0.1)


def test_large_changes_move_the_generator_and_bring_the_phase_shifter_back(sim: Beamline) -> None:
    sim.laser_delay.set(100.0).wait(WAIT)
    for delay in (8_123.4, -7_001.2):
        before = record(GENERATOR)
        sim.laser_delay.set(delay).wait(WAIT)
        assert record(GENERATOR) != before
        assert abs(record(FINE_MADE)) <= 2.6  # half a step of the generator
        assert made_ps() == pytest.approx(delay, abs=0.1)


def test_the_phase_shifter_is_kept_from_its_ends(sim: Beamline) -> None:
    sim.laser_delay.set(20_000.0).wait(WAIT)
    origin = made_ps() - record(FINE_MADE)
    for fine in (RANGE_PS - 10.1, RANGE_PS - 9.9, RANGE_PS):
        sim.laser_delay.set(origin + fine).wait(WAIT)
        assert abs(record(FINE_MADE)) <= RANGE_PS - 10
        assert sim.laser_delay.read()["laser_delay_fine_at_limit"]["value"] == 0


@pytest.mark.parametrize("end", [-RANGE_PS, RANGE_PS])
def test_an_end_of_the_phase_shifter_is_flagged(sim: Beamline, end: float) -> None:
    """Somebody has put it there past this device."""
    try:
        put_fine(sim, end)
        assert sim.laser_delay.read()["laser_delay_fine_at_limit"]["value"] == 1
        (complaint,) = sim.laser_delay.complaints()
        assert complaint.startswith("sim:7idd:digDelay1:actualDelay is at the limit of its range")
        sim.laser_delay.set(100.0).wait(WAIT)
        assert sim.laser_delay.read()["laser_delay_fine_at_limit"]["value"] == 0
        assert sim.laser_delay.complaints() == []
    finally:
        put_fine(sim, 0.0)


def test_another_t0_moves_the_origin(sim: Beamline) -> None:
    sim.laser_delay.set(100.0).wait(WAIT)
    sim.laser_delay.t0.put(T0_NS * 1e-9 + 30e-12)
    assert sim.laser_delay.position == pytest.approx(130.0, abs=0.1)
    sim.laser_delay.set(100.0).wait(WAIT)
    assert made_ps() == pytest.approx(70.0, abs=0.1)


# The simulated generator goes from 0 to 2 us, that of the soft server from 0 to 1 us.
@pytest.mark.parametrize("delay", [169_783.0, -1_830_223.0, 1e9, float("nan"), float("-inf")])
def test_a_delay_out_of_reach_is_refused_before_anything_is_sent(sim: Beamline, delay: float) -> None:
    before = record(GENERATOR), record(FINE)
    for attempt in (sim.laser_delay.check_value, sim.laser_delay.set):
        with pytest.raises(LimitError, match=r"^laser_delay: .* ps needs .* of sim:7idd:DG1:ADelayAO, .* 0 to 2000 ns"):
            attempt(delay)
    assert (record(GENERATOR), record(FINE)) == before


@pytest.mark.parametrize("delay", [169_780.0, -1_830_220.0])
def test_the_ends_of_the_generator_are_within_reach(sim: Beamline, delay: float) -> None:
    sim.laser_delay.check_value(delay)


def test_nothing_arrives_at_the_record_when_it_is_refused(soft: Make) -> None:
    delay = soft(LaserDelay, "delay:", fine_prefix="delay:")
    before = record(f"{SOFT}delay:Puts")
    with pytest.raises(LimitError, match="0 to 1000 ns"):
        delay.set(-1e6)
    delay.set(100.0).wait(WAIT)
    assert record(f"{SOFT}delay:Puts") == before + 1


def test_a_generator_that_goes_elsewhere_is_an_error(soft: Make) -> None:
    delay = soft(LaserDelay, "delay-off:", fine_prefix="delay-off:")
    assert delay.timeout.get() < 5
    delay.timeout.put(0.3)
    with pytest.raises(TimeoutError, match=r"^probe did not go to 200 ps within 0\.3 s: soft:delay-off:ADelayAI is "):
        delay.set(200.0).wait(WAIT)


def test_subscribers_are_reported_the_delay(sim: Beamline) -> None:
    """Whichever of the two instruments has moved."""
    seen: list[float] = []

    def keep(value: float, **_: object) -> None:
        seen.append(value)

    sim.laser_delay.delay.subscribe(keep, run=False)
    for delay in (300.0, 400.0, 9_000.0):
        sim.laser_delay.set(delay).wait(WAIT)
        until(lambda wanted=delay: bool(seen) and seen[-1] == pytest.approx(wanted, abs=0.1), "the delay is posted")
    sim.laser_delay.delay.clear_sub(keep)


def test_a_generator_that_works_the_other_way(sim: Beamline) -> None:
    """With a sign of -1 a later generator makes a longer delay; t0 stays where both coincide."""
    delay = sim.laser_delay
    try:
        delay.sign.put(-1)
        for wanted in (-500.0, 10_100.0, 10_150.5):
            delay.set(wanted).wait(WAIT)
            assert made_ps() == pytest.approx(-wanted, abs=0.1)
            assert delay.position == pytest.approx(wanted, abs=0.1) and delay.target == pytest.approx(wanted, abs=0.1)
        low, high = delay.limits
        assert low == pytest.approx(-T0_NS * 1e3) and high > 1e6
        with pytest.raises(LimitError, match=r"needs -30\.220 ns"):
            delay.check_value(-200_000.0)
        with pytest.raises(ValueError, match="is 1, or -1"):
            delay.sign.put(0)
    finally:
        delay.sign.put(1)
        delay.set(100.0).wait(WAIT)
