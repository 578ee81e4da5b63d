"""The trajectory of a sweep: speed by region, run-up, frames; compiled without any device."""

from __future__ import annotations

import numpy as np
import pytest

from plans.compilation.estimate import pass_durations
from plans.compilation.sweep import RUN_UP, sweep_over
from plans.protocols import MoveTimes
from plans.scans.continuous import compiled_continuous_scan

GRID = [13.450, 13.455, 13.460, 13.461, 13.462, 13.463]


def test_each_region_has_its_own_speed():
    sweep = sweep_over(GRID, 0.5, 0.1)
    assert sweep.energies[1:-1] == pytest.approx(GRID)
    assert sweep.energies[0] == pytest.approx(13.450 - 0.005 - RUN_UP)  # a step and the run-up
    assert sweep.energies[-1] == pytest.approx(13.464)
    speeds = np.diff(sweep.energies) / sweep.times * 1e3  # eV/s
    assert speeds[:2] == pytest.approx(10)  # 5 eV in 0.5 s
    assert speeds[2] == pytest.approx(6)  # five times as wide as the step beside it: 5/3 of the time
    assert speeds[3:] == pytest.approx(2)
    assert sweep.frames * 0.1 >= sweep.seconds


def test_a_pass_is_an_event_a_sweep_and_its_time_is_that_of_the_trajectory():
    compiled = compiled_continuous_scan(energies=GRID, dwell=0.5, pattern=(1, 0, 0, 1), passes=2, **WINDOWS)
    assert [one.start["num_events"] for one in compiled.passes] == [4, 4]
    assert compiled.passes[0].start["frame"] == 0.1
    assert compiled.passes[0].dwells() == 4
    first = pass_durations(compiled, MoveTimes(energy_speed=0.02, energy_settle=0.1))[0]
    sweep = compiled.passes[0].sweep
    assert sweep is not None
    assert first.dwells == pytest.approx(4 * sweep.seconds)
    back = (sweep.energies[-1] - sweep.energies[0]) / 0.02
    assert first.axes == pytest.approx(3 * back + 4 * 0.1)  # from where it is there is no travel known


WINDOWS = {"settings": {"pre_edge": (13.45, 13.4551), "integral": (13.4599, 13.463)}}
