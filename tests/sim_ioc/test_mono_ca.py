"""The simulated monochromator over real Channel Access."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.helpers.ioc_process import StartIoc
from tests.sim_ioc.ca import ENERGY, MOVING, READBACK, Channels, Record, move
from tests.sim_ioc.conftest import STEADY


def test_a_put_is_complete_before_the_axis_arrives(start_ioc: StartIoc) -> None:
    channels = Channels(start_ioc(STEADY, speedup=10.0))
    record = Record(channels, MOVING, READBACK)
    channels.put(ENERGY, 13.460)  # 10 eV at 20 eV/s and 0.1 s to settle: 0.6 s, 60 ms of wall time
    assert channels.get(MOVING) == 1
    assert channels.get(READBACK) < 13.459
    record.wait_for(MOVING, 1)
    channels.wait(MOVING, lambda moving: moving == 0)
    record.wait_for(READBACK, channels.get(READBACK))  # the monitor of the last one may come after it was asked for
    values = record.values(READBACK)
    assert len(values) >= 2
    assert np.all(np.diff(values) > 0)
    assert channels.get(READBACK) == pytest.approx(13.460, abs=6e-5)
    record.close()
    channels.close()


def test_repeatability_is_that_of_the_scenario(steady: Channels) -> None:
    off = []
    for i in range(40):
        move(steady, 13.450 + 0.001 * (i % 2))
        off.append(steady.get(READBACK) - steady.get(ENERGY))
    assert np.std(off) == pytest.approx(1e-5, rel=5 / math.sqrt(80))


def test_manual_mode_waits_for_the_put_button(steady: Channels) -> None:
    steady.put("7ida:KohzuModeBO", "Manual")
    steady.put(ENERGY, 13.5)
    assert steady.get(MOVING) == 0
    assert steady.get(READBACK) == pytest.approx(13.45)
    record = Record(steady, MOVING)
    steady.put("7ida:KohzuPutBO", 1)
    record.wait_for(MOVING, 1)
    record.wait_for(MOVING, 0)
    record.close()
    assert steady.get(READBACK) == pytest.approx(13.5, abs=6e-5)
    assert steady.get("7ida:KohzuPutBO") == 0


def test_angle_and_energy_follow_each_other(steady: Channels) -> None:
    # Bragg's law with the lattice constant of diamond, 3.56683 A
    angle = math.degrees(math.asin(12.398419843 * math.sqrt(3) / (2 * 3.56683 * 13.5)))
    move(steady, 13.5)
    assert steady.get("7ida:BraggThetaAO") == pytest.approx(angle, abs=1e-9)
    assert steady.get("7ida:BraggThetaRdbkAO") == pytest.approx(angle, abs=1e-4)
    steady.put("7ida:BraggThetaAO", angle + 0.01)
    steady.wait(MOVING, lambda moving: moving == 0)
    assert steady.get(READBACK) < 13.49
    assert steady.get(ENERGY) == pytest.approx(
        13.5 * math.sin(math.radians(angle)) / math.sin(math.radians(angle + 0.01))
    )


def test_a_new_target_in_flight_is_taken_from_where_the_axis_is(start_ioc: StartIoc) -> None:
    channels = Channels(start_ioc(STEADY, speedup=10.0))
    channels.put(ENERGY, 13.55)  # 5 s away
    channels.wait(READBACK, lambda energy: energy > 13.452)
    channels.put(ENERGY, 13.45)
    channels.wait(MOVING, lambda moving: moving == 0)
    assert channels.get(READBACK) == pytest.approx(13.45, abs=6e-5)
    channels.close()


def test_backlash_shifts_the_spectrum_when_coming_from_above(start_ioc: StartIoc) -> None:
    exact = STEADY | {"monochromator": {"repeatability_eV": 0.0}, "detector": {"afterpulse": 0.0}}
    channels = Channels(start_ioc(exact))

    def hits(energy_keV: float) -> float:
        move(channels, energy_keV)
        return float(channels.acquire(30.0)["Counts"].sum())

    from_below = hits(13.470)
    move(channels, 13.480)
    from_above = hits(13.470)
    assert channels.get(READBACK) == pytest.approx(13.470, abs=1e-9)
    move(channels, 13.460)
    again = hits(13.470)
    there = hits(13.4703)
    assert again == pytest.approx(from_below, rel=6e-4)  # 3e7 hits: 2e-4 each
    assert from_above == pytest.approx(there, rel=1e-3)
    assert from_above / from_below > 1.04
    channels.close()
