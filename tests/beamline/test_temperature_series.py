"""The station with a thermostated cell: a temperature series against the truth, its refusals, faults and resume."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import epics
import h5py
import numpy as np
import pytest
from ophyd.utils import LimitError

from beamline.app.commands.diffraction import _files as images_named
from beamline.app.doctor.report import examine
from beamline.outputs.diffraction.content import read_patterns
from beamline.records.images import ImageError, read_image, square_camera
from beamline.session.session import Session, start
from devices.instruments.area_detector_hdf5 import AreaDetectorHdf5
from plans.execution.failures import InstrumentError
from plans.scans.temperature import compiled_temperature_series
from sim_ioc.physics.powder_rings import line_positions, phase_at
from sim_ioc.physics.powder_spectrum import PowderSpectrum
from sim_ioc.scenario.scenario import Scenario, load_scenario
from tests.beamline.session_runs import documents, events
from tests.beamline.station_files import load_station

pytest.importorskip("pyFAI", reason="pyFAI is not installed (extra 'thermal')")

RATE = 1000.0
COARSE = """
[edges.Br_K]
regions = [[13.450, 13.460, 5.0], [13.460, 13.500, 2.0], [13.500, 13.570, 35.0]]
"""


@pytest.fixture(scope="module")
def session(ioc_pool: Any, tmp_path_factory: Any) -> Iterator[Session]:
    folder: Path = tmp_path_factory.mktemp("superxas")
    ioc = ioc_pool.start("superxas", RATE)
    camera = 'class = "area_detector" '
    hdf5 = {camera: f'template = "%s%s_%5.5d.h5"\n{camera}'}
    config = load_station(folder, "superxas_simulated", ioc.prefix, clock_rate=RATE, more=COARSE, **hdf5)
    with start(config, fill_catalogue=False, notify=lambda _: None) as running:
        assert isinstance(running, Session)
        yield running
    ioc_pool.stop(ioc)


def series(session: Session, *args: Any, **kwargs: Any) -> tuple[str, ...]:
    plan = session.scans.plans["temperature_series"]
    return tuple(session.RE(plan(*args, edges="Br_K", **kwargs)).run_start_uids)


def true_static(scenario: Scenario, energy: Any, temperature: float) -> Any:
    assert scenario.powder is not None
    return PowderSpectrum(scenario.powder, scenario.sample)(energy, temperature)


def test_a_series_measures_spectra_and_an_image_at_each_temperature(session: Session) -> None:
    uids = series(session, [30, 60], dwell=2.0, exposure=5.0, passes=1)
    starts = [documents(session, uid)[0][1] for uid in uids]
    assert [(each["temperature"], each["scan_axis"]) for each in starts] == [
        (temperature, axis) for temperature in (30, 60, 30) for axis in ("mono_energy", "image")
    ]
    read = [event["data"] for uid in uids for event in events(documents(session, uid), "primary")]
    assert {each["quality"] for each in read} == {"good"}
    assert session.guard.failure is None
    at_60 = [each for each in read if abs(each["sample_temperature"] - 60) < 0.6]
    assert len(at_60) == 1 + len(starts[0]["grid"])
    files = [Path(each["pilatus_file"]) for each in read if "pilatus_file" in each]
    assert len(set(files)) == 3 and {file.suffix for file in files} == {".h5"}
    with h5py.File(files[1]) as file:
        assert (read_image(files[1]) == file["entry/data/data"][0]).all()
    camera = square_camera(195, 241.0, 45.3, 172.0, 12.9)
    peak = read_patterns({"60 degC": files[1]}, camera, [(2.05, 2.27)])[0].peaks[0]
    assert peak.one.peaks[0].position == pytest.approx(2.14, abs=0.01)  # type: ignore[union-attr]
    with pytest.raises(ImageError, match=r"taken at 12\.9 keV, not at 11 keV; give --energy 12\.9"):
        images_named(
            [starts[0]["series"]], 11.0, str(session.config.data.root.parent / "station.toml"), session.config.data.root
        )
    result = session.result(uids[2])
    assert result.detector.values.tolist() == ["combined", "e1", "e2", "e3", "e4", "e5"]
    assert result.agreement_p_value.item() > 1e-4
    energy = result.energy.values
    slips = np.linspace(2e-4, 6e-4, 9)
    truths = [true_static(load_scenario("superxas"), energy + slip, 60.0) for slip in slips]
    assert max(np.corrcoef(result.static.values[0], truth)[0, 1] for truth in truths) > 0.999


def test_the_plugin_writes_one_image_a_count_and_names_a_folder_that_cannot_be_made(
    session: Session, tmp_path: Path
) -> None:
    prefix = session.beamline["pilatus"].prefix.removesuffix("cam1:")
    camera = AreaDetectorHdf5(prefix, name="camera")
    camera.wait_for_connection(timeout=20)
    try:
        with pytest.raises(ValueError, match=r"has no folder for its files: set camera\.folder"):
            camera.stage()
        camera.folder.put(str(tmp_path / "images"))
        camera.preset_time.set(2.0).wait(5)
        for setting in (camera.auto_increment, camera.array_callbacks):  # by somebody else
            setting.set(0).wait(5)
        files = []
        for images in (1, 2):
            camera.stage()
            for _ in range(images):
                camera.trigger().wait(10)
                read = camera.read()
                assert (read["camera_captured"]["value"], read["camera_exposure"]["value"]) == (1, 2.0)
                files.append(Path(read["camera_file"]["value"]))
            camera.unstage()
        assert len(set(files)) == 3 and all(file.parent == tmp_path / "images" for file in files)
        assert read_image(files[0]).shape == (195, 487) and read_image(files[0]).max() > 20
        (tmp_path / "file").write_text("")
        camera.folder.put(str(tmp_path / "file"))
        camera.stage()
        camera.trigger().wait(10)
        with pytest.raises(RuntimeError, match=r"camera has written no image.*no file: .*WriteMessage"):
            camera.read()
        assert "no file" in camera.complaints()[0]
        camera.unstage()
    finally:
        camera.destroy()


def test_the_doctor_finds_every_record_of_the_station_sensible(session: Session) -> None:
    report = examine(session.config, read_only=True)
    assert len(report.records) > 80
    assert [each for each in report.records if each.findings] == []


def test_what_the_cell_cannot_do_is_refused_before_anything_moves(session: Session) -> None:
    with pytest.raises(LimitError, match=r"cell cannot go to 170 degC.*interlock trips at 160 degC"):
        series(session, [30, 170])
    with pytest.raises(LimitError, match=r"\[limits\]"):
        series(session, [30, 152])
    with pytest.raises(ValueError, match="below absolute zero"):
        series(session, [-300])
    with pytest.raises(ValueError, match="twice in a row"):
        series(session, [30, 30])
    with pytest.raises(ValueError, match="does not take target"):
        compiled_temperature_series([30], target=0.1)


def test_a_ramp_that_stands_still_is_named_and_the_series_resumes_at_that_temperature(session: Session) -> None:
    cell, started = session.beamline["cell"], list[str]()
    fault = f"{cell.prefix.removesuffix('X10DA-ES1-CELL:')}Fault:RampStuck"
    cell.stall.put(0.2)
    cell.ramp.set(100.0).wait(10)  # at which the block comes nearer by its tolerance in a sixth of a second

    def stick(name: str, doc: Any) -> None:
        started.append(doc["uid"])
        if len(started) == 2:  # the image at the first temperature: the next thing is the ramp
            epics.caput(fault, 1, wait=False)

    token = session.RE.subscribe(stick, "start")
    with pytest.raises(InstrumentError, match=r"cell: the ramp of the block to 45\.62 degC stands still"):
        series(session, [30, 45], exposure=1.0, back=False)
    session.RE.unsubscribe(token)
    epics.caput(fault, 0, wait=True)
    cell.stall.put(60.0)
    done = [documents(session, uid)[0][1] for uid in started]
    uids = session.RE(session.scans.resume("last")).run_start_uids
    resumed = [documents(session, uid)[0][1] for uid in uids]
    assert [(each["temperature"], each["scan_axis"]) for each in resumed] == [(45, "mono_energy"), (45, "image")]
    assert {each["series"] for each in resumed} == {done[0]["series"]}
    read = [event["data"] for uid in uids for event in events(documents(session, uid), "primary")]
    assert {each["quality"] for each in read} == {"good"}
    assert {round(each["sample_temperature"]) for each in read} == {45}


def test_an_interlock_that_trips_in_a_ramp_is_named_and_after_its_reset_the_cell_goes_on(session: Session) -> None:
    cell = session.beamline["cell"]
    cell.ramp.set(100.0).wait(10)
    cell.set(40.0).wait(20)
    cell.ramp.set(2.0).wait(10)  # half a second for 15 K
    ramping = cell.set(55.0)
    epics.caput(f"{cell.prefix}Maximum", 45.0)
    with pytest.raises(Exception, match=r"interlock has tripped .*reset it"):
        ramping.wait(20)
    assert "the interlock has tripped" in cell.complaints()[0]
    cell.maximum.set(160.0).wait(10)
    epics.caput(f"{cell.prefix}Reset", 1, wait=True)
    cell.ramp.set(100.0).wait(10)
    cell.set(30.0).wait(20)
    assert cell.is_at(30.0) and cell.complaints() == []


def test_lines_of_the_phases_move_together_above_the_transitions() -> None:
    scenario = load_scenario("superxas")
    assert scenario.powder is not None
    phases = scenario.powder.camera.phases
    names = [phase_at(phases, temperature).name for temperature in (25, 58, 60, 116, 118)]
    assert names == ["orthorhombic", "orthorhombic", "tetragonal", "tetragonal", "cubic"]
    cubic = line_positions(phase_at(phases, 120.0), 120.0)
    assert cubic[2] == pytest.approx(2 * 2 * np.pi / 5.874, rel=1e-3)  # (200)
