"""Scans of a session on the simulated beamline, and their documents in its journal."""

from __future__ import annotations

import pytest

from beamline.records.journal import read, run_file
from beamline.session.session import start
from tests.beamline.configurations import ENERGIES, configuration


@pytest.fixture
def session(simulated_beamline, tmp_path):
    with start(configuration(tmp_path), fill_catalogue=False, notify=lambda _: None) as running:
        yield running


def documents(session, uid):
    return list(read(run_file(session.config.data.root, uid)))


def reduced_of(session, uid):
    """Documents of the reduced run of a raw run."""
    for path in sorted(session.journal.directory.glob("*.trxas")):
        docs = list(read(path))
        if docs[0][1].get("analysis_of") == uid:
            return docs
    raise AssertionError(f"no reduced run of {uid}")


def events(docs, stream):
    names = {doc["uid"]: doc["name"] for name, doc in docs if name == "descriptor"}
    return [doc for name, doc in docs if name == "event" and names[doc["descriptor"]] == stream]


def scan(session, **kwargs):
    return session.RE(session.energy_scan(**{"energies": ENERGIES, "dwell": 2.0, "delay": 100.0, **kwargs}))
