"""Two counters, a boxcar, a diode and a foil from the configuration to the result, on a simulated beamline with all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from beamline.records.runs.job import plan_job
from beamline.records.runs.journal_runs import JournalRuns
from beamline.records.runs.replay import replay
from beamline.session.session import Session, start
from tests.beamline.session_runs import documents, events, reduced_of
from tests.beamline.station_files import CHAMBERS, load_station

pytestmark = pytest.mark.long  # a simulator and a session of their own
OFFSET = 4e-4
"""keV; true minus shown energy."""
SCENARIO = f"""
[apd2]
solid_angle = 0.5
background = 1.3
laser_light = 20.0
threshold_mV = 45.0
[transmission]
foil_e0_keV = 13.4737
[monochromator]
offset_eV = {1e3 * OFFSET}
repeatability_eV = 0.0
"""
DETECTORS = f"""{CHAMBERS}[devices.fpga2]
class = "photon_counter"
prefix = "sim:7idd:FPGA2:"
server = "station_server"
[detectors.front]
kind = "counter"
device = "fpga"
[detectors.back]
kind = "counter"
device = "fpga2"
[detectors.peak]
kind = "boxcar"
device = "boxcar.box1"
[detectors.late]
kind = "boxcar"
device = "boxcar.box2"
slot = 4
"""
ENERGIES = [13.450, 13.455, *np.round(13.4682 + 0.0008 * np.arange(14), 6).tolist(), 13.53, 13.57]
ROLES = {
    'counters = ["fpga", "boxcar"]': 'counters = ["fpga", "fpga2", "boxcar"]',
    'readables = ["laser", "laser_fluence", "ring", "jet", "apd"]':
        'readables = ["laser", "laser_fluence", "ring", "jet", "apd", "it", "ifoil"]',
}  # fmt: skip


@pytest.fixture(scope="module")
def session(ioc_pool: Any, tmp_path_factory: Any) -> Iterator[Session]:
    folder: Path = tmp_path_factory.mktemp("detectors")
    scenario = folder / "detectors.toml"
    scenario.write_text(SCENARIO)
    ioc = ioc_pool.start(scenario, 400.0)
    more = DETECTORS.replace('"sim:', f'"{ioc.prefix}')
    config = load_station(folder, "simulated", ioc.prefix, clock_rate=400.0, more=more, **ROLES)
    with start(config, fill_catalogue=False, notify=lambda _: None) as running:
        assert isinstance(running, Session)
        yield running
    ioc_pool.stop(ioc)


def test_every_detector_has_its_result(session: Session) -> None:
    (uid,) = session.RE(session.energy_scan(energies=ENERGIES, delay=100.0, dwell=3.0)).run_start_uids
    raw = documents(session, uid)
    assert set(raw[0][1]["detectors"]) == {"front", "back", "diode", "foil1", "peak", "late"}
    assert {event["data"]["quality"] for event in events(raw, "primary")} == {"good"}
    found = reduced_of(session, uid)
    (of_all,) = [event["data"] for event in events(found, "detectors")]
    assert of_all["disagrees"] == "" and of_all["share"][0] > of_all["share"][1] > 0.2
    errors = [
        np.nanmean(events(found, stream)[0]["data"]["static_stddev"] ** 2)
        for stream in ("spectrum", "spectrum_front", "spectrum_back")
    ]
    assert max(errors) < 2 * min(errors)  # the jet dominates, which all of them share
    (diode,) = [event["data"] for event in events(found, "diode")]
    (counted,) = [event["data"] for event in events(found, "spectrum")]
    assert diode["pairs"] == 2
    assert np.corrcoef(diode["static"], counted["static"])[0, 1] > 0.99
    (foil,) = [event["data"] for event in events(found, "foil1")]
    assert foil["shift"][0] == pytest.approx(OFFSET, abs=4 * foil["shift_stddev"][0])
    assert foil["shift_stddev"][0] < 1.5e-4
    result = session.result()
    assert result.kind.values.tolist() == ["counter"] * 3 + ["transmission", "foil", "boxcar", "boxcar"]
    assert np.isfinite(result.transient.sel(detector="peak", slot=0)).any()
    assert np.isfinite(result.transient.sel(detector="late", slot=4)).any()
    assert np.isfinite(result.transient_mean.sel(detector="diode")).any()
    assert result.energy_shift.sel(detector="foil1").values == pytest.approx(foil["shift"])
    compared = {str(quantity) for quantity in result.quantity.values}
    assert {"peak static", "peak transient", "late transient", "diode transient"} <= compared
    assert "disagree" not in result.attrs["notes"], result.attrs["notes"]


def test_the_foil_moves_the_spectrum_to_the_true_energies(session: Session) -> None:
    plan = session.energy_scan(energies=ENERGIES, delay=100.0, dwell=3.0, settings={"foil": "apply"})
    (uid,) = session.RE(plan).run_start_uids
    spectrum = session.reducer.spectrum()
    (foil,) = [event["data"] for event in events(reduced_of(session, uid), "foil1")]
    assert foil["applied"] == 1 and "Energies are by the edge of the foil foil1" in str(spectrum.notes)
    store = JournalRuns(session.config.data.root)
    (reported,) = replay(store, store.runs(), plan_job(store.runs(), uid, {"foil": "report"}))
    (shown,) = [event["data"] for event in events(reported.documents, "spectrum")]
    moved = half_way_up(spectrum.static) - half_way_up(shown["static"])
    assert moved == pytest.approx(foil["shift"][0], abs=1e-4)  # the grid is coarse
    assert moved == pytest.approx(OFFSET, abs=2.5e-4)


def half_way_up(static: Any) -> float:
    """Energy (keV) at which a spectrum has risen to half of its maximum."""
    top = int(np.argmax(static))
    rising = slice(int(np.flatnonzero(static[:top] < 0.2 * static[top])[-1]), top + 1)
    return float(np.interp(0.5 * static[top], static[rising], np.array(ENERGIES)[rising]))


def test_each_counter_has_the_background_of_its_own(session: Session) -> None:
    (background,) = session.RE(session.scans.plans["background_run"](dwell=20.0, repeats=1)).run_start_uids
    plan = session.energy_scan(energies=ENERGIES, delay=100.0, dwell=1.0, background=background)
    (uid,) = session.RE(plan).run_start_uids
    entries = documents(session, uid)[0][1]["detectors"]
    light = [np.mean(entries[name]["background_on"]) for name in ("front", "back")]
    assert light[1] / light[0] == pytest.approx(20.0, rel=0.3)
    assert "background_on" not in entries["diode"]
    assert session.reducer.spectrum().used.all()
