"""Kernels are loaded when the simulator starts, while its server replies."""

from __future__ import annotations

from asyncio import get_running_loop, run
from threading import Event

import pytest

from sim_ioc.instruments.fpga import SimFpga
from sim_ioc.physics import pair_chain
from sim_ioc.physics.world import World
from sim_ioc.scenario.scenario import load_scenario
from sim_ioc.timebase.clock import SimulatedClock


def test_the_server_goes_on_while_the_counter_loads_its_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    went_on, loaded = Event(), list[bool]()
    monkeypatch.setattr(pair_chain, "warm_up", lambda: loaded.append(went_on.wait(5.0)))

    async def start() -> None:
        get_running_loop().call_soon(went_on.set)
        await SimFpga(World(load_scenario(), SimulatedClock())).run()

    run(start())
    assert loaded == [True]
