"""Devices on the simulated beamline, and on records that another implementation of Channel Access serves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from bluesky import RunEngine
from ophyd import Device

from beamline.station.build import Beamline
from beamline.station.connect import connect
from tests.devices.builds import CONNECT_TIMEOUT, as_found, connected_beamline, released
from tests.devices.soft_process import soft_ioc
from tests.helpers.ioc_process import IocPool, RunningIoc

SOFT = "soft:"
Make = Callable[..., Any]


@pytest.fixture(scope="session")
def shared_beamline(simulated_beamline: RunningIoc) -> Iterator[Beamline]:
    """All devices of the shared simulated beamline."""
    with connected_beamline(simulated_beamline.prefix) as beamline:
        yield beamline


@pytest.fixture
def sim(shared_beamline: Beamline, tmp_path: Path) -> Iterator[Beamline]:
    """All devices of the shared simulated beamline; afterwards it is as it was before."""
    shared_beamline.digitiser.folder.put(str(tmp_path))
    with as_found(shared_beamline):
        yield shared_beamline


@pytest.fixture(scope="session")
def soft_prefix(ioc_pool: IocPool) -> Iterator[str]:
    """Prefix of records that softioc serves."""
    with soft_ioc(SOFT, ioc_pool.take_environment()):
        yield SOFT


@pytest.fixture
def soft(soft_prefix: str) -> Iterator[Make]:
    """Makes a connected device: ``soft(Monochromator, "mono-good:")``; its name is ``probe``."""
    with ExitStack() as stack:

        def make(kind: Callable[..., Device], place: str, **arguments: Any) -> Any:
            extra = {key: soft_prefix + value for key, value in arguments.items()}
            device = kind(soft_prefix + place, name="probe", **extra)
            stack.enter_context(released({"probe": device}))
            connect({"probe": device}, CONNECT_TIMEOUT)
            return device

        yield make


@pytest.fixture
def engine() -> RunEngine:
    """A RunEngine that leaves signals of the process alone."""
    return RunEngine({}, call_returns_result=True, context_managers=[])
