"""Aborts at whatever message, on the simulated beamline: afterwards everything is at rest, and no point is half."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from bluesky import Msg, RunEngine
from bluesky.utils import MsgGenerator
from ophyd.device import Staged

from beamline.station.build import Beamline, instruments
from plans.protocols import Instruments
from plans.scans.background import background_run
from plans.scans.delay import delay_scan
from plans.scans.energy import energy_scan
from plans.scans.fluence import fluence_scan
from tests.devices.builds import as_found, connected_beamline, record
from tests.helpers.ioc_process import RunningIoc
from tests.plans.conftest import Documents
from tests.plans.interrupt import interrupted_run

SPEEDUP = 200.0
DWELL = 40.0
"""Beamline seconds; long enough on this clock that an abort falls into it."""
Scan = Callable[[Instruments], MsgGenerator[str]]
SCANS: dict[str, Scan] = {
    "energy": lambda beam: energy_scan(beam, energies=[13.460, 13.472], dwell=DWELL, pattern=(1, 0), fluence=5.0),
    "delay": lambda beam: delay_scan(beam, delays=[0.0, 100.0], dwell=DWELL, pattern=(1, 0)),
    "fluence": lambda beam: fluence_scan(beam, fluences=[2.0, 8.0], dwell=DWELL, pattern=(1, 0)),
    "background": lambda beam: background_run(beam, dwell=DWELL, pattern=(1, 0), repeats=1),
}
AT_REST = {
    "7idd:Laser:ShutterStatus_RBV": 0,
    "7ida:rShtrA:Status_RBV": 1,
    "7ida:KohzuMoving": 0,
    "7idd:m1.DMOV": 1,
    "7idd:FPGA1:Acquire": 0,
    "7idd:scaler1.CNT": 0,
}


@pytest.fixture(scope="module")
def real(simulated_beamline: RunningIoc) -> Iterator[Beamline]:
    """Devices of the shared simulated beamline, which is left as found."""
    with connected_beamline(simulated_beamline.prefix) as beamline, as_found(beamline):
        yield beamline


def aborted(beamline: Beamline, scan: Scan, chosen: Callable[[int, Msg], bool]) -> tuple[Documents, int, bool]:
    """Run a scan and abort it from another thread at the first message that is chosen."""
    documents, engine = Documents(), RunEngine({}, call_returns_result=True, context_managers=[])
    engine.subscribe(documents)
    count, interrupted = interrupted_run(engine, scan(instruments(beamline, SPEEDUP)), chosen)
    return documents, count, interrupted


def check_at_rest(ioc: RunningIoc, beamline: Beamline, documents: Documents) -> None:
    """By the records, as another client sees them; and each event is a whole dwell."""
    assert {name: record(ioc.name(name)) for name in AT_REST} == AT_REST
    assert beamline.boxcar is not None
    assert {each._staged for each in (beamline.fpga, beamline.i0, beamline.boxcar)} == {Staged.no}
    starts, stops = documents.all("start"), documents.all("stop")
    assert [stop["run_start"] for stop in stops] == [start["uid"] for start in starts]
    assert sum(stop["num_events"].get("primary", 0) for stop in stops) == len(documents.events())
    for data in documents.events():
        assert data["fpga_elapsed"] == pytest.approx(DWELL, rel=1e-6)
        assert data["i0_time"] == pytest.approx(DWELL, rel=1e-6)
        assert data["laser_on"] == data["laser_shutter_status"]
        assert data["fpga_gates"].sum() > 0.9 * DWELL * 6.5173e6


def abort_by_lot(ioc: RunningIoc, beamline: Beamline, name: str, number: int) -> int:
    """Abort at messages drawn by lot; how many of the aborts came in time."""
    _, whole, _ = aborted(beamline, SCANS[name], lambda count, msg: False)
    chosen = np.random.default_rng(number).choice(whole, number, replace=False)
    reached = 0
    for at in sorted(int(index) for index in chosen):
        documents, _, interrupted = aborted(beamline, SCANS[name], lambda count, msg, at=at: count == at)
        check_at_rest(ioc, beamline, documents)
        reached += interrupted
    return reached


def test_aborted_by_lot(simulated_beamline: RunningIoc, real: Beamline) -> None:
    assert abort_by_lot(simulated_beamline, real, "energy", 4) > 1


@pytest.mark.parametrize(
    ("name", "what", "before"),
    [
        ("energy", "mono", 0),
        ("fluence", "laser_fluence", 0),
        ("delay", "fpga", 1),
        ("background", "xray_shutter", 0),
    ],
)
def test_aborted_while_something_moves_or_counts(
    simulated_beamline: RunningIoc, real: Beamline, name: str, what: str, before: int
) -> None:
    """At the wait that follows a set or a trigger: in the middle of a move, a count, the travel of a shutter."""
    devices: list[str] = []

    def under_way(count: int, msg: Msg) -> bool:
        if msg.command in ("set", "trigger"):
            devices.append(getattr(msg.obj, "name", ""))
        return bool(msg.command == "wait" and devices.count(what) > before and devices[-4:].count(what))

    documents, _, interrupted = aborted(real, SCANS[name], under_way)
    assert interrupted
    assert len(documents.events()) == before
    assert [stop["exit_status"] for stop in documents.all("stop")] == ["abort"] * len(documents.all("start"))
    assert len(documents.all("start")) == (what != "xray_shutter")  # it shuts before the run begins
    check_at_rest(simulated_beamline, real, documents)


@pytest.mark.long
@pytest.mark.parametrize("name", SCANS)
def test_aborted_at_many_messages(simulated_beamline: RunningIoc, real: Beamline, name: str) -> None:
    assert abort_by_lot(simulated_beamline, real, name, 40) > 30
