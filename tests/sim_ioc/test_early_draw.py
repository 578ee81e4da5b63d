"""Results that are drawn before a dwell is over are those of the dwell, whatever happens in its second half."""

from __future__ import annotations

from asyncio import get_running_loop, run
from threading import Event

import numpy as np
import pytest

from sim_ioc.instruments.early_draw import EarlyDraw
from sim_ioc.physics.world import World
from sim_ioc.scenario.scenario import load_scenario
from sim_ioc.timebase.clock import SimulatedClock


def world() -> World:
    return World(load_scenario(), SimulatedClock())


def test_an_undisturbed_window_is_drawn_once() -> None:
    beamline, drawn = world(), []
    ahead = EarlyDraw(lambda start, end: drawn.append((start, end)) or len(drawn), beamline.changes)
    run(ahead.prepare(1.0, 3.0))
    assert run(ahead.result(1.0, 3.0)) == 1
    assert run(ahead.result(1.0, 3.0)) == 2, "a result is given once"
    assert drawn == [(1.0, 3.0)] * 2


def test_a_shorter_window_is_drawn_anew() -> None:
    ahead = EarlyDraw(lambda start, end: (start, end), lambda: 0)
    run(ahead.prepare(1.0, 3.0))
    assert run(ahead.result(1.0, 2.5)) == (1.0, 2.5)


@pytest.mark.parametrize("prepared", [True, False], ids=["prepared", "stopped before"])
def test_the_server_goes_on_while_kernels_are_loaded(prepared: bool) -> None:
    """They are loaded once, and before the first draw."""
    went_on, done = Event(), list[str]()

    def load() -> None:
        done.append("loaded" if went_on.wait(5.0) else "the server stood still")

    async def dwell(prepared: bool) -> None:
        get_running_loop().call_soon(went_on.set)
        if prepared:
            await ahead.prepare(1.0, 2.0)
        await ahead.result(1.0, 2.0)

    ahead = EarlyDraw(lambda start, end: done.append("drawn"), lambda: 0, load)
    run(dwell(prepared))
    run(dwell(prepared))
    assert done == ["loaded", "drawn", "drawn"]


def test_a_shutter_that_closes_after_the_drawing_is_in_the_counts() -> None:
    """Shut for the last quarter of the window: a quarter of the hits is missing, background counts apart."""
    beamline = world()
    ahead = EarlyDraw(beamline.photon_counts, beamline.changes)
    run(ahead.prepare(10.0, 14.0))
    whole = run(ahead.result(10.0, 14.0)).counts.sum()
    run(ahead.prepare(20.0, 24.0))
    beamline.xray_open.set(23.0, False)
    cut = run(ahead.result(20.0, 24.0))
    assert abs(cut.counts.sum() / whole - 0.75) < 5 * np.sqrt(1 / cut.counts.sum() + 1 / whole) + 0.03  # jet: 1 % rms
    assert cut.gates.sum() > 0


def test_everything_that_can_be_set_counts_as_a_change() -> None:
    beamline = world()
    before = beamline.changes()
    settable = ("xray_open", "laser_open", "delay_ps", "fluence_mJ_cm2", "energy_keV", "threshold_mV", "gate")
    for number, name in enumerate(settable, start=1):
        timeline = getattr(beamline, name)
        timeline.set(1.0, timeline.at(1.0))
        assert beamline.changes() == before + number, name
