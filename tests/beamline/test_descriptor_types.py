"""An integer that was put to a record of floats: the descriptor does not follow it, and the run is stored whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
import pytest
from bluesky.utils import MsgGenerator

from beamline.records.catalogue.client import read_stream
from beamline.records.catalogue_writer.lag import incomplete_runs
from beamline.records.journal import read, run_file
from beamline.session.session import Session, start
from tests.beamline.catalogue_writing import Open, write_catalogue
from tests.beamline.configurations import configuration
from tests.helpers.ioc_process import RunningIoc

PATHS = ("i0.preset_time", "fpga.preset_time", "boxcar.preset_time", "laser_delay.t0")


@pytest.fixture
def session(simulated_beamline: RunningIoc, tmp_path: Path) -> Any:
    with start(configuration(tmp_path), fill_catalogue=False, notify=lambda _: None) as running:
        assert isinstance(running, Session)
        yield running


def signal(session: Session, path: str) -> Any:
    found: Any = session.beamline
    for name in path.split("."):
        found = getattr(found, name)
    return found


def test_a_descriptor_says_number_whatever_was_put(
    session: Session, tmp_path: Path, catalogue: Path, opened: Open
) -> None:
    signals = [signal(session, path) for path in PATHS]
    before = [each.get() for each in signals]
    described = [each.describe()[each.name]["dtype"] for each in signals]
    assert described == ["number"] * len(PATHS)

    def puts(value: float) -> MsgGenerator[None]:
        for each in signals:
            yield from bps.abs_set(each, value, group="put")
        yield from bps.wait("put")
        yield from bps.trigger_and_read(signals)

    @bpp.run_decorator(md={"plan_name": "puts"})
    def run() -> MsgGenerator[None]:
        yield from puts(1)
        yield from puts(1.5)

    (uid,) = session.RE(run()).run_start_uids
    for each, value in zip(signals, before, strict=True):
        each.put(value)
    (descriptor,) = [
        doc for name, doc in read(run_file(tmp_path, uid)) if name == "descriptor" and doc["name"] == "primary"
    ]
    names = [each.name for each in signals]
    kinds = {name: descriptor["data_keys"][name]["dtype"] for name in names}
    assert kinds == dict.fromkeys(names, "number")
    assert write_catalogue(tmp_path, catalogue)
    assert not incomplete_runs(tmp_path, catalogue)
    stored = read_stream(opened(catalogue), uid, "primary")
    for name in names:
        assert list(stored[name]) == [1.0, 1.5]
    assert session.RE(session.energy_scan(energies=[13.46, 13.472], dwell=1.0, passes=1)).exit_status == "success"
