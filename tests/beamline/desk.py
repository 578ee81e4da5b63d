"""A session that has made one scan, for the tests of what a session offers beside its scans."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bluesky.plan_stubs as bps
import pytest
from bluesky.utils import MsgGenerator

from beamline.records.journal import read
from beamline.session.session import Session, start
from tests.beamline.configurations import configuration

ENERGIES = [13.45, 13.46, 13.472, 13.53, 13.57]


USERS = ("A. Curie", "B. Auger")


@pytest.fixture(scope="module")
def session(simulated_beamline: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A session that has made one scan."""
    root = tmp_path_factory.mktemp("desk")
    config = configuration(root, proposal="GUP-1", users=list(USERS), limits={"stage.across": [-5.0, 5.0]})
    with start(config, fill_catalogue=False, notify=lambda _: None) as running:
        assert isinstance(running, Session)
        running.RE(running.energy_scan(energies=ENERGIES, dwell=0.5))
        yield running


def empty_run() -> MsgGenerator[None]:
    yield from bps.open_run({"plan_name": "nothing"})
    yield from bps.close_run()


def start_of_first(session: Session) -> dict[str, Any]:
    starts = [next(iter(read(path)))[1] for path in sorted(session.journal.directory.glob("*.trxas"))]
    return next(doc for doc in starts if "scan_axis" in doc and "analysis_of" not in doc)


def first_raw(session: Session) -> str:
    return str(start_of_first(session)["uid"])
