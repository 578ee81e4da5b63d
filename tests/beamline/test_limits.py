"""Soft limits of a configuration, on devices that are connected to the simulated beamline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import epics
import pytest
from ophyd.utils import LimitError

from beamline.app.doctor.finding import BAD
from beamline.app.doctor.soft_limits import check_soft_limits
from beamline.config.models import ConfigurationError, load
from beamline.station.build import build, instruments
from beamline.station.connect import connect
from beamline.station.limits import limited, set_limits
from plans.execution.run_scan import refuse_out_of_reach
from plans.scans.energy import compiled_energy_scan
from tests.beamline.configurations import configuration

LIMITS: dict[str, Any] = {
    "mono": [13.0, 13.6],
    "laser_delay": [-500.0, 20_000.0],
    "laser_fluence": [0.0, 9.0],
    "jet": [10.0, 300.0],
    "apd.bias": [50.0, 200.0],
    "stage.across": [-5.0, 5.0],
}
OUTSIDE = {
    "mono": 13.7,
    "laser_delay": 30_000.0,
    "laser_fluence": 9.5,
    "jet": 5.0,
    "apd.bias": 20.0,
    "stage.across": 6.0,
}


@pytest.fixture(scope="module")
def devices(simulated_beamline: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """All devices, connected, within the limits above."""
    config = configuration(tmp_path_factory.mktemp("limits"), limits=LIMITS)
    beamline = build(config)
    connect(beamline.devices(), 10.0)
    set_limits(config, beamline.devices())
    return beamline


@pytest.mark.parametrize("name", LIMITS)
def test_a_position_outside_is_refused_by_name_before_anything_is_sent(devices: Any, name: str) -> None:
    device = limited(devices.devices())[name]
    before = device.target
    with pytest.raises(LimitError, match=r"is kept within .* by the \[limits\]") as error:
        device.set(OUTSIDE[name])
    assert device.name in str(error.value) and device.target == before
    low, high = LIMITS[name]
    assert device.limits == pytest.approx((low, high))
    device.check_value((low + high) / 2)


def test_the_angle_is_no_way_around_the_limits_of_the_energy(devices: Any) -> None:
    angle = devices.mono.angle
    here = float(angle.theta.get())
    angle.check_value(here)
    with pytest.raises(LimitError, match="mono cannot go to 14"):
        angle.check_value(here * devices.mono.position / 14.2)


def test_a_scan_that_leaves_them_is_refused_before_it_moves(devices: Any) -> None:
    compiled_scan = compiled_energy_scan(energies=[13.45, 13.55, 13.65], delay=100.0)
    setpoint = epics.caget("sim:7ida:BraggEAO")
    with pytest.raises(LimitError, match=r"mono cannot go to 13\.65 keV"):
        refuse_out_of_reach(instruments(devices, 200.0), compiled_scan)
    assert epics.caget("sim:7ida:BraggEAO") == setpoint


def test_limits_outside_those_of_the_records_are_named_together(devices: Any, tmp_path: Path) -> None:
    config = configuration(tmp_path, limits={"mono": [3.0, 13.0], "stage.along": [-99.0, 0.0], "jet": [0.0, 50.0]})
    fresh = build(config).devices()
    connect(fresh, 10.0)
    with pytest.raises(ConfigurationError) as error:
        set_limits(config, fresh)
    output = str(error.value)
    assert "mono: mono cannot go to 3.00000 keV" in output and "stage.along: stage_along cannot go to -99 mm" in output
    assert "jet" not in output
    found = check_soft_limits(config, fresh)
    assert [finding.what for finding in found] == ["limits of mono", "limits of stage.along"]
    assert {finding.state for finding in found} == {BAD}


@pytest.mark.parametrize(
    ("limits", "phrase"),
    [
        ({"mono": [13.6, 13.0]}, "limits: the lower one comes first: mono = [13.6, 13]"),
        ({"mono": [13.0, float("nan")]}, "limits.mono.1"),
        ({"mono": [13.0]}, "limits.mono"),
    ],
)
def test_limits_without_an_inside_are_refused(limits: Any, phrase: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        load("simulated", limits=limits)
    assert phrase in str(error.value)


def test_limits_of_unknown_devices_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"limits: fpga has no soft limits; available are mono, mono\.angle"):
        build(configuration(tmp_path, limits={"fpga": [0.0, 1.0]}))
