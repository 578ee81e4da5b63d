"""Findings in the queue: known plans, with arguments that JSON can carry, and texts that stay texts."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from bluesky_queueserver.manager import profile_ops

import beamline.app.queue_server
from beamline.session.commissioning.bind import FINDINGS
from beamline.session.nights.plans import findings

PERMISSIONS = Path(beamline.app.queue_server.__file__).parent / "user_group_permissions.yaml"
WHO = "primary"


class Crystal:
    """A device of the namespace with the name of a step."""

    name, parent = "crystal", None

    def read(self) -> dict[str, Any]:
        return {}

    describe = describe_configuration = read_configuration = set = read


def prepared(plan: Callable[..., Any], **kwargs: Any) -> Mapping[str, Any]:
    """What the worker of the queue would call, after the trip through JSON; raises what it refuses."""
    name = plan.__name__
    processed = profile_ops._process_plan(plan, existing_devices={}, existing_plans={})
    allowed, _ = profile_ops.load_allowed_plans_and_devices(
        user_group_permissions=yaml.safe_load(PERMISSIONS.read_text()),
        existing_plans={name: processed}, existing_devices={"crystal": {"components": {}}},
    )  # fmt: skip
    item = json.loads(json.dumps({"name": name, "kwargs": kwargs, "user_group": WHO}))
    ok, why = profile_ops.validate_plan(item, allowed_plans=allowed[WHO], allowed_devices={})
    assert ok, why
    return dict(
        profile_ops.prepare_plan(
            item, plans_in_nspace={name: plan}, devices_in_nspace={"crystal": Crystal()}, allowed_plans=allowed,
            allowed_devices={WHO: {"crystal": {}}}, nspace={},
        )
    )  # fmt: skip


@pytest.mark.parametrize("name", [*FINDINGS, "commission", "check_all"])
def test_a_finding_is_taken_by_the_queue_with_its_arguments(name: str) -> None:
    plan = findings()[name]
    given: dict[str, Any] = {"apply": True} if "apply" in inspect.signature(plan).parameters else {}
    given |= {"find_threshold": {"thresholds": [10.0, 20.0]}, "find_overlap": {"edge": "Br_K"}}.get(name, {})
    given |= {"first": "crystal"} if name == "commission" else {}
    call = prepared(plan, **given)
    assert [*call["args"], *call["kwargs"].values()] == list(given.values())
