"""A station with energy, counter and I0 alone: a scan has the laser off, and gives the static spectrum."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from beamline.records.runs.run import RunError
from beamline.session.session import Session, start
from beamline.studies.expectation import ask_expectation, expected_spectrum
from plans.protocols import MissingRoleError
from tests.beamline.configurations import ENERGIES, configuration, without
from tests.beamline.session_runs import documents, events

LACKING = (
    "laser",
    "laser_delay",
    "laser_fluence",
    "timing",
    "ring",
    "xray_shutter",
    "jet",
    "apd",
    "boxcar",
    "digitiser",
)


@pytest.fixture
def session(simulated_beamline: Any, tmp_path: Path) -> Iterator[Session]:
    config = without(configuration(tmp_path), *LACKING).model_copy(update={"checks": ()})
    with start(config, fill_catalogue=False, notify=lambda _: None) as running:
        assert isinstance(running, Session)
        yield running


def test_a_scan_of_a_station_without_a_laser_gives_the_static_spectrum(session: Session) -> None:
    with pytest.raises(RunError, match="no runs here yet"):
        session.result()
    (uid,) = session.RE(session.energy_scan(energies=ENERGIES, dwell=2.0, pattern=(0, 0))).run_start_uids
    raw = documents(session, uid)
    assert {event["data"]["quality"] for event in events(raw, "primary")} == {"good"}
    assert "pump_delay" not in raw[0][1] and session.guard.failure is None
    result = session.result()
    truth = expected_spectrum(ask_expectation("default", np.array(ENERGIES), 100.0, 8.8), session.reducer.settings)
    assert set(result.data_vars) == {"static", "static_stddev", "dwells"}
    assert np.abs(result.static.values[0] - truth.static).max() < 0.15  # the jet drifts by per cents
    assert np.corrcoef(result.static.values[0], truth.static)[0, 1] > 0.999
    for plan, arguments in (("delay_scan", {"energies": 13.472}), ("fluence_scan", {"energy": 13.472})):
        with pytest.raises(MissingRoleError, match=r"no device in the role \w+; write"):
            session.RE(session.scans.plans[plan](**arguments))
    session.RE(session.energy_scan(energies=ENERGIES, dwell=2.0))  # by default in the pattern that needs no laser
    assert session.result().dwells.sel(laser="off").values.tolist() == [1] * len(ENERGIES)
