"""Kinetics during a delay scan: the same as at its end, in another thread, without delaying the scan."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from beamline.session.live_fit import LiveKinetics
from reduction.live.reducer import LiveReducer
from tests.beamline.axis_runs import two_passes
from tests.beamline.raw_scans import scan_set_of
from tests.beamline.test_axis_runs import data_of


@pytest.fixture
def chain():
    seen = []
    reducer = LiveReducer(lambda name, doc: seen.append((name, doc)))
    kinetics = LiveKinetics(reducer)
    yield seen, reducer, kinetics
    kinetics.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "live kinetics"]


def feed(reducer, kinetics, documents):
    for name, doc in documents:
        reducer(name, doc)
        kinetics(name, doc)


def test_the_last_live_fit_is_that_of_the_whole_pass(chain):
    seen, reducer, kinetics = chain
    feed(reducer, kinetics, two_passes("laser_delay")[0])
    assert kinetics.wait(60)
    (stored,) = data_of(seen, "kinetics")
    assert kinetics.latest.fit is not None and kinetics.latest.trace is not None
    np.testing.assert_array_equal(kinetics.latest.fit.lifetimes, stored["lifetimes"])
    np.testing.assert_array_equal(kinetics.latest.fit.intervals, stored["intervals"])


def test_it_reports_why_there_is_no_fit_yet(chain):
    _, reducer, kinetics = chain
    documents = two_passes("laser_delay")[0]
    assert kinetics.latest.why_not == "no delay scan yet"
    feed(reducer, kinetics, documents[:6])  # start, descriptor, one point: before time zero
    assert kinetics.wait(60)
    assert kinetics.latest.fit is None and "before time zero" in kinetics.latest.why_not


def test_energy_scans_are_ignored(chain):
    _, reducer, kinetics = chain
    feed(reducer, kinetics, scan_set_of(1)[0])
    assert kinetics.wait(1) and kinetics.latest.why_not == "no delay scan yet"
    assert kinetics._thread is None


def test_a_failed_fit_is_reported_and_the_next_one_is_made(chain, monkeypatch):
    _, reducer, kinetics = chain
    documents = two_passes("laser_delay")[0]
    with monkeypatch.context() as broken:
        broken.setattr("beamline.session.live_fit.fit_kinetics", lambda trace, settings: 1 / 0)
        feed(reducer, kinetics, documents[:-1])
        assert kinetics.wait(60)
    assert "ZeroDivisionError" in kinetics.latest.why_not
    kinetics("event", documents[-2][1])
    assert kinetics.wait(60) and kinetics.latest.fit is not None
