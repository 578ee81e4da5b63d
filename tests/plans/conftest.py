"""Fixtures of the tests of plans."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from bluesky import RunEngine
from event_model import DocumentNames, schema_validators

from beamline.station.build import Beamline
from tests.devices.builds import connected_beamline
from tests.helpers.ioc_process import RunningIoc, StartIoc
from tests.plans.fakes import Bench, bench


class Documents:
    """Every document, checked against its schema as it comes."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Mapping[str, Any]]] = []

    def __call__(self, name: str, doc: Mapping[str, Any]) -> None:
        schema_validators[DocumentNames[name]].validate(doc)
        self.seen.append((name, doc))

    def all(self, name: str) -> list[Mapping[str, Any]]:
        """Documents of one kind."""
        return [doc for kind, doc in self.seen if kind == name]

    def events(self, stream: str = "primary") -> list[Mapping[str, Any]]:
        """Data of the events of a stream that count: where a number was given twice, the last."""
        of_stream = {doc["uid"] for doc in self.all("descriptor") if doc["name"] == stream}
        events = [doc for doc in self.all("event") if doc["descriptor"] in of_stream]
        return list({(doc["descriptor"], doc["seq_num"]): doc["data"] for doc in events}.values())


@pytest.fixture
def soft() -> Bench:
    """Soft instruments, at rest."""
    return bench()


@pytest.fixture
def engine() -> RunEngine:
    """A RunEngine that leaves signals of the process alone."""
    return RunEngine({}, call_returns_result=True, context_managers=[])


@pytest.fixture
def documents(engine: RunEngine) -> Documents:
    """What the RunEngine emits."""
    documents = Documents()
    engine.subscribe(documents)
    return documents


@pytest.fixture
def own_ioc(start_ioc: StartIoc) -> RunningIoc:
    """A simulated beamline of the test's own, with a steady beam, fast."""
    return start_ioc({"jet": {"thickness_rms": 0.0, "pass_to_pass_rms": 0.0}})


@pytest.fixture
def own(own_ioc: RunningIoc) -> Iterator[Beamline]:
    """Its devices."""
    with connected_beamline(own_ioc.prefix) as beamline:
        yield beamline
