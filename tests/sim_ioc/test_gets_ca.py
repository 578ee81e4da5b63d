"""Gets of many records at once, as a dwell reads them, against the simulated server."""

from __future__ import annotations

from typing import Any

import epics
import numpy as np

from devices.channel_access import GroupGet
from tests.sim_ioc.ca import Channels


def test_gets_that_come_together_are_answered_each_with_its_own(default_ioc: Channels) -> None:
    """More than the server takes at once, from records of all kinds."""
    names = ("7idd:FPGA1:NumPhases_RBV", "7idd:Timing:BunchRate_RBV", "7idd:FPGA1:Gates", "7idd:Laser:Locked_RBV")
    pvs = [epics.PV(default_ioc.ioc.name(name), auto_monitor=False, form="time") for name in names]
    wanted = [pv.get(timeout=10) for pv in pvs]
    for _ in range(200):
        check_answers(GroupGet(pvs), wanted)
    check_answers(GroupGet(pvs * 250), wanted * 250)


def check_answers(gets: GroupGet, wanted: list[Any]) -> None:
    gets.wait(10.0)
    for number, value in enumerate(wanted):
        answer = gets.reply(number)
        assert answer is not None
        assert np.array_equal(answer[0], value)


def test_gets_that_nobody_reads_are_given_up(default_ioc: Channels) -> None:
    """Their answers come when the places for them are long gone."""
    pvs = [epics.PV(default_ioc.ioc.name("7idd:FPGA1:Gates"), auto_monitor=False, form="time")] * 20
    value = pvs[0].get(timeout=10)
    for _ in range(500):
        GroupGet(pvs)
    check_answers(GroupGet(pvs), [value] * 20)


def test_no_gets_at_all_have_arrived_at_once() -> None:
    GroupGet([]).wait(10.0)
