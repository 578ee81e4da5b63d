"""The read of a session's RunEngine: documents as from bluesky's own, its refusals, and what is asked once only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.plans as bp
import bluesky.preprocessors as bpp
import numpy as np
import pytest
from bluesky import RunEngine
from bluesky.utils import MsgGenerator
from ophyd import Signal

from devices.channel_access.quick_read import QuickReadEngine, short_arrays

Documents = list[tuple[str, dict[str, Any]]]
OF_THE_RUN = {"uid", "time", "run_start", "descriptor", "timestamps"}


class Files(Signal):
    """A signal whose readings are in files."""

    def collect_asset_docs(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """One resource a reading."""
        self.asked = getattr(self, "asked", 0) + 1
        resource = {"spec": "", "root": "", "resource_path": "", "resource_kwargs": {}, "path_semantics": "posix"}
        yield "resource", {**resource, "uid": f"file {self.asked}"}


def run(kind: type[RunEngine], plan: MsgGenerator[Any]) -> Documents:
    engine, found = kind({}, context_managers=[]), []
    engine.subscribe(lambda name, doc: found.append((name, doc)))
    engine(plan)
    return found


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items() if key not in OF_THE_RUN}
    return value


def scan() -> MsgGenerator[Any]:
    axis, one, other = (Signal(name=name, value=number) for number, name in enumerate(("axis", "one", "other")))
    yield from bp.scan([one, other], axis, 0, 4, 5)


def test_the_documents_are_those_of_bluesky() -> None:
    expected, found = (run(kind, scan()) for kind in (RunEngine, QuickReadEngine))
    assert [name for name, _ in expected].count("event") == 5
    assert [(name, plain(doc)) for name, doc in found[1:]] == [(name, plain(doc)) for name, doc in expected[1:]]


def test_a_device_passes_the_checks_of_bluesky_once_in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    read, passed = RunEngine._read, []

    async def noting(self: RunEngine, message: Any) -> Any:
        passed.append(message.obj.name)
        return await read(self, message)

    monkeypatch.setattr(RunEngine, "_read", noting)
    run(QuickReadEngine, scan())
    assert sorted(passed) == ["axis", "one", "other"]


@bpp.run_decorator()
def events(*groups: list[Signal]) -> MsgGenerator[None]:
    for devices in groups:
        yield from bps.create("primary")
        for device in devices:
            yield from bps.read(device)
        yield from bps.save()


@pytest.mark.parametrize("kind", [RunEngine, QuickReadEngine])
def test_what_bluesky_refuses_is_refused(kind: type[RunEngine]) -> None:
    one, other = Signal(name="one", value=1), Signal(name="other", value=2)
    with pytest.raises(ValueError, match="collide"):
        run(kind, events([one], [one, one]))
    with pytest.raises(RuntimeError, match="Mismatched objects"):
        run(kind, events([one], [one, other]))
    with pytest.raises(RuntimeError, match="Mismatched objects"):
        run(kind, events([one, other], [other]))


def test_files_of_each_reading_are_asked_for() -> None:
    files = Files(name="files", value=1)
    documents = run(QuickReadEngine, events([files], [files], [files]))
    assert [doc["uid"] for name, doc in documents if name == "resource"] == ["file 1", "file 2", "file 3"]


def test_a_reading_outside_of_a_run_is_returned() -> None:
    found: list[Any] = []

    def plan() -> MsgGenerator[None]:
        for _ in range(2):
            found.append((yield from bps.rd(Signal(name="one", value=7))))

    run(QuickReadEngine, plan())
    assert found == [7, 7]


def test_arrays_are_short_while_a_plan_runs() -> None:
    """The schema of an event formats all values."""
    seen: list[str] = []

    def plan() -> MsgGenerator[None]:
        seen.append(repr(np.arange(3)))
        yield from bps.null()

    QuickReadEngine({}, context_managers=[short_arrays])(plan())
    assert seen == ["array of shape (3,)"] and repr(np.arange(3)) == "array([0, 1, 2])"
