"""What users add to start documents never replaces a key of the compiled scan, and is stored or refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bluesky.plans as bp
import pytest
from ophyd.sim import det

from beamline.config.models import Reduction
from beamline.records.journal import run_files
from beamline.session.scans.bind import PLANS, BoundPlan
from beamline.session.scans.dry_run import DryRunContext
from beamline.session.session import Session, start
from plans.compilation.metadata import RESERVED, MetadataError, check_storable
from tests.beamline.configurations import ENERGIES, configuration
from tests.beamline.session_runs import documents, reduced_of

EVERYTHING = {
    "energy_scan": {"edge": ["Br_K", "Pb_L3"], "target": 0.01, "longest": 60.0, "fluence": 2.0},
    "continuous_scan": {"edge": ["Br_K", "Pb_L3"], "dwell": 0.6, "frame": 0.2},
    "delay_scan": {"delays": [0.0, 100.0], "background": ""},
    "fluence_scan": {"fluences": [1.0, 2.0]},
    "delay_series": {"delays": [0.0, 100.0]},
    "background_run": {},
    "temperature_series": {"temperatures": [25.0, 60.0]},
}
LONE_SURROGATE = "caf\udce9"


@pytest.fixture
def session(simulated_beamline: object, tmp_path: Path) -> Iterator[Session]:
    with start(configuration(tmp_path), fill_catalogue=False, notify=lambda _: None) as running:
        assert isinstance(running, Session)
        yield running


def moved(session: Session) -> Any:
    return session.beamline.mono.setpoint.get()


def test_every_key_that_a_plan_writes_is_reserved(tmp_path: Path) -> None:
    for name in PLANS:
        compiled_scan = BoundPlan(name, DryRunContext(tmp_path, Reduction())).compile(**EVERYTHING[name])
        written = {key for one in compiled_scan.passes for key in one.start}
        assert written - RESERVED == ({"temperature"} if name == "temperature_series" else set())  # others may give it


def test_every_key_of_a_run_is_reserved(session: Session) -> None:
    (uid,) = session.RE(session.energy_scan(energies=ENERGIES, dwell=0.5, md={"note": "mine"})).run_start_uids
    keys = set(documents(session, uid)[0][1])
    assert keys - RESERVED == {"note"} and "t0" in keys
    assert set(reduced_of(session, uid)[0][1]) <= RESERVED


def test_keys_of_a_compiled_scan_are_refused_by_name_before_anything_moves(session: Session) -> None:
    before = moved(session)
    for key in ("mode", "settings", "grid", "scan_id", "analysis_of", "uid", "t0", "sample"):
        own = {key: "real"}
        with pytest.raises(MetadataError, match=key):
            session.RE(session.energy_scan(energies=ENERGIES, dwell=0.5, md=own))
        with pytest.raises(MetadataError, match=key):
            session.RE(session.energy_scan(energies=ENERGIES, dwell=0.5), **own)
        with pytest.raises(MetadataError, match=key):
            session.RE(bp.count([det]), **own)
    assert moved(session) == before and not list(run_files(session.config.data.root))
    (uid,) = session.RE(session.energy_scan(energies=ENERGIES, dwell=0.5)).run_start_uids
    assert documents(session, uid)[0][1]["mode"] == "sim"
    assert reduced_of(session, uid)[-1][1]["exit_status"] == "success"


@pytest.mark.parametrize("key", ["mode", "versions", "analysis_of"])
def test_nor_by_a_plan_of_bluesky_or_the_session_s_own_metadata(session: Session, key: str) -> None:
    with pytest.raises(MetadataError, match=key):
        session.RE(bp.count([det], md={key: "real"}))
    before = dict(session.RE.md)
    session.RE.md[key] = "real"
    with pytest.raises(MetadataError, match=key):
        session.RE(bp.count([det]))
    session.RE.md.clear()
    session.RE.md.update(before)
    (uid,) = session.RE(bp.count([det])).run_start_uids
    assert documents(session, uid)[0][1]["mode"] == "sim"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({7: "a"}, "the key 7 is no text"),
        ({"batch": {None: 1}}, "the key None in batch is no text"),
        ({"note": LONE_SURROGATE}, "the text of note"),
        ({"batch": {"who": ["x", LONE_SURROGATE]}}, "the text of batch.who[1]"),
        ({LONE_SURROGATE: 1}, "the key 'caf"),
        ({"note": "a\0b"}, "the text of note"),
    ],
)
def test_what_cannot_be_stored_is_refused_by_its_key(session: Session, given: dict[Any, Any], named: str) -> None:
    plans = [lambda: session.energy_scan(energies=ENERGIES, dwell=0.5, md=given)]
    if all(isinstance(key, str) for key in given):  # others are no arguments, says Python
        plans.append(lambda: bp.count([det], md=given))
    for plan in plans:
        with pytest.raises(MetadataError) as error:
            session.RE(plan())
        assert named in str(error.value)
    assert not list(run_files(session.config.data.root))


def test_metadata_that_are_no_mapping_are_refused(tmp_path: Path) -> None:
    plan = BoundPlan("energy_scan", DryRunContext(tmp_path, Reduction()))
    with pytest.raises(MetadataError, match="md must be a mapping"):
        plan.compile(edge="Br_K", md="mode=real")


def test_any_unicode_is_stored() -> None:
    check_storable({"Probe": "CsPbBr₃ 試料 ñ 🧪", "n": [1, 2.0, None, True, {"deep": ["λ"]}]})
