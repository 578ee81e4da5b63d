"""The complete chain on the simulated beamline: scan, journal, live reduction, catalogue; and its faults."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import epics
import numpy as np
import pytest
from event_model import DocumentNames, schema_validators
from event_model.documents import Event

from beamline.records.catalogue.client import close_catalogue, open_catalogue, read_stream, run_documents
from beamline.records.journal import read, run_file
from beamline.session.session import SessionError, start
from beamline.station.connect import NotConnectedError
from beamline.studies.expectation import ask_expectation, expected_spectrum
from reduction.counting.phases import Pattern
from tests.beamline.configurations import ENERGIES, FEATURE, configuration
from tests.beamline.filling import fill
from tests.devices.builds import until

STEADY = {"jet": {"thickness_rms": 0.0, "pass_to_pass_rms": 0.0}}


@pytest.fixture
def session(simulated_beamline, tmp_path):
    with start(configuration(tmp_path), fill_catalogue=False, notify=lambda _: None) as running:
        yield running


@pytest.fixture
def fault():
    """Puts a fault on the simulated beamline and takes it away at the end."""
    raised = []

    def put(name: str, value: int = 1, prefix: str = "sim:"):
        record = f"{prefix}Fault:{name}"
        raised.append(record)
        assert epics.caput(record, value, wait=True) == 1

    yield put
    for record in raised:
        epics.caput(record, 0, wait=True)
        if record.endswith("BeamDump"):  # without beam there is no permit, and the X-ray shutter shuts
            epics.caput(record.replace("Fault:BeamDump", "7ida:rShtrA:Open"), 1, wait=True)


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
    """Chi-square of 2 slots x 3 points, no jet noise: 99.99 % of right results lie below 28."""
    ioc = start_ioc("demo")
    with start(configuration(tmp_path, ioc.prefix), fill_catalogue=False, notify=lambda _: None) as session:
        scan(session, passes=2, dwell=6.0)
        spectrum, settings = session.reducer.spectrum(), session.reducer.settings
    truth = expected_spectrum(ask_expectation("demo", spectrum.energy, 100.0, 8.8), settings)
    pull = (spectrum.transient - truth.transient) / spectrum.transient_stddev
    assert (pull[:2, 3:6] ** 2).sum() < 28
    assert abs(truth.transient[0, FEATURE]) > 8 * spectrum.transient_stddev[0, FEATURE]


def test_arrays_come_back_from_the_catalogue_as_the_integers_they_were(session):
    (uid,) = scan(session).run_start_uids
    session.close()
    assert fill(session.config.data.root, session.config.data.catalogue_address)
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


@pytest.mark.parametrize(
    ("name", "words"),
    [("I0NaN", "i0 is not a number"), ("EnergyNaN", "mono_energy is not a number"), ("BeamDump", "beam lost")],
)
def test_a_fault_during_a_scan_is_flagged_and_nothing_else_is_lost(session, fault, name, words):
    """The fault comes while the fourth point is measured and goes after two more dwells, which are taken again."""
    seen = []

    def energy_has_come(finite):  # the session gets a value after the put that caused it
        if name == "EnergyNaN":
            until(lambda: np.isfinite(session.beamline.mono.energy.get()) == finite, "the energy")

    def meddle(kind, doc):
        if kind == "event" and "quality" in doc["data"]:
            seen.append(doc)
            if len(seen) == 14:
                fault(name)
                energy_has_come(finite=False)
            elif len(seen) == (15 if name == "BeamDump" else 16):  # a dump's end rejects a dwell too; three are taken
                epics.caput(f"sim:Fault:{name}", 0, wait=True)
                energy_has_come(finite=True)
                epics.caput("sim:7ida:rShtrA:Open", 1, wait=True)  # a dump has shut it

    token = session.RE.subscribe(meddle)
    (uid,) = scan(session).run_start_uids
    session.RE.unsubscribe(token)
    bad = [event["data"]["quality"] for event in seen if event["data"]["quality"] != "good"]
    back = name == "BeamDump" and "ring_shutter_permit has changed" in bad[-1]  # the beam came back during that dwell
    bad_of_fault = bad[:-1] if back else bad
    assert bad_of_fault and all(words in quality for quality in bad_of_fault)
    assert len(events(documents(session, uid), "primary")) == len(seen) == 4 * len(ENERGIES) + len(bad)
    last = {(e["data"]["point_index"], e["data"]["segment"]): e["data"]["quality"] for e in seen}
    assert len(last) == 4 * len(ENERGIES) and set(last.values()) == {"good"}
    flagged = [e["data"]["fault"] for e in events(reduced_of(session, uid), "points")]
    assert [f for f in flagged if f] == bad
    assert session.guard.failure is None


def test_a_full_gate_is_flagged_and_its_bunch_excluded(session, fault):
    fault("GateSaturated")
    (uid,) = scan(session).run_start_uids
    points = events(reduced_of(session, uid), "points")
    assert all(e["data"]["bad_phases"] >= 1 for e in points)
    spectrum = events(reduced_of(session, uid), "spectrum")[0]["data"]
    assert spectrum["bunches_out"].sum() == 1
    assert np.isfinite(spectrum["transient"]).all()


def test_no_flux_at_all_gives_no_spectrum_and_a_reason(session, fault):
    fault("BeamDump")
    (uid,) = scan(session, energies=ENERGIES[:3]).run_start_uids
    docs = reduced_of(session, uid)
    assert docs[-1][0] == "stop" and docs[-1][1]["exit_status"] == "fail"
    assert "no point has both" in docs[-1][1]["reason"]
    attempts = [e["data"]["attempt"] for e in events(documents(session, uid), "primary")]
    assert attempts == [0, 1, 2] * 12  # each dwell again, as often as allowed


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
    assert (pull[:2, 3:6] ** 2).sum() < 28
    assert spectrum.transient[0, FEATURE] > 10 * spectrum.transient_stddev[0, FEATURE]


def test_324_bunches_with_divider_4_work_by_the_shutter_and_not_by_slots(start_ioc, tmp_path):
    ioc = start_ioc({"ring": {"num_bunches": 324}, "laser": {"divider": 4}, **STEADY})
    with start(configuration(tmp_path, ioc.prefix), fill_catalogue=False, notify=lambda _: None) as session:
        with pytest.raises(ValueError, match="324 bunches and laser divider 4"):
            scan(session, reference="slots")
        scan(session, dwell=6.0, reference="paper")
        spectrum, settings = session.reducer.spectrum(), session.reducer.settings
    assert spectrum.transient.shape == (4, len(ENERGIES))
    scenario = next(tmp_path.glob("scenario*.toml"))
    truth = expected_spectrum(ask_expectation(scenario, spectrum.energy, 100.0, 8.8), settings)
    pull = (spectrum.transient - truth.transient) / spectrum.transient_stddev
    assert np.isfinite(pull).all() and (pull[:2, 3:6] ** 2).sum() < 28


def test_missing_records_of_a_beamline_are_named(simulated_beamline, tmp_path):
    config = configuration(tmp_path, "nowhere:", connect_timeout=1.0)
    with pytest.raises(NotConnectedError) as error:
        start(config, fill_catalogue=False)
    for record in ("mono: nowhere:7ida:BraggEAO", "7idd:FPGA1:Counts", "ring: nowhere:", "nowhere:S-DCCT:CurrentM"):
        assert record in str(error.value)


def test_a_simulated_session_refuses_addresses_off_this_machine(simulated_beamline, tmp_path, monkeypatch):
    monkeypatch.setenv("EPICS_CA_ADDR_LIST", "127.0.0.1 192.0.2.7")
    with pytest.raises(SessionError, match=r"192\.0\.2\.7"):
        start(configuration(tmp_path), fill_catalogue=False)
    monkeypatch.setenv("EPICS_CA_AUTO_ADDR_LIST", "YES")
    with pytest.raises(SessionError, match="EPICS_CA_AUTO_ADDR_LIST=NO"):
        start(configuration(tmp_path), fill_catalogue=False)


def test_a_failing_reducer_never_stops_a_scan(session, monkeypatch):
    told = []
    session.guard._notify = told.append
    monkeypatch.setattr(session.reducer, "_add", lambda *_: 1 / 0)
    (uid,) = scan(session).run_start_uids
    assert len(events(documents(session, uid), "primary")) == 4 * len(ENERGIES)
    assert len(told) == 1 and "DEGRADED" in told[0] and "ZeroDivisionError" in told[0]


def test_an_open_laser_shutter_is_reported_at_the_start_and_shut_only_on_request(simulated_beamline, tmp_path):
    """As a session that was killed leaves it."""
    epics.caput("sim:7idd:Laser:Shutter", 1, wait=True)
    told = []
    with start(configuration(tmp_path), fill_catalogue=False, notify=told.append) as session:
        shutter = session.beamline.laser.shutter
        assert any("laser shutter is open" in line for line in told)
        assert shutter.status.get() == 1
    assert shutter.status.get() == 0  # an orderly end shuts it


def test_names_are_published_with_their_help(session):
    import inspect

    names: dict = {}
    session.publish(names)
    assert {"RE", "energy_scan", "mono", "fpga", "laser", "session"} <= names.keys()
    assert "instruments" not in inspect.signature(names["energy_scan"]).parameters
    assert "Pump-probe delay of slot 0 in ps" in inspect.getdoc(names["energy_scan"])


def test_importing_the_beamline_connects_nothing():
    code = (
        "import sys, beamline.session.session, beamline.app.cli\n"
        "import devices.instruments.mono, plans.scans.energy, reduction.live.reducer\n"
        "import epics.ca, epics.pv\n"
        "channels = [name for context in epics.ca._cache.values() for name in context]\n"
        "sys.exit(f'an import made channels: {channels}' if channels or epics.pv._PVcache_ else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_pattern_of_the_default_scenario_is_that_of_the_experiment(session):
    timing = session.beamline.timing
    pattern = Pattern(timing.num_bunches.get(), timing.laser_divider.get(), 0, timing.bunch_rate.get())
    assert pattern.num_phases == 120
    assert timing.laser_rate.get() == pytest.approx(1.303459e6, rel=1e-6)
    assert replace(pattern, divider=4).slots_share_bunches is False
