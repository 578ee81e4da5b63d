"""The table of a quick count: limits where there is nothing to average."""

from __future__ import annotations

import math

import numpy as np
import pytest

from beamline.app.count import count_table
from beamline.config.devices import Roles

GATES = 1000


def shown(hits: np.ndarray) -> list[str]:
    """The value of each slot, for 10 phases and a laser at every fifth bunch."""
    gates = np.full(10, GATES)
    table = count_table(
        {"fpga_counts": hits, "fpga_gates": gates, "laser_phase": 0}, Roles(i0="i0", counters=("fpga",)), 5
    )
    return [str(cell) for cell in table.columns[1].cells][1:]


def test_a_slot_without_hits_shows_an_upper_limit_and_a_full_one_a_lower_limit() -> None:
    """Limits that 15.87 % of the repeats would miss, beyond one standard deviation of a normal distribution."""
    hits = np.full(10, 100)
    hits[[1, 6]] = 0
    hits[2] = GATES
    slots = shown(hits)
    assert float(slots[0]) == pytest.approx(-math.log(0.9), abs=1e-4)
    above = float(slots[1].removeprefix("< "))
    assert math.exp(-above * 2 * GATES) == pytest.approx(0.1587, rel=0.02)
    below = 2 * float(slots[2].removeprefix("> ")) + math.log(0.9)  # of the phase that is full
    assert (1 - math.exp(-below)) ** GATES == pytest.approx(0.1587, rel=0.3)
