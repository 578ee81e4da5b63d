"""Bias, threshold and gate: a set ends when the readback is there; a threshold sweep with stock bluesky."""

from __future__ import annotations

from collections.abc import Iterator

import bluesky.plan_stubs as bps
import bluesky.plans as bp
import bluesky.preprocessors as bpp
import numpy as np
import pytest
from bluesky import RunEngine
from bluesky.callbacks import LiveTable
from bluesky.utils import MsgGenerator
from ophyd import EpicsSignal
from ophyd.utils import LimitError

from beamline.station.build import Beamline
from devices.instruments.apd import Apd, Level
from tests.devices.builds import record
from tests.devices.conftest import SOFT, Make
from tests.devices.test_stock_bluesky import Documents, table_rows

WAIT = 20.0
PREFIX = "sim:7idd:APD1:"


@pytest.fixture
def apd(sim: Beamline) -> Iterator[Apd]:
    """The APD of the shared beamline; bias, threshold and gate are put back."""
    apd = sim.apd
    assert apd is not None
    gate = (sim.fpga.gate_delay, sim.fpga.gate_width, sim.fpga.gate_clock)
    before = [signal.get() for signal in gate]
    yield apd
    apd.threshold.set(50.0).wait(WAIT)
    apd.bias.set(380.0).wait(WAIT)
    for signal, value in zip(gate, before, strict=True):
        signal.set(value).wait(WAIT)


def test_a_bias_is_set_when_it_has_ramped(apd: Apd) -> None:
    apd.bias.set(370.0).wait(WAIT)
    assert record(f"{PREFIX}HV_RBV") == pytest.approx(370.0, abs=0.5)
    assert record(f"{PREFIX}HV") == 370.0
    assert apd.bias.position == pytest.approx(370.0, abs=0.5)


@pytest.mark.parametrize(("name", "value"), [("bias", 408.0), ("threshold", -1.0), ("threshold", 1001.0)])
def test_a_level_past_the_limits_is_refused_before_it_is_sent(apd: Apd, name: str, value: float) -> None:
    level = getattr(apd, name)
    before = record(level.setpoint.pvname)
    with pytest.raises(
        LimitError, match=rf"apd_{name} cannot go to {value:g} m?V: {level.setpoint.pvname} goes from 0"
    ):
        level.set(value)
    assert record(level.setpoint.pvname) == before


def test_a_level_whose_readback_does_not_follow_ends_by_name(soft: Make) -> None:
    level = soft(lambda prefix, name: Level(prefix, units="V", tolerance=0.1, name=name), "level-stuck")
    level.timeout.put(0.2)
    with pytest.raises(TimeoutError, match=rf"probe did not go to 5 V within 0\.2 s: {SOFT}level-stuck_RBV is 3\.0"):
        level.set(5.0).wait(WAIT)


def test_a_level_whose_readback_follows(soft: Make) -> None:
    level = soft(lambda prefix, name: Level(prefix, units="V", tolerance=0.1, name=name), "level")
    level.set(5.0).wait(WAIT)
    assert level.position == 5.0


def test_a_threshold_sweep_with_stock_bluesky(
    sim: Beamline, apd: Apd, engine: RunEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    """Noise, plateau, photon edge: what a user at the beamline looks at first."""
    documents = Documents()
    engine.subscribe(documents)
    levels = [5.0, 30.0, 50.0, 70.0, 100.0, 300.0]
    sim.fpga.preset_time.set(4.0).wait(WAIT)
    table = LiveTable(["apd_threshold", "fpga_hits_per_gate"])
    engine(bp.list_scan([sim.fpga], apd.threshold, levels), table)
    found = {round(data["apd_threshold"]): data["fpga_hits_per_gate"] for data in documents.data()}
    assert list(found) == [5, 30, 50, 70, 100, 300]
    # the jet changes by 5 % in the half hour that a point may take where the simulator's clock runs fast
    assert found[30] == pytest.approx(found[50], rel=0.35)
    assert found[70] == pytest.approx(found[50], rel=0.35)
    assert found[5] > 3 * found[50]
    assert found[100] == pytest.approx(0.5 * found[50], rel=0.35)
    assert found[300] < 5e-3 * found[50]
    rows = table_rows(capsys.readouterr().out)
    assert rows[0][2:] == ["apd_threshold", "fpga_hits_per_gate"]
    assert len(rows) == 7
    for data in documents.data():
        expected = data["fpga_counts"].sum() / data["fpga_gates"].sum()
        assert data["fpga_hits_per_gate"] == pytest.approx(expected, rel=1e-12)


def test_a_gate_sweep_with_stock_bluesky(sim: Beamline, apd: Apd, engine: RunEngine) -> None:
    """Pulses come 40-48 ns after the marker and 153.4 ns later; the gate, 16 ns long, sees each of them once."""
    documents = Documents()
    engine.subscribe(documents)
    sim.fpga.preset_time.set(1.0).wait(WAIT)
    sim.fpga.gate_clock.set(1).wait(WAIT)
    engine(bp.list_scan([sim.fpga], sim.fpga.gate_delay, [0, 9, 20, 47, 60]))
    assert [data["fpga_gate_delay"] for data in documents.data()] == [0, 9, 20, 47, 60]
    early, on, late, next_bunch, after = (data["fpga_hits_per_gate"] for data in documents.data())
    assert on > 0.01
    assert next_bunch == pytest.approx(on, rel=0.35)
    assert max(early, late, after) < 1e-4 * on
    assert sim.fpga.describe()["fpga_gate_delay"]["units"] == "ticks"
    with pytest.raises(ValueError, match=r"fpga_gate_width.*\[1, 1000\]"):
        sim.fpga.gate_width.set(0)


def test_a_slip_of_the_laser_in_a_run_is_seen_in_its_events(sim: Beamline, engine: RunEngine) -> None:
    documents = Documents()
    engine.subscribe(documents)
    sim.fpga.preset_time.set(0.2).wait(WAIT)
    slip = EpicsSignal("sim:Fault:LaserPhaseSlip", name="slip", put_complete=True)
    slip.wait_for_connection(timeout=WAIT)
    before = sim.timing.laser_phase.get()

    def plan() -> MsgGenerator[None]:
        for slipped in (0, 0, 1, 1):
            yield from bps.abs_set(slip, slipped, wait=True)
            yield from bps.trigger_and_read([sim.fpga])

    try:
        engine(bpp.run_wrapper(plan()))
    finally:
        slip.set(0).wait(WAIT)
    assert [data["laser_phase"] - before for data in documents.data()] == [0, 0, 1, 1]
    assert sim.timing.laser_phase.get() == before


def test_its_description(sim: Beamline, apd: Apd) -> None:
    described = apd.describe()
    assert list(described) == [
        "apd_bias",
        "apd_bias_setpoint",
        "apd_temperature",
        "apd_threshold",
        "apd_threshold_setpoint",
    ]
    assert [described[key]["units"] for key in described] == ["V", "V", "degC", "mV", "mV"]
    assert described["apd_threshold_setpoint"]["upper_ctrl_limit"] == 1000.0
    assert apd.hints["fields"] == ["apd_bias", "apd_threshold"]
    assert np.isfinite([entry["value"] for entry in apd.read().values()]).all()
