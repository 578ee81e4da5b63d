"""Time zero by plan and reduction together, on a counter that counts by the forward model: no Channel Access."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from bluesky import RunEngine

from plans.commissioning.time_zero import find_time_zero, known_lifetime
from reduction.documents.findings import Judges
from sim_ioc.physics.truth import ForwardModel
from sim_ioc.scenario.scenario import load_scenario
from tests.plans.fakes import FakeSignal
from tests.plans.interrupt import interrupted_run
from tests.plans.test_findings import Onsets, cold

DWELL, START = 4.0, 169.78e-9
PS = 1e12


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 7))
def test_time_zero_is_found_set_and_confirmed_whatever_the_bunch(engine: RunEngine, seed: int) -> None:
    model, rng = ForwardModel(load_scenario()), np.random.default_rng(seed)
    soft, used, _ = cold()
    t0 = FakeSignal("t0", soft.notes, START)
    true = START + rng.uniform(-0.9, 2.9) * model.bunch_period_ps / PS
    gates = int(model.bunch_rate_hz / model.num_phases * DWELL)

    def counted() -> dict[str, Any]:
        generator = t0.value - soft.delay.value / PS
        mu = model.mu(13.472, PS * (true - generator), 8.8, bool(soft.shutter.value))
        hits = rng.binomial(gates, 1 - np.exp(-mu * (1 + 0.01 * rng.standard_normal())))
        return {
            "fpga_counts": (hits.astype(np.int32), ""),
            "fpga_gates": (np.full(model.num_phases, gates, np.int32), ""),
            "laser_phase": (0, ""),
        }

    counter, i0 = soft.counters
    counter.values = counted  # type: ignore[method-assign]
    i0.values = lambda: {"i0": (DWELL * 1e6, ""), "i0_time": (DWELL, "")}  # type: ignore[method-assign]
    soft.timing.num_bunches.value, soft.timing.laser_rate.value = model.num_bunches, model.laser_rate_hz
    used = replace(used, time_zero=t0, instruments=soft.instruments())  # type: ignore[arg-type]
    found = engine(find_time_zero(used, Judges(i0_least=2e4).time_zero, True, target=5.0, dwell=DWELL)).plan_result
    assert found.verdict == "good", found.reason
    period = model.divider * model.bunch_period_ps
    off = (found.value - PS * true + 0.5 * period) % period - 0.5 * period
    assert abs(off) < 4.5 * found.stddev < 30.0
    assert abs(PS * t0.value - found.value) < 30.0 and t0.value != START


class Lit(Onsets):
    """Judges time zero and sees the light of the laser between two delays, closer with every count."""

    def light(self, rows: Sequence[Mapping[str, Any]], conditions: Mapping[str, float]) -> Any:  # type: ignore[override]
        dark = [row for row in rows if row["of_light"]]
        onset = SimpleNamespace(low=self.middle - 50.0, high=self.middle + 50.0, sign=1)
        wide = 0.5 ** len(dark) * conditions["spacing_ps"]
        return SimpleNamespace(early=self.middle - wide, late=self.middle + wide, onset=onset) if dark else None


@pytest.mark.parametrize("number", [4, pytest.param(120, marks=pytest.mark.long)])
def test_a_search_with_the_xrays_shut_ended_at_a_message_drawn_by_lot(number: int) -> None:
    """Both shutters, gate, energy, delay and fluence are as before; t0 too, or as found."""

    def run(at: int | None) -> tuple[int, float]:
        soft, used, _ = cold()
        t0 = FakeSignal("t0", soft.notes, START)
        engine = RunEngine({}, call_returns_result=True, context_managers=[])
        plan = find_time_zero(
            replace(used, time_zero=t0), Lit(1000.0, looks=2), True, fluence=12.0, most_passes=1, dwell=1.0
        )  # type: ignore[arg-type]
        count, _ = interrupted_run(engine, plan, lambda index, msg: index == at)
        gate = [getattr(soft.counters[0], name).value for name in ("gate_delay", "gate_width")]
        assert gate == [77, 6] and (soft.xray_shutter.value, soft.shutter.value) == (1, 0), f"message {at}"
        assert (soft.energy.value, soft.delay.value, soft.fluence.value) == (13.45, 0.0, 8.8), f"message {at}"
        assert at is not None or soft.sets("xray_shutter") == [0, 1] * (len(soft.sets("xray_shutter")) // 2) != []
        return count, float(t0.value)

    whole, found = run(None)
    assert found == 169.88e-9
    for at in np.random.default_rng(number).choice(whole, number, replace=False):
        _, left = run(int(at))
        assert left in (START, found), f"message {at}"


def test_a_lifetime_has_an_error() -> None:
    with pytest.raises(ValueError, match=r"^lifetime takes a value and its error in ps"):
        known_lifetime([120.0])
    with pytest.raises(ValueError, match=r"^lifetime must be above 0 ps"):
        known_lifetime([120.0, 0.0])
