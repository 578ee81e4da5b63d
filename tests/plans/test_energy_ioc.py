"""The energy scan on the simulated beamline, over Channel Access."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import epics
import numpy as np
import pytest
from bluesky import RunEngine
from ophyd.utils import LimitError

from beamline.station.build import Beamline, instruments
from plans.compilation.quality import Check
from plans.execution.failures import InstrumentError
from plans.scans.energy import energy_scan
from tests.devices.builds import connected_beamline, record
from tests.helpers.ioc_process import RunningIoc, StartIoc
from tests.helpers.pvs import release
from tests.plans.conftest import Documents

GRID = [13.460, 13.472, 13.4725]
PATTERN = (1, 0, 0, 1)
STEEP = {"pre_edge": (13.469, 13.470), "integral": (13.475, 13.485)}
DWELL = 1.5
SPEEDUP = 200.0

STILL = {
    "jet": {"thickness_rms": 0.0, "pass_to_pass_rms": 0.0},
    "ring": {"topup_interval_s": [9e5, 1e6], "lifetime_h": 1e6},
    "monochromator": {"repeatability_eV": 0.0},
}


def scan(engine: RunEngine, beamline: Beamline, **changes: Any) -> Any:
    arguments: dict[str, Any] = {"energies": GRID, "dwell": DWELL, "delay": 10_100.0, "pattern": PATTERN}
    return engine(energy_scan(instruments(beamline, SPEEDUP), **(arguments | changes)))


class Setpoints:
    """Set energies of the monochromator as they come, by a client of its own."""

    def __init__(self, ioc: RunningIoc) -> None:
        self.seen: list[float] = []
        self._pv = epics.PV(ioc.name("7ida:BraggEAO"), auto_monitor=True)
        assert self._pv.wait_for_connection(10)
        self._pv.get(timeout=10)
        self._pv.add_callback(lambda value, **_: self.seen.append(value))

    def close(self) -> None:
        release(self._pv)


def test_two_passes(own: Beamline, own_ioc: RunningIoc, engine: RunEngine, documents: Documents) -> None:
    setpoints = Setpoints(own_ioc)
    scan(engine, own, passes=2, checks=(Check("ring_current", 10.0, 1000.0, "beam lost"),))
    setpoints.close()
    assert [stop["num_events"] for stop in documents.all("stop")] == [{"primary": 12}] * 2
    for number, data in enumerate(documents.events()):
        point, segment = divmod(number % 12, 4)
        assert (data["point_index"], data["segment"], data["attempt"], data["quality"]) == (point, segment, 0, "good")
        assert data["laser_on"] == data["laser_shutter_status"] == PATTERN[segment]
        assert data["mono_energy"] == pytest.approx(GRID[point], abs=6e-5)
        assert data["laser_delay"] == pytest.approx(10_100.0, abs=5.0)
        assert data["fpga_elapsed"] == pytest.approx(DWELL, rel=1e-6)
        assert data["i0_time"] == pytest.approx(DWELL, rel=1e-6)
        assert data["fpga_counts"].shape == (120,)
        assert data["fpga_counts"].dtype == np.int32
        assert 0 < data["fpga_counts"].sum() < data["fpga_gates"].sum()
    assert record(own_ioc.name("7idd:Laser:ShutterStatus_RBV")) == 0
    # From below, each time: the first point of a pass with more than the play of 0.3 eV.
    half = len(GRID) + 1
    seen = setpoints.seen[-2 * half :]  # a busy machine may tell first where it stood before
    for one_pass in (seen[:half], seen[half:]):
        assert len(one_pass) == half
        assert all(second >= first for first, second in pairwise(one_pass))
        assert one_pass[0] < GRID[0] - 0.3e-3


def test_the_play_of_the_drive_does_not_reach_the_data(
    start_ioc: StartIoc, engine: RunEngine, documents: Documents
) -> None:
    """The second pass begins high above its first point, which lies on the steep part of the edge.

    There the play of 0.3 eV changes the signal by some percent, which 1e6 counts would show.
    """
    ioc = start_ioc(STILL)
    with connected_beamline(ioc.prefix) as beamline:
        scan(engine, beamline, energies=[13.4695, 13.480], passes=2, dwell=15.0, pattern=(0, 1), settings=STEEP)
    first, again = [
        data["fpga_counts"].sum() for data in documents.events() if data["point_index"] == data["laser_on"] == 0
    ]
    assert first > 1e6
    assert abs(int(first) - int(again)) < 5 * np.sqrt(first + again)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"energies": [13.46, 24.5]}, LimitError, r"^mono cannot go to 24\.5"),
        ({"delay": 2e5}, LimitError, r"^laser_delay: 200000 ps needs"),
        ({"dwell": 1e-4}, ValueError, r"^dwell of 0\.0001 s: fpga_preset_time"),
    ],
    ids=["energy", "delay", "dwell"],
)
def test_out_of_reach_is_refused_before_anything_moves(
    own: Beamline, own_ioc: RunningIoc, engine: RunEngine, documents: Documents,
    change: dict[str, Any], error: type[Exception], message: str,
) -> None:  # fmt: skip
    names = ("7ida:BraggEAO", "7idd:DG1:ADelayAO", "7idd:FPGA1:PresetTime", "7idd:scaler1.TP")
    before = [record(own_ioc.name(name)) for name in names]
    with pytest.raises(error, match=message):
        scan(engine, own, **change)
    assert documents.seen == []
    assert [record(own_ioc.name(name)) for name in names] == before


def test_a_stuck_shutter_ends_the_scan_by_its_name(
    own: Beamline, own_ioc: RunningIoc, engine: RunEngine, documents: Documents
) -> None:
    own.laser.shutter.timeout.put(0.3)
    epics.caput(own_ioc.name("Fault:LaserShutterStuck"), 1, wait=True)
    with pytest.raises(InstrumentError, match=r"^laser_shutter did not open within 0\.3 s"):
        scan(engine, own)
    (stop,) = documents.all("stop")
    assert stop["exit_status"] == "fail"
    reason = f"laser_shutter did not open within 0.3 s: {own_ioc.name('7idd:Laser:ShutterStatus_RBV')} is 0"
    assert stop["reason"] == reason
    assert documents.events() == []


def test_a_time_that_the_scaler_cannot_count_is_refused(own: Beamline, engine: RunEngine, documents: Documents) -> None:
    with pytest.raises(ValueError, match=r"^dwell of 1000 s: i0_preset_time: .* counts for at most 429\.5 s"):
        scan(engine, own, dwell=1000.0)
    assert documents.seen == []


def test_a_preset_time_that_the_scaler_refuses_raises(
    own: Beamline, engine: RunEngine, documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A put that a record refuses is answered like any other; here no check refused it beforehand."""
    monkeypatch.setattr(type(own.i0.preset_time), "check_value", lambda *_: None)
    with pytest.raises(InstrumentError, match=r"^i0_preset_time: record .*TP has not processed 1000: .*write"):
        scan(engine, own, dwell=1000.0)
    assert documents.all("stop")[0]["exit_status"] == "fail"


def test_readings_that_are_no_numbers_are_flagged_and_the_scan_goes_on(
    own: Beamline, own_ioc: RunningIoc, engine: RunEngine, documents: Documents
) -> None:
    epics.caput(own_ioc.name("Fault:I0NaN"), 1, wait=True)
    scan(engine, own, energies=GRID[:2], pattern=(1, 0))
    assert {data["quality"] for data in documents.events()} == {"i0 is not a number"}
    assert documents.all("stop")[0]["exit_status"] == "success"
