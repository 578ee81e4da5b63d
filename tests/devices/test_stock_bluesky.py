"""The devices in bluesky as it comes: its plans, its tables and its best-effort callback, without any set-up."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.plans as bp
import numpy as np
import pytest
from bluesky import RunEngine
from bluesky.callbacks import LiveTable
from bluesky.callbacks.best_effort import BestEffortCallback
from bluesky.utils import FailedStatus
from event_model import DocumentNames, schema_validators
from ophyd.utils import LimitError

from beamline.station.build import Beamline
from devices.instruments.laser import Laser
from devices.instruments.mono import Monochromator
from tests.devices.builds import DEVICES, record
from tests.devices.conftest import SOFT, Make


class Documents:
    """Every document, checked against its schema as it comes."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Mapping[str, Any]]] = []

    def __call__(self, name: str, doc: Mapping[str, Any]) -> None:
        schema_validators[DocumentNames[name]].validate(doc)
        self.seen.append((name, doc))

    def data(self) -> list[Mapping[str, Any]]:
        return [doc["data"] for name, doc in self.seen if name == "event"]


@pytest.fixture
def documents(engine: RunEngine) -> Documents:
    documents = Documents()
    engine.subscribe(documents)
    return documents


def table_rows(text: str) -> list[list[str]]:
    """Cells of the rows of a printed table, headings first."""
    rows = [line.split("|")[1:-1] for line in text.splitlines() if re.match(r"^\|.*\|$", line)]
    return [[cell.strip() for cell in row] for row in rows]


def test_count(sim: Beamline, engine: RunEngine, documents: Documents) -> None:
    engine(bp.count([sim.fpga, sim.i0], num=3))
    assert [name for name, _ in documents.seen] == ["start", "descriptor", *3 * ["event"], "stop"]
    for data in documents.data():
        assert data["fpga_counts"].shape == (120,)
        assert data["i0"] / data["i0_time"] == pytest.approx(1e6, rel=0.05)
    assert not np.array_equal(documents.data()[0]["fpga_counts"], documents.data()[1]["fpga_counts"])


def test_scan_goes_where_it_is_sent(sim: Beamline, engine: RunEngine, documents: Documents) -> None:
    engine(bp.scan([sim.i0], sim.mono, 13.46, 13.48, 5))
    energies = [data["mono_energy"] for data in documents.data()]
    assert energies == pytest.approx([13.46, 13.465, 13.47, 13.475, 13.48], abs=6e-5)


@pytest.mark.parametrize("name", sorted(set(DEVICES) - {"digitiser"}))  # a plan has to declare its stream of blocks
def test_every_device_can_be_counted(sim: Beamline, engine: RunEngine, documents: Documents, name: str) -> None:
    device = sim.devices()[name]
    engine(bp.count([device]))
    assert list(documents.data()[0]) == list(device.describe())


@pytest.mark.parametrize(
    ("path", "key", "positions"),
    [
        ("mono", "mono_energy", [13.46, 13.455, 13.47]),
        ("mono.angle", "mono_angle", [12.8, 12.81, 12.79]),
        ("laser_delay", "laser_delay", [-50.0, 12_000.0, 0.5]),
        ("laser_fluence", "laser_fluence", [1.0, 8.0, 4.0]),
        ("jet", "jet_flow", [180.0, 220.0, 200.0]),
        ("stage.across", "stage_across", [0.5, -0.5, 0.0]),
        ("xray_shutter", "xray_shutter", [0, 1, 1]),
        ("laser.shutter", "laser_shutter_status", [1, 0, 0]),
    ],
)
def test_list_scan_of_everything_that_moves(
    sim: Beamline,
    engine: RunEngine,
    documents: Documents,
    capsys: pytest.CaptureFixture[str],
    path: str,
    key: str,
    positions: list[float],
) -> None:
    """With the best-effort callback as it comes: a column for what moves."""
    device: Any = sim
    for name in path.split("."):
        device = getattr(device, name)
    best_effort = BestEffortCallback()
    best_effort.disable_plots()
    engine.subscribe(best_effort)
    engine(bp.list_scan([sim.i0], device, positions))
    assert [data[key] for data in documents.data()] == pytest.approx(
        positions, rel=2e-3, abs=0.2 * (path == "laser_delay")
    )
    rows = table_rows(capsys.readouterr().out)
    assert {key, "i0"} <= set(rows[0])
    assert len(rows) == 1 + len(positions)


