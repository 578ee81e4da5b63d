"""Findings and chains of them, aborted at any message: settings are those before, or those that were confirmed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from bluesky.utils import MsgGenerator

from plans.commissioning.threshold import find_threshold
from tests.plans.at_once import AtOnce
from tests.plans.cold_beamline import STEPS, ColdBeamline
from tests.plans.test_cold_starts import FEW, cold
from tests.plans.test_findings import Found, Judge
from tests.plans.test_findings import cold as cold_bench
from tests.plans.test_findings import settings as settings_of


def chain(one: ColdBeamline, steps: Sequence[str], ended: list[dict[str, Any]]) -> MsgGenerator[None]:
    """Several findings one after the other, with what is set after each."""
    ended.append(settings(one))
    for step in steps:
        yield from one.plan(step, **({"thresholds": FEW["thresholds"]} if step == "threshold" else {}))
        ended.append(settings(one))


def settings(one: ColdBeamline) -> dict[str, Any]:
    """All that findings set or move; the energy returns within its repeatability."""
    axes = (
        one.crystal, one.threshold, one.counter.gate_delay, one.counter.gate_width, one.filters, one.lens, one.along,
        one.across, *one.blades, one.foil_stage, one.t0, one.sign, one.fluence, one.shutter, one.xrays, one.energy,
    )  # fmt: skip
    return {axis.name: axis.value for axis in axes}


@pytest.mark.parametrize(
    ("steps", "number"),
    [(("crystal", "threshold"), 4), pytest.param(tuple(STEPS), 12, marks=pytest.mark.long)],
)
def test_findings_ended_at_any_message_leave_what_was_set_before(steps: Sequence[str], number: int) -> None:
    """Aborted at messages drawn by lot, all settings are those before the finding that was aborted, or after it."""
    whole, all_ended = AtOnce(lambda _: None), list[dict[str, Any]]()
    whole(chain(cold(8), steps, all_ended))
    assert len({tuple(each.items()) for each in all_ended}) == len(steps) + 1
    for at in np.random.default_rng(8).integers(0, whole.messages, number):
        one, ended = cold(8), list[dict[str, Any]]()
        AtOnce(lambda _: None, abort_at=int(at))(chain(one, steps, ended))
        assert settings(one) in (ended[-1], all_ended[len(ended)]), f"message {at}"


def test_a_finding_ended_at_each_message_leaves_what_was_set_before() -> None:
    def threshold(at: int | None) -> tuple[int, tuple[Any, ...]]:
        soft, used, signal = cold_bench()
        run = AtOnce(lambda _: None, abort_at=at)
        run(find_threshold(used, Judge(Found()), True, thresholds=[10.0, 20.0]))
        assert soft.shutter.value == 0
        return run.messages, settings_of(soft, signal)

    whole, after = threshold(None)
    assert after == (42.0, 77, 6)
    for at in range(whole):
        assert threshold(at)[1] in ((7.0, 77, 6), after), f"message {at}"
