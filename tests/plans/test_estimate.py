"""Estimated durations of scans, against a stopwatch that follows their messages."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from bluesky import RunEngine
from bluesky.utils import MsgGenerator

from beamline.config.models import load
from devices.instruments.fluence import malus_angle
from plans.compilation.compiled_scan import CompiledScan
from plans.compilation.estimate import pass_durations, return_duration
from plans.compilation.positions import Position
from plans.protocols import MoveTimes
from plans.scans.background import background_run, compiled_background_scan
from plans.scans.delay import compiled_delay_scan, delay_scan
from plans.scans.energy import compiled_delay_series, compiled_energy_scan, delay_series, energy_scan
from plans.scans.fluence import compiled_fluence_scan, fluence_scan
from sim_ioc.instruments.laser import WAVE_PLATE_DEG_S
from sim_ioc.scenario.scenario import load_scenario
from tests.plans.conftest import Documents
from tests.plans.fakes import Bench
from tests.plans.stopwatch import Stopwatch

WITHOUT_MESSAGES = replace(MoveTimes(), message=0.0, dwell=0.0, run=0.0)
Plan = Callable[..., MsgGenerator[str]]
Compile = Callable[..., CompiledScan]

SCANS: list[tuple[Plan, Compile, dict[str, Any]]] = [
    (energy_scan, compiled_energy_scan, {"dwell": 1.0}),
    (energy_scan, compiled_energy_scan, {"edge": ("Br_K", "Pb_L3"), "passes": 2, "dwell": 0.1, "pattern": (0, 1)}),
    (energy_scan, compiled_energy_scan, {"passes": 3, "dwell": 0.1, "order": "alternating"}),
    (energy_scan, compiled_energy_scan, {"passes": 2, "dwell": 0.1, "order": "random", "scan_set": "mine"}),
    (delay_series, compiled_delay_series, {"delays": [100, 10_100], "passes": 2, "dwell": 0.5}),
    (energy_scan, compiled_energy_scan, {"dwell": 0.5, "monitor_energies": [13.455, 13.485], "monitor_share": 0.1}),
    (delay_scan, compiled_delay_scan, {"energies": [13.4675, 13.472], "passes": 2, "dwell": 0.1}),
    (fluence_scan, compiled_fluence_scan, {"passes": 2, "dwell": 0.1, "pattern": (1, 0)}),
    (background_run, compiled_background_scan, {"dwell": 1.0, "repeats": 2}),
]


@pytest.mark.parametrize(("plan", "compiled", "arguments"), SCANS, ids=lambda each: str(getattr(each, "__name__", "")))
def test_the_estimate_is_right_to_five_per_cent(
    soft: Bench, plan: Plan, compiled: Compile, arguments: dict[str, Any]
) -> None:
    """The stopwatch does not know the initial fluence, so does not restore it; the estimate has only its settling."""
    compiled_scan = compiled(**arguments)
    estimated = [
        *pass_durations(compiled_scan, WITHOUT_MESSAGES),
        return_duration(compiled_scan, WITHOUT_MESSAGES, 1.0, None),
    ]
    taken = Stopwatch(plan(soft.instruments(), **arguments))
    assert sum(each.dwells for each in estimated) == pytest.approx(taken.dwells)
    assert sum(each.total for each in estimated) == pytest.approx(taken.total, rel=0.05)


def test_where_the_axes_stand_counts() -> None:
    """From one edge to the other the drive goes 450 eV at 20 eV/s."""
    compiled_scan = compiled_energy_scan("Br_K", dwell=0.1)
    near, far = (
        pass_durations(compiled_scan, MoveTimes(), start=Position(0, energy))[0].axes for energy in (13.449, 13.0)
    )
    assert far - near == pytest.approx(449 / 20)


def test_the_way_to_the_first_point_is_in_the_start_document(
    soft: Bench, engine: RunEngine, documents: Documents
) -> None:
    """The drive stands 1 keV away; an axis that reads no number is at an unknown position."""
    for energy in (13.45, 12.45, math.nan):
        soft.energy.value = energy
        engine(energy_scan(soft.instruments(), energies=[13.46, 13.47], dwell=1.0))
    near, far, unknown = (start["estimated_time"] for start in documents.all("start"))
    assert far - near == pytest.approx(1 / 0.02)
    assert near - unknown == pytest.approx(0.009 / 0.02)  # to the place from which the first point is approached


def test_the_estimate_includes_restoring_the_fluence() -> None:
    """8 mJ/cm2 at 8 mJ/cm2 a second, and settling."""
    compiled_scan, times = compiled_fluence_scan(fluences=[1.0, 9.0]), WITHOUT_MESSAGES
    assert return_duration(compiled_scan, times, 1.0, Position(0, fluence=1.0)).total == pytest.approx(1.1)
    assert return_duration(compiled_scan, times, 1.0, None).total == pytest.approx(0.1)
    assert return_duration(compiled_energy_scan(), times, 1.0, Position(0, 12.0)).total == 0


def test_messages_cost_more_beamline_time_on_a_fast_clock() -> None:
    compiled_scan = compiled_energy_scan(energies=[13.46, 13.47], dwell=1.0)
    slow, fast = (pass_durations(compiled_scan, MoveTimes(), rate)[0] for rate in (1.0, 101.0))
    assert fast.messages == pytest.approx(101 * slow.messages)
    assert pass_durations(compiled_scan, MoveTimes())[0] == slow
    assert (fast.dwells, fast.axes, fast.shutters) == (slow.dwells, slow.axes, slow.shutters)
    assert 0.04 < slow.messages < 0.6  # a run of 8 dwells, some ms of wall time each


def test_the_estimate_with_a_stopping_rule_is_the_longest_duration() -> None:
    compiled_scan = compiled_energy_scan(energies=[13.46, 13.47], dwell=1.0, target=1e-2, longest=9.0)
    assert pass_durations(compiled_scan, MoveTimes())[0].dwells == 2 * 8.0  # two whole patterns of 4 s within 9 s


def test_the_configuration_of_the_simulator_has_its_speeds() -> None:
    """What the estimate reckons with is in the configuration, and right for the instruments it is about."""
    times, truth = load("simulated").times, load_scenario("default")
    assert times.energy_speed * 1e3 == truth.monochromator.speed_eV_s
    assert times.energy_settle == truth.monochromator.settle_s
    assert times.laser_shutter == truth.laser.shutter_travel_s
    assert times.xray_shutter == truth.ring.xray_shutter_travel_s
    positions = [0.5, 3.0, 6.0, 9.0, 12.4]
    angles = [malus_angle(value / truth.laser.highest_fluence_mJ_cm2) for value in positions]
    turning = np.abs(np.diff(angles)) / WAVE_PLATE_DEG_S
    assert np.abs(np.diff(positions)).sum() / times.fluence_speed == pytest.approx(turning.sum(), rel=0.1)
