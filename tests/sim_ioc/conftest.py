"""Fixtures of the simulator's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.helpers.ioc_process import IocPool, RunningIoc, StartIoc
from tests.sim_ioc.ca import Channels

# Steady beam and jet: what is tested here is how records behave.
STEADY = {
    "jet": {"thickness_rms": 0.0, "pass_to_pass_rms": 0.0},
    "ring": {"topup_interval_s": [9e5, 1e6], "lifetime_h": 1e6, "bunch_spread_rms": 0.0},
    "i0": {"noise": 0.0},
}


@pytest.fixture
def steady(start_ioc: StartIoc) -> Iterator[Channels]:
    """A steady beamline for one test, 200 times faster than life."""
    channels = Channels(start_ioc(STEADY))
    yield channels
    channels.close()


@pytest.fixture(scope="session")
def default_ioc(simulated_beamline: RunningIoc, ioc_pool: IocPool) -> Iterator[Channels]:
    """The shared beamline; leave it as found."""
    channels = Channels(simulated_beamline)
    yield channels
    channels.close()