def test_delay_and_shutter_move_in_plans(sim: Beamline, engine: RunEngine, documents: Documents) -> None:
    engine(bp.scan([sim.laser], sim.laser_delay, -500, 500, 3))
    assert [data["laser_delay"] for data in documents.data()] == pytest.approx([-500, 0, 500], abs=0.1)
    engine(bps.mv(sim.laser.shutter, 1))
    assert record("sim:7idd:Laser:ShutterStatus_RBV") == 1


def test_live_table(sim: Beamline, engine: RunEngine, capsys: pytest.CaptureFixture[str]) -> None:
    engine(bp.scan([sim.i0], sim.mono, 13.46, 13.47, 2), LiveTable(["mono_energy", "i0"]))
    rows = table_rows(capsys.readouterr().out)
    assert rows[0][0] == "seq_num"
    assert rows[0][2:] == ["mono_energy", "i0"]
    assert len(rows) == 3
    assert [float(row[2]) for row in rows[1:]] == pytest.approx([13.46, 13.47], abs=6e-5)


def test_best_effort_callback(sim: Beamline, engine: RunEngine, capsys: pytest.CaptureFixture[str]) -> None:
    best_effort = BestEffortCallback()
    best_effort.disable_plots()
    engine.subscribe(best_effort)
    engine(bp.scan([sim.i0, sim.fpga, sim.laser], sim.mono, 13.46, 13.47, 2))
    printed = capsys.readouterr().out
    rows = table_rows(printed)
    assert {"mono_energy", "i0", "laser_shutter_status"} <= set(rows[0])
    energies = [row[rows[0].index("mono_energy")] for row in rows[1:]]
    assert [float(energy) for energy in energies] == pytest.approx([13.46, 13.47], abs=6e-5)
    assert all("." in energy and len(energy.split(".")[1]) == 6 for energy in energies)  # as precise as the record
    assert "generator scan" in printed


def test_a_scan_past_the_limits_moves_nothing(sim: Beamline, engine: RunEngine) -> None:
    before = record("sim:7ida:BraggEAO")
    with pytest.raises(LimitError, match="mono cannot go to 25"):
        engine(bp.scan([sim.i0], sim.mono, 25, 26, 2))
    assert record("sim:7ida:BraggEAO") == before


def test_a_move_that_fails_ends_the_plan_with_the_reason(soft: Make, engine: RunEngine) -> None:
    mono = soft(Monochromator, "mono-short:")
    mono.grace.put(0.2)
    with pytest.raises(FailedStatus) as error:
        engine(bps.mv(mono, 13.47))
    assert str(error.value.__cause__).startswith("probe: stopped at 13.46900 keV, 1.000 eV from 13.47000 keV")


def test_plans_run_on_another_server(soft: Make, engine: RunEngine, documents: Documents) -> None:
    mono, laser = soft(Monochromator, "mono-good:"), soft(Laser, "laser:")
    engine(bp.scan([], mono, 13.46, 13.47, 3))
    assert [data["probe_energy"] for data in documents.data()] == pytest.approx([13.46, 13.465, 13.47])
    engine(bps.mv(laser.shutter, 1))
    assert record(f"{SOFT}laser:ShutterStatus_RBV") == 1
    engine(bps.mv(laser.shutter, 0))
    assert record(f"{SOFT}laser:ShutterStatus_RBV") == 0
