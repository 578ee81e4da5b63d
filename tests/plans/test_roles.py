"""Roles without a device: what needs them is refused by name, and the rest goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from bluesky import RunEngine

from plans.protocols import MissingRoleError
from plans.scans.background import background_run
from plans.scans.delay import delay_scan
from plans.scans.energy import energy_scan
from plans.scans.fluence import fluence_scan
from tests.plans.conftest import Documents
from tests.plans.fakes import Bench

SHORT: dict[str, Any] = {"dwell": 1.0, "pattern": (1, 0)}


LACKING: list[tuple[str, Any, dict[str, Any], str]] = [
    ("fluence", fluence_scan, SHORT, "the fluence cannot be set"),
    ("fluence", energy_scan, {**SHORT, "fluence": 5.0}, "the fluence cannot be set"),
    ("delay", delay_scan, SHORT, "the delay cannot be set"),
    ("delay", energy_scan, SHORT, "the delay cannot be set"),
    (
        "laser_shutter",
        energy_scan,
        SHORT,
        r"dwells with the laser on are not possible, pattern=\(0,\) with delay=None is",
    ),
    ("timing", energy_scan, {**SHORT, "reference": "slots"}, "reference 'slots' is not possible without slots"),
    ("timing", energy_scan, {**SHORT, "target": 0.1, "judge": len}, "the error of a target cannot be predicted"),
    ("xray_shutter", background_run, {}, "a run without X-rays is not possible"),
]
"""A role without a device, a plan that needs it, and why."""


@pytest.mark.parametrize(("role", "plan", "arguments", "message"), LACKING)
def test_a_plan_that_needs_a_role_without_a_device_names_the_role_and_the_entry_to_write(
    soft: Bench, engine: RunEngine, documents: Documents, role: str, plan: Any, arguments: dict[str, Any], message: str
) -> None:
    bare = replace(soft.instruments(), **{role: None})
    with pytest.raises(
        MissingRoleError, match=rf"^{message}: .* no device in the role {role}; write {role} = \"NAME\""
    ):
        engine(plan(bare, **arguments))
    assert documents.seen == []
    assert {action for action, _, _ in soft.notes.actions} <= {"read"}


def test_energy_counter_and_i0_are_enough_for_a_spectrum(soft: Bench, engine: RunEngine, documents: Documents) -> None:
    none = dict.fromkeys(("delay", "fluence", "laser_shutter", "timing", "xray_shutter"))
    bare = replace(soft.instruments(), **none, readables=())
    engine(energy_scan(bare, energies=[13.452, 13.46, 13.53], dwell=1.0, delay=None, pattern=(0, 0)))
    start = documents.seen[0][1]
    assert "pump_delay" not in start and start["pattern"] == [0, 0] and start["reference"] == "paper"
    events = [doc["data"] for name, doc in documents.seen if name == "event"]
    assert len(events) == 2 * start["num_points"]
    assert {(each["laser_on"], each["quality"]) for each in events} == {(0, "good")}
