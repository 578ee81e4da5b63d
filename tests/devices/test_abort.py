"""A count that is ended for a pause: without a second put with completion, and whatever comes of it."""

from __future__ import annotations

import pytest
from ophyd import Device, Signal
from ophyd.status import Status

from devices.base.abort import abort_count


class Busy(Signal):
    """A record that is busy; keeps how it was put."""

    pvname = "soft:Acquire"

    def __init__(self) -> None:
        super().__init__(name="detector_acquire", value=1)
        self.puts: list[tuple[object, bool]] = []

    def put(self, value: object, *, wait: bool = True, **kwargs: object) -> None:
        self.puts.append((value, wait))
        super().put(value, **kwargs)


@pytest.mark.parametrize("failure", [None, RuntimeError("refused"), TimeoutError("late")])
def test_a_count_under_way_is_ended_and_no_failure_comes_out(
    failure: Exception | None, caplog: pytest.LogCaptureFixture
) -> None:
    device, go, count = Device(name="detector"), Busy(), Status()

    def ended(*, value: int, **_: object) -> None:
        if failure is None:
            count.set_finished()
        else:
            count.set_exception(failure)

    go.subscribe(ended, run=False)
    abort_count(device, go, count, 5.0)  # type: ignore[arg-type]
    assert go.puts == [(0, False)] and count.done
    assert ("detector may still be counting, its record soft:Acquire" in caplog.text) == (failure is not None)


def test_what_is_done_is_left_alone() -> None:
    go = Busy()
    go.put(0)
    abort_count(Device(name="detector"), go, None, 5.0)  # type: ignore[arg-type]
    assert go.puts == [(0, True)]
