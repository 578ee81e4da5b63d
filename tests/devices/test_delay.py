"""Pump-probe delay: sign, limits, fine phase, and a generator that goes elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import epics
import pytest
from ophyd.utils import LimitError

from beamline.build import Beamline
from devices.delay import LaserDelay
from tests.devices.builds import record, until
from tests.devices.conftest import SOFT, Make

WAIT = 20.0
T0_NS = 169.78
GENERATOR, MADE = "sim:7idd:DG1:ADelayAO", "sim:7idd:DG1:ADelayAI"
FINE = "sim:7idd:digDelay1:delay"


@pytest.fixture
def fine_phase(sim: Beamline) -> Iterator[None]:
    """A fine phase of 50 ps, for one test."""
    put_fine(sim, 50.0)
    yield
    put_fine(sim, 0.0)


def put_fine(sim: Beamline, picoseconds: float) -> None:
    epics.caput(FINE, picoseconds, wait=True)
    until(lambda: sim.laser_delay.fine.get() == picoseconds, "the fine phase has followed")


@pytest.mark.parametrize("delay", [-500.0, 0.0, 100.0, 10_100.0, 163_500.0])
def test_delay_is_t0_minus_generator(sim: Beamline, delay: float) -> None:
    """A later probe is an earlier pump: the generator runs backwards."""
    sim.laser_delay.set(delay).wait(WAIT)
    assert record(GENERATOR) * 1e9 == pytest.approx(T0_NS - delay * 1e-3, abs=1e-6)
    assert sim.laser_delay.position == pytest.approx(delay, abs=5.0)  # the generator has steps of 5 ps
    assert sim.laser_delay.read()["laser_delay"]["value"] == pytest.approx(delay, abs=5.0)


def test_the_fine_phase_adds_to_the_delay(sim: Beamline, fine_phase: None) -> None:
    assert sim.laser_delay.position == pytest.approx(T0_NS * 1e3 - record(MADE) * 1e12 + 50, abs=1e-6)
    sim.laser_delay.set(100.0).wait(WAIT)
    assert record(GENERATOR) * 1e9 == pytest.approx(T0_NS - 0.050, abs=1e-6)
    assert sim.laser_delay.position == pytest.approx(100.0, abs=5.0)


def test_another_t0_moves_the_origin(sim: Beamline) -> None:
    sim.laser_delay.set(100.0).wait(WAIT)
    sim.laser_delay.t0.put(T0_NS * 1e-9 + 30e-12)
    assert sim.laser_delay.position == pytest.approx(130.0, abs=5.0)
    sim.laser_delay.set(100.0).wait(WAIT)
    assert record(GENERATOR) * 1e9 == pytest.approx(T0_NS - 0.1 + 0.03, abs=1e-6)


# The simulated generator goes from 0 to 2 us, that of the soft server from 0 to 1 us.
@pytest.mark.parametrize("delay", [169_781.0, -1_830_221.0, 1e9, float("nan"), float("-inf")])
def test_a_delay_out_of_reach_is_refused_before_anything_is_sent(sim: Beamline, delay: float) -> None:
    before = record(GENERATOR)
    for attempt in (sim.laser_delay.check_value, sim.laser_delay.set):
        with pytest.raises(LimitError, match=r"^laser_delay: .* ps needs .* of sim:7idd:DG1:ADelayAO, .* 0 to 2000 ns"):
            attempt(delay)
    assert record(GENERATOR) == before


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
    delay.timeout.put(0.3)
    with pytest.raises(TimeoutError, match=r"^probe did not go to 200 ps within 0\.3 s"):
        delay.set(200.0).wait(WAIT)


def test_subscribers_are_told_the_delay(soft: Make) -> None:
    delay = soft(LaserDelay, "delay:", fine_prefix="delay:")
    seen: list[float] = []
    delay.delay.subscribe(lambda value, **_: seen.append(value), run=False)
    delay.set(300.0).wait(WAIT)
    delay.set(400.0).wait(WAIT)
    until(lambda: bool(seen) and seen[-1] == pytest.approx(400.0, abs=1e-3), "the delay is told")
