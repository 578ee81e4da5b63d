"""Time zero by plan and reduction together, on a counter that counts by the forward model: no Channel Access."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from bluesky import RunEngine

from plans.commissioning.time_zero import find_time_zero
from reduction.documents.findings import Judges
from sim_ioc.physics.truth import ForwardModel
from sim_ioc.scenario.scenario import load_scenario
from tests.plans.fakes import FakeSignal
from tests.plans.test_findings import cold

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
