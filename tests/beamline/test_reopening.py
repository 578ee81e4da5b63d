"""When a scan reopens the X-ray shutter, on soft signals."""

from __future__ import annotations

import asyncio

import pytest
from ophyd import Signal
from ophyd.status import Status

from beamline.session.scans.reopening import Reopening


class SoftXrayShutter:
    """Status and permit as soft signals; opens on request, or fails."""

    def __init__(self) -> None:
        self.status, self.permit = Signal(name="status", value=1), Signal(name="permit", value=1)
        self.close_command = Signal(name="close_command", value=0)
        self.requested, self.sticks = 0, False

    @property
    def position(self) -> int:
        return int(self.status.get())

    def set(self, value: int) -> Status:
        self.requested += 1
        status = Status()
        if self.sticks:
            status.set_exception(TimeoutError("xray_shutter did not open"))
        else:
            self.status.put(value)
            status.set_finished()
        return status


FALLS: list[tuple[str, list[tuple[str, int]], int]] = [
    ("permit first", [("permit", 0), ("status", 0), ("permit", 1)], 1),
    ("shutter first", [("status", 0), ("permit", 0), ("permit", 1)], 1),
    ("permit back at once", [("permit", 0), ("permit", 1), ("status", 0)], 1),
    ("by hand", [("status", 0)], 0),
    ("no permit yet", [("permit", 0), ("status", 0)], 0),
    (
        "by hand after it fell",
        [("permit", 0), ("status", 0), ("close_command", 1), ("close_command", 0), ("permit", 1)],
        0,
    ),
    ("by hand before the permit went", [("close_command", 1), ("status", 0), ("permit", 0), ("permit", 1)], 0),
    ("by hand with the permit told of again", [("permit", 1), ("status", 0)], 0),
    ("opened by somebody", [("permit", 0), ("status", 0), ("permit", 1), ("status", 1), ("status", 0)], 0),
]


@pytest.mark.parametrize(("changes", "opened"), [fall[1:] for fall in FALLS], ids=[fall[0] for fall in FALLS])
def test_only_an_x_ray_shutter_that_fell_shut_is_opened(changes: list[tuple[str, int]], opened: int) -> None:
    shutter, messages = SoftXrayShutter(), list[str]()
    reopening = Reopening(shutter, messages.append)  # type: ignore[arg-type]
    for name, value in changes:
        getattr(shutter, name).put(value)
    asyncio.run(reopening.open_again())
    asyncio.run(reopening.open_again())
    assert shutter.requested == len(messages) == opened
    reopening.close()


def test_an_x_ray_shutter_that_cannot_be_opened_is_reported_once_and_retried() -> None:
    shutter, messages = SoftXrayShutter(), list[str]()
    reopening = Reopening(shutter, messages.append)  # type: ignore[arg-type]
    shutter.permit.put(0)
    shutter.status.put(0)
    shutter.permit.put(1)
    shutter.sticks = True
    for _ in range(2):
        asyncio.run(reopening.open_again())
    assert len(messages) == 1 and messages[0].endswith("cannot be opened: xray_shutter did not open")
    shutter.sticks = False
    asyncio.run(reopening.open_again())
    assert shutter.position == 1 and shutter.requested == 3 and messages[1].endswith("is open again")


SHUTS = [("close_command", 1), ("close_command", 0), ("status", 0)]
MEANWHILE: list[tuple[list[tuple[str, int]], str]] = [
    ([], ""),
    ([("permit", 0), ("permit", 1)], "its permit was lost meanwhile"),
    ([("permit", 0)], "its permit was lost meanwhile"),
    ([("close_command", 1), ("close_command", 0)], "somebody else has shut it, too"),
    ([("status", 1), ("status", 0)], "somebody had opened it meanwhile"),
]


@pytest.mark.parametrize(("changes", "why"), MEANWHILE)
def test_a_shutter_that_a_scan_has_shut_is_reopened_only_if_nothing_came_between(
    changes: list[tuple[str, int]], why: str
) -> None:
    shutter, messages = SoftXrayShutter(), list[str]()
    reopening = Reopening(shutter, messages.append)  # type: ignore[arg-type]
    for meanwhile, reason in ((changes, why), ([], "")):  # and the next run, after somebody has opened it
        for name, value in (("permit", 1), ("status", 1)):
            getattr(shutter, name).put(value)
        reopening.before_shut()
        for name, value in [*SHUTS, *meanwhile]:
            getattr(shutter, name).put(value)
        assert reopening.may_reopen() is (not reason)
        assert messages.pop().endswith(
            f"stays shut after the run without X-rays: {reason}." if reason else "had shut it."
        )
    reopening.close()
