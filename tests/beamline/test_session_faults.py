"""Faults during a scan on the simulated beamline are flagged, and nothing else is lost."""

from __future__ import annotations

import re

import epics
import numpy as np
import pytest

from beamline.records.journal import JournalError
from tests.beamline.configurations import ENERGIES
from tests.beamline.session_runs import documents, events, reduced_of, scan
from tests.beamline.session_runs import session as session
from tests.devices.builds import until


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


@pytest.mark.parametrize(
    ("name", "phrase"),
    [("I0NaN", "i0 is not a number"), ("EnergyNaN", "mono_energy is not a number"), ("BeamDump", "beam lost")],
)
def test_a_fault_during_a_scan_is_flagged_and_nothing_else_is_lost(session, fault, name, phrase):
    """The fault comes while the fourth point is measured and goes after a bad dwell or two, which are retaken."""
    seen, bad = [], []

    def energy_has_come(finite):  # the session gets a value after the put that caused it
        if name == "EnergyNaN":
            until(lambda: np.isfinite(session.beamline.mono.energy.get()) == finite, "the energy")

    def inject_fault(kind, doc):
        if kind == "event" and "quality" in doc["data"]:
            seen.append(doc)
            bad.extend([doc] if doc["data"]["quality"] != "good" else [])
            if len(seen) == 13:
                fault(name)
                energy_has_come(finite=False)
            elif bad and bad[-1] is doc and len(bad) == (2 if name == "I0NaN" else 1):  # three tries are allowed
                epics.caput(f"sim:Fault:{name}", 0, wait=True)
                energy_has_come(finite=True)
                epics.caput("sim:7ida:rShtrA:Open", 1, wait=True)  # a dump has shut it

    token = session.RE.subscribe(inject_fault)
    (uid,) = scan(session).run_start_uids
    session.RE.unsubscribe(token)
    reasons = [event["data"]["quality"] for event in bad]
    # the beam came back in the last one: the permit, or after it the shutter
    back = name == "BeamDump" and re.search("(ring_shutter_permit|xray_shutter) has changed", reasons[-1])
    of_fault = reasons[:-1] if back and len(reasons) > 1 else reasons
    assert of_fault and all(phrase in quality for quality in of_fault)
    assert len(events(documents(session, uid), "primary")) == len(seen)
    retaken = len(seen) - len(bad) - 4 * len(ENERGIES)  # good dwells of a point whose axis may have moved
    assert 0 <= retaken <= (3 if name == "EnergyNaN" else 0)
    last = {(e["data"]["point_index"], e["data"]["segment"]): e["data"]["quality"] for e in seen}
    assert len(last) == 4 * len(ENERGIES) and set(last.values()) == {"good"}
    flagged = [e["data"]["fault"] for e in events(reduced_of(session, uid), "points")]
    assert [f for f in flagged if f] == reasons
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
    assert "no point has good dwells" in docs[-1][1]["reason"]
    attempts = [e["data"]["attempt"] for e in events(documents(session, uid), "primary")]
    assert attempts == [0, 1, 2] * 12  # each dwell again, as often as allowed


def test_a_failing_reducer_never_stops_a_scan(session, monkeypatch):
    messages = []
    session.guard._notify = messages.append
    monkeypatch.setattr(session.reducer, "_add", lambda *_: 1 / 0)
    (uid,) = scan(session).run_start_uids
    assert len(events(documents(session, uid), "primary")) == 4 * len(ENERGIES)
    assert len(messages) == 1 and "DEGRADED" in messages[0] and "ZeroDivisionError" in messages[0]


def test_a_run_whose_end_cannot_be_stored_ends_its_reduced_run_and_the_next_scan_succeeds(session):
    moved = {}

    def take_away(kind, doc):
        """Move the run files away before the last dwell is stored, as a user who archives them."""
        if kind == "event" and doc["data"].get("point_index") == 2 and doc["data"]["segment"] == 3:
            for path in session.journal.directory.glob("*.trxas"):
                moved[path] = path.rename(path.parent.parent / path.name)

    token = session.RE.subscribe(take_away)
    with pytest.raises(JournalError, match="is gone"):
        scan(session, energies=ENERGIES[:1] + ENERGIES[4:5] + ENERGIES[-1:])
    session.RE.unsubscribe(token)
    assert len(moved) == 2 and session.journal.open_runs() == []
    for path, away in moved.items():
        away.rename(path)
    (uid,) = scan(session).run_start_uids
    assert documents(session, uid)[-1][1]["exit_status"] == "success"
    assert reduced_of(session, uid)[-1][1]["exit_status"] == "success"
