"""Phases, bunches and slots against the definition, spelt out crossing by crossing."""

from __future__ import annotations

import numpy as np
import pytest

from reduction.counting.phases import Pattern


@pytest.mark.parametrize(("bunches", "divider", "first"), [(24, 5, 0), (24, 5, 3), (324, 4, 1), (6, 4, 2)])
def test_phases_follow_the_crossings(bunches, divider, first):
    pattern = Pattern(bunches, divider, first, 6.5e6)
    seen = []
    since_pump = -first % divider
    for crossing in range(3 * bunches * divider):
        seen.append((crossing % bunches, since_pump))
        since_pump = (since_pump + 1) % divider
    period = next(n for n in range(1, len(seen)) if seen[n:] == seen[:-n])
    assert pattern.num_phases == period
    assert pattern.bunch_of_phase().tolist() == [bunch for bunch, _ in seen[:period]]
    assert pattern.slot_of_phase().tolist() == [slot for _, slot in seen[:period]]
    assert pattern.slots_share_bunches == (len({b for b, s in seen if s == 0}) == bunches)


def test_probe_delays_of_the_experiment():
    pattern = Pattern(24, 5, 0, 351.933984e6 * 24 / 1296)
    np.testing.assert_allclose(pattern.probe_delays(10_100)[:2] / 1000, [10.1, 163.538], atol=1e-3)
    assert pattern.probe_delays(-1000).argmax() == 0


def test_impossible_patterns_are_refused():
    for values in ((0, 5, 0, 1.0), (24, 0, 0, 1.0), (24, 5, 0, 0.0)):
        with pytest.raises(ValueError, match="must be"):
            Pattern(*values)
