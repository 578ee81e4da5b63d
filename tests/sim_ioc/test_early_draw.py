"""Results that are drawn before a dwell is over are those of the dwell, whatever happens in its second half."""

from __future__ import annotations

import numpy as np

from sim_ioc.instruments.early_draw import EarlyDraw
from sim_ioc.physics.world import World
from sim_ioc.scenario.scenario import load_scenario
from sim_ioc.timebase.clock import SimulatedClock


def world() -> World:
    return World(load_scenario(), SimulatedClock())


def test_an_undisturbed_window_is_drawn_once() -> None:
    beamline, drawn = world(), []
    ahead = EarlyDraw(lambda start, end: drawn.append((start, end)) or len(drawn), beamline.changes)
    ahead.prepare(1.0, 3.0)
    assert ahead.result(1.0, 3.0) == 1
    assert ahead.result(1.0, 3.0) == 2, "a result is given once"
    assert drawn == [(1.0, 3.0)] * 2


def test_a_shorter_window_is_drawn_anew() -> None:
    ahead = EarlyDraw(lambda start, end: (start, end), lambda: 0)
    ahead.prepare(1.0, 3.0)
    assert ahead.result(1.0, 2.5) == (1.0, 2.5)


def test_a_shutter_that_closes_after_the_drawing_is_in_the_counts() -> None:
    """Shut for the last quarter of the window: a quarter of the hits is missing, background counts apart."""
    beamline = world()
    ahead = EarlyDraw(beamline.photon_counts, beamline.changes)
    ahead.prepare(10.0, 14.0)
    whole = ahead.result(10.0, 14.0).counts.sum()
    ahead.prepare(20.0, 24.0)
    beamline.xray_open.set(23.0, False)
    cut = ahead.result(20.0, 24.0)
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
