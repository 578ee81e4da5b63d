"""Values by hand of ratios, gates, phases, derivatives and what is said of a transient that is not seen."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from reduction.diffraction.peaks import Peak
from reduction.diffraction.phases import CELLS, Phase, _split
from reduction.findings.gate import GateScan, Pulse, _spare
from reduction.findings.onset import AllowedOnset
from reduction.findings.time_zero import _why_no_transient
from reduction.references.relative import weights_of_on_off
from reduction.thermal.criterion import derivative_area


def test_a_ratio_of_three_halves_changes_with_either_rate() -> None:
    """(3 / 2 - 1): by -3 / 4 with the 2, by 1 / 2 with the 3."""
    assert weights_of_on_off(np.array([2.0, 3.0])[:, None, None]).ravel() == pytest.approx([-0.75, 0.5])


def test_time_to_spare_is_that_on_the_narrower_side() -> None:
    """A pulse from 96 to 104 ns; gates of five ticks of 4 ns that open at 92 to 96 ns, and at 88 to 92 ns."""
    none = np.empty(0)
    scan = GateScan(none, none, none, 5, 4.0, 4.0, 100.0, none, none, 0.0)
    pulse = Pulse(96.0, 8.0, 0.2, 0.01)
    assert [_spare(scan, pulse, 100.0, delay, 5) for delay in (23, 22, 21)] == pytest.approx([0.0, 4.0, 0.0])


@pytest.mark.parametrize(
    ("allowed", "said"),
    [
        (None, "anywhere in its period"),
        (AllowedOnset(-500.0, 500.0, 0), "within 0.5 ns."),
        (AllowedOnset(100.0, 1600.0, 1), "within 1.5 ns of it."),
    ],
)
def test_where_a_transient_was_looked_for_is_given_in_nanoseconds(allowed: Any, said: str) -> None:
    scan: Any = SimpleNamespace(allowed=allowed)
    assert said in _why_no_transient(scan, SimpleNamespace(significance=1.0))  # type: ignore[arg-type]


@pytest.mark.parametrize(("away", "possible"), [(0.5, ("b",)), (1.5, ())])
def test_a_line_splits_as_a_phase_does_within_the_spread_of_its_cells(away: float, possible: tuple[str, ...]) -> None:
    """Lines 1 % apart at 2 / A, a third of the height in the first one, known without any error."""
    apart = 0.02 * (1 + away * CELLS)
    first, second = (Peak(at, 0.0, 0.01, 0.0, height, 0.0) for at, height in ((2.0, 1.0), (2.0 + apart, 2.0)))
    found = _split([first, second], 2.0, {"a": Phase(0.0, 0.0), "b": Phase(0.01, 1 / 3)})
    assert found.possible == possible and found.splitting == pytest.approx(apart)


def test_the_area_between_derivatives_is_over_all_that_both_have() -> None:
    """Of e^2 and e from 1 to 2: the integral of |2 e / 3 - 1| is 1 / 6."""
    energy = np.linspace(1.0, 2.0, 11)
    assert derivative_area(energy, energy**2, energy, energy, 0.0) == pytest.approx(1 / 6, rel=2e-3)
