"""A session on a simulated beamline of its own that sweeps the energy, and what its sweeps leave."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import epics
import numpy as np
import pytest

from beamline.session.session import Session, start
from tests.beamline.configurations import configuration
from tests.beamline.session_runs import documents, events, reduced_of
from tests.helpers.ioc_process import write_scenario
from tests.helpers.pvs import release

SPEEDUP = 25.0
GRID = np.arange(13_452, 13_501) / 1e3
WINDOWS = {"pre_edge": (13.452, 13.458), "integral": (13.458, 13.500)}
SCENARIO = {
    "sample": {"mu_white_line": 0.5},
    "jet": {"thickness_rms": 0.0, "pass_to_pass_rms": 0.0},
    "ring": {"topup_interval_s": [9e5, 1e6]},
}
Shift = tuple[Session, Any]


@pytest.fixture(scope="module", name="shift")
def swept_shift(ioc_pool: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shift]:
    folder = tmp_path_factory.mktemp("sweeps")
    ioc = ioc_pool.start(write_scenario(SCENARIO, folder / "scenario.toml"), SPEEDUP)
    beam = [each for each in configuration(folder).suspenders if each.signal == "ring.current"]
    suspenders = [
        {"signal": "ring.current", "low": 20.0, "high": 1000.0, "margin": 5.0, "wait": 1.0, "reason": "beam lost"}
    ]
    assert beam == []
    config = configuration(folder, ioc.prefix, SPEEDUP, suspenders=suspenders)
    with start(config, fill_catalogue=False, notify=lambda _: None) as session:
        assert isinstance(session, Session)
        yield session, ioc
    ioc_pool.stop(ioc)


def sweep(shift: Shift, **kwargs: Any) -> str:
    """Uid of a run of one pass."""
    given = {"energies": GRID, "dwell": 0.3, "frame": 0.1, "settings": WINDOWS, **kwargs}
    return str(shift[0].RE(shift[0].scans.plans["continuous_scan"](**given)).run_start_uids[-1])


def sweeps_of(shift: Shift, uid: str) -> list[dict[str, Any]]:
    return [each["data"] for each in events(documents(shift[0], uid), "primary")]


def spectrum_of(shift: Shift, uid: str) -> dict[str, Any]:
    docs = reduced_of(shift[0], uid)
    assert docs[-1][1]["exit_status"] == "success", docs[-1][1]
    (found,) = events(docs, "spectrum")
    return dict(found["data"])


def put(ioc: Any, name: str, value: Any) -> None:
    assert epics.caput(ioc.name(name), value, wait=True, timeout=10) == 1


def at_rest(shift: Shift) -> bool:
    ioc = shift[1]
    busy = ("7ida:KohzuMoving", "7ida:Prof1:Execute", "7idd:FPGA1:Frames:Acquire", "7idd:Laser:ShutterStatus_RBV")
    deadline = time.monotonic() + 5
    while any(epics.caget(ioc.name(name), use_monitor=False) for name in busy) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(epics.caget(ioc.name(name), use_monitor=False) for name in busy)


def when_under_way(shift: Shift, action: Any) -> threading.Thread:
    """Act in the middle of the next sweep."""

    def wait_and_act() -> None:
        epics.ca.use_initial_context()
        deadline = time.monotonic() + 20
        taken = epics.PV(shift[1].name("7idd:FPGA1:Frames:NumTaken_RBV"))
        while (taken.get(use_monitor=False, timeout=10) or 0) not in range(40, 100) and time.monotonic() < deadline:
            time.sleep(0.02)
        action()
        release(taken)

    thread = threading.Thread(target=wait_and_act)
    thread.start()
    return thread
