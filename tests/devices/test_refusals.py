"""A value that a record does not take ends its set at once, by name, and not when a time is over."""

from __future__ import annotations

import pytest

from beamline.station.build import Beamline
from tests.devices.builds import record

WAIT = 20.0


@pytest.mark.parametrize(
    ("path", "pv", "value"),
    [("timing.laser_phase", "Timing:LaserPhase", 5), ("fpga.divide_by", "FPGA1:DivByN-1_N", 0)],
)
def test_a_number_past_the_limits_of_its_record_is_not_sent(sim: Beamline, path: str, pv: str, value: int) -> None:
    device, _, name = path.partition(".")
    setting = getattr(getattr(sim, device), name)
    before = record(f"sim:7idd:{pv}")
    with pytest.raises(ValueError, match=rf"^{setting.name}\W"):
        setting.set(value)
    assert record(f"sim:7idd:{pv}") == before
    setting.set(before).wait(WAIT)


def test_after_a_reconnect_what_the_server_grants_counts(sim: Beamline) -> None:
    """Its access rights reach ophyd through a queue: after a reconnect a scan may put before it knows them."""
    width = sim.fpga.gate_width
    before = width.get()
    width._metadata["write_access"] = False
    try:
        width.set(before + 1).wait(10)
        assert record(width.pvname) == before + 1
        width.set(before).wait(10)
    finally:
        width._metadata["write_access"] = True


def test_a_length_of_blocks_that_is_refused_while_a_file_is_open_fails_at_once(sim: Beamline) -> None:
    digitiser = sim.digitiser
    digitiser.stage()
    try:
        before = record("sim:7idd:DIG1:ShotsPerBlock")
        status = digitiser.shots_per_block.set(int(before) + 1)
        with pytest.raises(RuntimeError, match=r"^digitiser_shots_per_block: record .*ShotsPerBlock has not processed"):
            status.wait(2.0)
        assert record("sim:7idd:DIG1:ShotsPerBlock") == before
    finally:
        digitiser.unstage()
