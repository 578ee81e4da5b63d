"""Fixtures for all tests: the Channel Access environment of this process and simulated beamlines.

The environment is set here, before any test module imports ophyd or epics, which read it once.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.ioc_process import IocPool, RunningIoc, StartIoc, write_scenario
from tests.helpers.ports import PortBlock

PORTS = PortBlock()
atexit.register(PORTS.close)
os.environ.update(PORTS.client_environment())


@pytest.fixture(scope="session", autouse=True)
def keep_channels() -> Iterator[None]:
    """Keep every device until the process ends: a channel that is cleared while monitors arrive can crash libca."""
    from ophyd.ophydobj import OphydObject

    kept: list[Any] = []
    OphydObject.add_instantiation_callback(kept.append)
    yield


@pytest.fixture(autouse=True)
def end_event_loops() -> Iterator[None]:
    """End the event loop of each RunEngine that a test makes: bluesky leaves its thread and three open files."""
    before = set(event_loops())
    yield
    for loop, thread in event_loops().items():
        if loop not in before and not loop.is_closed():
            loop.call_soon_threadsafe(loop.stop)
            thread.join(5)
            if not loop.is_running():
                loop.close()


def event_loops() -> dict[Any, Any]:
    """Event loops of all RunEngines, and the threads that they run in."""
    module = sys.modules.get("bluesky.run_engine")
    return {} if module is None else dict(module._ensure_event_loop_running.loop_to_thread)


@pytest.fixture(scope="session")
def ioc_pool() -> Iterator[IocPool]:
    """Every simulated beamline of this test process."""
    pool = IocPool(PORTS)
    yield pool
    pool.stop_all()


@pytest.fixture(scope="session")
def simulated_beamline(ioc_pool: IocPool) -> RunningIoc:
    """The default scenario, 200 times faster than life, with the prefix ``sim:``; shared, so leave it as found."""
    return ioc_pool.start(speedup=200.0, prefix="sim:")


@pytest.fixture
def start_ioc(ioc_pool: IocPool, tmp_path: Path) -> Iterator[StartIoc]:
    """Factory of simulated beamlines for one test.

    ``start_ioc(scenario, speedup=200, prefix=None)``: the scenario is a file, the name of one that comes with the
    simulator, or a dictionary of what differs from the default.
    """
    started: list[RunningIoc] = []

    def start(
        scenario: str | Path | Mapping[str, Any] | None = None, speedup: float = 200.0, prefix: str | None = None
    ) -> RunningIoc:
        if isinstance(scenario, Mapping):
            scenario = write_scenario(scenario, tmp_path / f"scenario{len(started)}.toml")
        started.append(ioc_pool.start(scenario, speedup, prefix))
        return started[-1]

    yield start
    for ioc in started:
        ioc_pool.stop(ioc)
