"""Our messages behave as those of bluesky, and raise exceptions that those suppress."""

from __future__ import annotations

import pytest
from bluesky import RunEngine
from bluesky.utils import MsgGenerator

from plans.execution.messages import wait_for


async def fails() -> None:
    raise LookupError("nobody there")


def waits() -> MsgGenerator[None]:
    yield from wait_for(fails)


def test_what_an_awaited_function_raises_ends_the_plan() -> None:
    with pytest.raises(LookupError, match=r"^nobody there$"):
        RunEngine({}, context_managers=[])(waits())


def test_a_plan_that_is_only_looked_at_goes_on() -> None:
    assert [msg.command for msg in waits()] == ["wait_for"]
