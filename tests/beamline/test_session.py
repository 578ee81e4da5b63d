"""The complete chain on the simulated beamline: scan, journal, live reduction, catalogue."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from event_model import DocumentNames, schema_validators
from event_model.documents import Event

from beamline.records.catalogue.client import close_catalogue, open_catalogue, read_stream, run_documents
from beamline.session.session import start
from beamline.studies.expectation import ask_expectation, expected_spectrum
from reduction.counting.phases import Pattern
from tests.beamline.catalogue_writing import write_catalogue
from tests.beamline.configurations import ENERGIES, FEATURE, configuration
from tests.beamline.session_runs import documents, events, reduced_of, scan
from tests.beamline.session_runs import session as session

STEADY = {"jet": {"thickness_rms": 0.0, "pass_to_pass_rms": 0.0}, "delay": {"drift_ps_per_h": 0.0}}
LARGEST_CHI_SQUARE = 28.0
"""Of six numbers; 99.99 % of right results lie below."""


def test_a_scan_is_journalled_reduced_and_validates(session):
    uids = scan(session, passes=2).run_start_uids
    assert len(uids) == 2
    for number, uid in enumerate(uids):
        docs, reduced = documents(session, uid), reduced_of(session, uid)
        for name, doc in docs + reduced:
            schema_validators[DocumentNames[name]].validate(plain(doc))
        primary = events(docs, "primary")
        assert [e["data"]["laser_on"] for e in primary] == [1, 0, 0, 1] * len(ENERGIES)
        assert [e["data"]["point_index"] for e in primary] == sorted(list(range(len(ENERGIES))) * 4)
        assert all(e["data"]["quality"] == "good" for e in primary)
        points, spectra = events(reduced, "points"), events(reduced, "spectrum")
        assert len(points) == len(primary) and len(spectra) == 1
        assert reduced[0][1]["accumulates"] == list(uids[:number])
        assert docs[0][1]["mode"] == reduced[0][1]["mode"] == "sim"
        assert spectra[0]["data"]["dwells"].tolist() == [[2 * (number + 1)] * len(ENERGIES)] * 2
    assert session.beamline.laser.shutter.status.get() == 0
    assert session.guard.failure is None


def plain(value):
    """Arrays as the lists that the schemas know."""
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def test_the_transient_agrees_with_the_truth(start_ioc, tmp_path):
    """Chi-square of 2 slots x 3 points, without noise of the jet and drift of time zero."""
    ioc = start_ioc("demo")
    with start(configuration(tmp_path, ioc.prefix), fill_catalogue=False, notify=lambda _: None) as session:
        scan(session, passes=2, dwell=6.0)
        spectrum, settings = session.reducer.spectrum(), session.reducer.settings
    truth = expected_spectrum(ask_expectation("demo", spectrum.energy, 100.0, 8.8), settings)
    pull = (spectrum.transient - truth.transient) / spectrum.transient_stddev
    assert (pull[:2, 3:6] ** 2).sum() < LARGEST_CHI_SQUARE
    assert abs(truth.transient[0, FEATURE]) > 8 * spectrum.transient_stddev[0, FEATURE]


@pytest.mark.long
def test_arrays_come_back_from_the_catalogue_as_the_integers_they_were(session):
    (uid,) = scan(session).run_start_uids
    session.close()
    assert write_catalogue(session.config.data.root, session.config.data.catalogue_address)
    taken = events(documents(session, uid), "primary")
    reduced = reduced_of(session, uid)
    catalogue = open_catalogue(session.config.data.catalogue_address)
    try:
        stored = read_stream(catalogue, uid, "primary")
        spectrum = read_stream(catalogue, reduced[0][1]["uid"], "spectrum")
        start_doc = run_documents(catalogue, uid)["start"]
    finally:
        close_catalogue(catalogue)
    for key in ("fpga_counts", "fpga_gates", "fpga_coincidences", "laser_phase"):
        expected = np.array([event["data"][key] for event in taken])
        assert stored[key].dtype.kind == "i" and stored[key].shape == expected.shape
        np.testing.assert_array_equal(stored[key], expected)
    np.testing.assert_array_equal(spectrum["transient"][-1], events(reduced, "spectrum")[0]["data"]["transient"])
    assert start_doc["versions"]["bluesky"] and start_doc["t0"] == pytest.approx(169.78e-9)


def test_a_replay_of_the_raw_documents_gives_the_live_numbers_to_the_bit(session):
    from reduction.live.reducer import LiveReducer

    uids = scan(session, passes=2).run_start_uids
    again: list[tuple[str, Event]] = []
    reducer = LiveReducer(lambda name, doc: again.append((name, doc)))
    for uid in uids:
        for name, doc in documents(session, uid):
            reducer(name, doc)
    replayed = [doc["data"] for name, doc in again if name == "event"]
    live = [doc["data"] for uid in uids for name, doc in reduced_of(session, uid) if name == "event"]
    assert len(live) == len(replayed) == 2 * (4 * len(ENERGIES) + 5)  # spectrum, honesty, ledger, two boxcars
    for ours, theirs in zip(live, replayed, strict=True):
        assert ours.keys() == theirs.keys()
        for key in ours:
            np.testing.assert_array_equal(ours[key], theirs[key], err_msg=key)


def test_another_scenario_changes_the_answer_without_a_change_of_code(start_ioc, tmp_path):
    other = {
        "seed": 5,
        "ring": {"num_bunches": 48, "bunch_spread_rms": 0.1},
        "laser": {"divider": 7, "phase": 3},
        "sample": {"mu_white_line": 0.3, "br_k": {"transient_fraction": 0.06}},
        "kinetics": {"lifetimes_ps": [500.0, 1e5], "amplitudes": [0.5, 0.5]},
        **STEADY,
    }
    ioc = start_ioc(other)
    with start(configuration(tmp_path, ioc.prefix), fill_catalogue=False, notify=lambda _: None) as session:
        scan(session, dwell=6.0)
        spectrum, settings = session.reducer.spectrum(), session.reducer.settings
    assert spectrum.transient.shape == (7, len(ENERGIES))
    scenario = next(tmp_path.glob("scenario*.toml"))
    truth = expected_spectrum(ask_expectation(scenario, spectrum.energy, 100.0, 8.8), settings)
    pull = (spectrum.transient - truth.transient) / spectrum.transient_stddev
    assert (pull[:2, 3:6] ** 2).sum() < LARGEST_CHI_SQUARE
    assert spectrum.transient[0, FEATURE] > 10 * spectrum.transient_stddev[0, FEATURE]


def test_324_bunches_with_divider_4_work_by_slots_and_laser_shutter(start_ioc, tmp_path):
    ioc = start_ioc({"ring": {"num_bunches": 324}, "laser": {"divider": 4}, **STEADY})
    with start(configuration(tmp_path, ioc.prefix), fill_catalogue=False, notify=lambda _: None) as session:
        scan(session, dwell=6.0)
        spectrum, settings = session.reducer.spectrum(), session.reducer.settings
    assert spectrum.transient.shape == (4, len(ENERGIES)) and spectrum.reference == "combined"
    scenario = next(tmp_path.glob("scenario*.toml"))
    truth = expected_spectrum(ask_expectation(scenario, spectrum.energy, 100.0, 8.8), settings)
    pull = (spectrum.transient - truth.transient) / spectrum.transient_stddev
    assert np.isfinite(pull).all() and (pull[:2, 3:6] ** 2).sum() < LARGEST_CHI_SQUARE


def test_pattern_of_the_default_scenario_is_that_of_the_experiment(session):
    timing = session.beamline.timing
    pattern = Pattern(timing.num_bunches.get(), timing.laser_divider.get(), 0, timing.bunch_rate.get())
    assert pattern.num_phases == 120
    assert timing.laser_rate.get() == pytest.approx(1.303459e6, rel=1e-6)
    assert replace(pattern, divider=4).slots_share_bunches is False
