"""The search for the overlap of laser and X-rays: a grid, then around it; settings survive an end at any message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from bluesky import RunEngine

from plans.commissioning.overlap import find_overlap
from plans.protocols import MissingRoleError
from tests.plans.conftest import Documents
from tests.plans.fakes import FakeSignal
from tests.plans.interrupt import interrupted_run
from tests.plans.test_findings import Found, cold, outcome


class Spots:
    """Judges overlaps: the spot is where it was told, closer with every call."""

    def __init__(self) -> None:
        self.rows = list[Sequence[Mapping[str, Any]]]()

    def __call__(self, rows: Sequence[Mapping[str, Any]], conditions: Mapping[str, float]) -> Found:
        self.rows.append(list(rows))
        error = 5.0 / len(self.rows)
        numbers = {"along": (12.0, error), "across": (-7.0, error), "significance": (20.0, 0.0)}
        numbers |= {"width_along_um": (40.0, 1.0), "width_across_um": (50.0, 1.0)}
        return Found(12.0, name="overlap", numbers=numbers, settings={"along": 12.0, "across": -7.0}, stddev=error)


def test_the_overlap_is_looked_for_on_a_grid_and_then_around_it(engine: RunEngine, documents: Documents) -> None:
    """Positions, energy and delay come back; both motors are set where both spots meet."""
    soft, used, _ = cold()
    with pytest.raises(MissingRoleError, match="laser cannot be steered"):
        engine(find_overlap(used, Spots()))
    for low, high in ((-200.0, 100.0), (-100.0, 200.0)):
        motors = [FakeSignal(name, soft.notes, 0.0, low, high) for name in ("along", "across")]
        used = replace(used, laser_steering=motors)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="along cannot go to"):
            engine(find_overlap(used, Spots(), reach=150.0))
        assert not soft.sets("along")
    judge = Spots()
    engine(find_overlap(used, judge, apply=True))
    places, closer = ([(row["along"], row["across"]) for row in rows] for rows in judge.rows[:2])
    assert len(set(places)) == 25 and max(places) == (80.0, 80.0) and (12.0 - 0.6 * 40.0, -7.0) in closer
    assert all(row["laser_on"] == 1 for row in judge.rows[1])
    assert [each.value for each in motors] == [12.0, -7.0]
    assert outcome(documents)["finding_outcome"] == "set"
    assert (soft.energy.value, soft.delay.value, soft.shutter.value) == (13.45, 0.0, 0)


@pytest.mark.parametrize("number", [3, pytest.param(80, marks=pytest.mark.long)])
def test_a_search_with_the_laser_on_ended_at_a_message_drawn_by_lot(number: int) -> None:
    """Motors, energy, delay and laser are as before, or the motors where both spots meet."""

    def run(at: int | None) -> tuple[int, list[float]]:
        soft, used, _ = cold()
        motors = [FakeSignal(name, soft.notes, 0.0, -100.0, 100.0) for name in ("along", "across")]
        used = replace(used, laser_steering=motors)  # type: ignore[arg-type]
        engine = RunEngine({}, call_returns_result=True, context_managers=[])
        plan = find_overlap(used, Spots(), apply=True, target=10.0)
        count, _ = interrupted_run(engine, plan, lambda index, msg: index == at)
        assert (soft.energy.value, soft.delay.value, soft.shutter.value) == (13.45, 0.0, 0)
        return count, [each.value for each in motors]

    whole, _ = run(None)
    for at in np.random.default_rng(number).choice(whole, number, replace=False):
        _, left = run(int(at))
        assert left in ([0.0, 0.0], [12.0, -7.0]), f"message {at}"
