"""All scans in a session on the simulated beamline: background runs by uid, a scan with a target, previews, resume."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import epics
import numpy as np
import pytest
from matplotlib import image

from beamline.session.scans.background import BackgroundError
from beamline.session.scans.preview import preview_figure
from beamline.session.scans.resume import ResumeError
from beamline.session.scans.stopping_rule import PredictedErrorRule
from beamline.session.session import Session, start
from devices.base import settings
from devices.base.signals import SoftSignal
from plans.compilation.edges import find_edge
from reduction.allocation.names import TargetError
from tests.beamline.configurations import ENERGIES, FEATURE, FORECAST, configuration
from tests.helpers.ioc_process import StartIoc
from tests.plans.conftest import Documents

SPEEDUP = 400.0
LASER_ONLY, DARK, I0_DARK = 3e-3, 1e-7, 2e3
SCENARIO = {
    "jet": {"thickness_rms": 0.0, "pass_to_pass_rms": 0.0},
    "laser": {"background_per_gate": LASER_ONLY},
    "i0": {"dark_per_s": I0_DARK},
}


@pytest.fixture(scope="module")
def shift(ioc_pool: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Session, Any, list[str]]]:
    """A session on a simulated beamline of this file, with strong laser-only light; each test restores it."""
    from tests.helpers.ioc_process import write_scenario

    folder = tmp_path_factory.mktemp("shift")
    ioc = ioc_pool.start(write_scenario(SCENARIO, folder / "scenario.toml"), SPEEDUP)
    output: list[str] = []
    with start(configuration(folder, ioc.prefix, SPEEDUP), fill_catalogue=False, notify=output.append) as session:
        assert isinstance(session, Session)
        yield session, ioc, output
    ioc_pool.stop(ioc)


@pytest.fixture
def documents(shift: tuple[Session, Any, list[str]]) -> Iterator[Documents]:
    documents = Documents()
    token = shift[0].RE.subscribe(documents)
    yield documents
    shift[0].RE.unsubscribe(token)


def test_a_background_run_gives_the_scenario_and_later_scans_take_it_by_its_uid(
    shift: tuple[Session, Any, list[str]], documents: Documents
) -> None:
    session, ioc, _ = shift
    (uid,) = session.RE(session.scans.plans["background_run"](dwell=20.0, repeats=2)).run_start_uids
    assert epics.caget(ioc.name("7ida:rShtrA:Status_RBV")) == 1
    assert {data["quality"] for data in documents.events()} == {"good"}
    session.RE(session.energy_scan(energies=ENERGIES, dwell=2.0, background=uid))
    raw = documents.all("start")[-1]
    settings = session.reducer.settings
    assert raw["background"] == uid
    assert list(settings.background_on) == raw["settings"]["background_on"]
    on, off = (np.array(values) for values in (settings.background_on, settings.background_off))
    slot = (np.arange(on.size) - documents.events()[-1]["laser_phase"]) % 5
    gates = 4 * 20.0 * 6.5173e6 / 120  # of one phase and laser state
    light = on[slot == 0]
    expected = -math.log1p(-LASER_ONLY)
    assert abs(light.mean() - expected) < 4.5 * math.sqrt(LASER_ONLY / (gates * light.size))
    assert on[slot > 1].mean() < 1e-4 and off.mean() < 1e-4
    stddev = np.array(settings.background_on_stddev)[slot == 0]
    np.testing.assert_allclose(stddev, np.sqrt(np.expm1(light) / gates), rtol=1e-3)  # binomial: p / (1 - p) / n
    assert settings.background_laser_phase == documents.events()[-1]["laser_phase"]
    assert settings.i0_dark_gain == documents.events()[-1]["i0_gain"]
    assert "The background" not in str(session.reducer.result().notes)
    assert ("fpga_counts", f"PV:{ioc.name('7idd:FPGA1:Counts')}") in settings.background_records
    assert [key for key, _ in settings.background_records] == ["fpga_counts", "apd_bias", "i0"]
    assert settings.i0_dark is not None
    assert abs(settings.i0_dark - I0_DARK) < max(4.5 * math.sqrt(I0_DARK / 160.0), 0.005 * I0_DARK)


def test_a_background_of_another_gate_or_of_long_ago_is_named(
    shift: tuple[Session, Any, list[str]], documents: Documents
) -> None:
    session, _, _ = shift
    (uid,) = session.RE(session.scans.plans["background_run"](dwell=1.0, repeats=1)).run_start_uids
    width = session.beamline.fpga.gate_width
    before = width.get()
    width.set(before + 1).wait(10)
    try:
        session.RE(session.energy_scan(energies=ENERGIES, dwell=1.0, background=uid, settings={"background_age": 1e-3}))
    finally:
        width.set(before).wait(10)
    notes = str(session.reducer.result().notes)
    assert f"The background was taken with fpga_gate_width {before:g}, this scan has {before + 1:g}" in notes
    assert "The background is 0.0 h old" in notes


def test_a_background_that_is_not_one_is_refused(shift: tuple[Session, Any, list[str]], documents: Documents) -> None:
    session, _, _ = shift
    (uid,) = session.RE(session.energy_scan(energies=ENERGIES[:2], dwell=1.0, pattern=(1, 0))).run_start_uids
    with pytest.raises(BackgroundError, match="has a uid that begins with '0ddba11'"):
        session.RE(session.energy_scan(energies=ENERGIES, background="0ddba11"))
    with pytest.raises(BackgroundError, match="is a run of energy_scan, not of background_run"):
        session.energy_scan(energies=ENERGIES, background=uid)


def test_a_scan_with_a_target_counts_until_the_error_is_the_target(
    shift: tuple[Session, Any, list[str]], documents: Documents
) -> None:
    """In two passes: the last error is at most the target, and at most one pattern of dwells below it."""
    session, _, _ = shift
    errors: dict[int, float] = {}

    def keep(name: str, doc: Any) -> None:
        if name == "event" and "difference_stddev" in doc["data"]:
            data = doc["data"]
            errors[data["point_index"]] = data["difference_stddev"][0] / data["off"][0]

    session.listen_reduced(keep, "the errors")
    target, energies = 3e-3, [13.450, 13.460, 13.472]
    session.RE(session.energy_scan(energies=energies, dwell=0.5, pattern=(1, 0), passes=2, target=target, longest=60.0))
    assert len(errors) == len(energies)
    cycles = [sum(data["point_index"] == point for data in documents.events()) // 2 for point in range(len(energies))]
    for point, error in errors.items():
        assert 0.97 * target * math.sqrt(1 - 1 / cycles[point]) < error <= target
    assert cycles[0] > 1.5 * cycles[2]  # fewer photons below the edge
    of_first_pass = documents.events()[: documents.all("stop")[0]["num_events"]["primary"]]
    first = sum(data["point_index"] == 0 for data in of_first_pass)
    assert first // 2 == pytest.approx(cycles[0] / 2, abs=2)  # the time is spread evenly over the passes


@pytest.mark.long
def test_a_target_of_a_quantity_sends_the_time_to_the_points_that_it_needs(
    shift: tuple[Session, Any, list[str]], documents: Documents, tmp_path: Path
) -> None:
    """Every point is counted in the first pass; later ones visit those that the transient depends on."""
    session, _, output = shift
    file = tmp_path / "bromide.toml"
    file.write_text(FORECAST)
    wanted = {"transient(slot=0, energy=13.472)": 1.5e-3}
    options = {"dwell": 2.0, "passes": 3, "forecast": str(file), "longest": 400.0}
    with pytest.raises(TargetError, match="unknown quantity height"):
        session.RE(session.energy_scan(energies=ENERGIES, delay=100.0, target={"height": 0.1}, **options))
    session.RE(session.energy_scan(energies=ENERGIES, delay=100.0, target=wanted, **options))
    passes = [start for start in documents.all("start") if start.get("target") == [list(one) for one in wanted.items()]]
    assert 1 < len(passes) <= 3
    points = np.array([data["point_index"] for data in documents.events()])
    counted = np.bincount(points, minlength=len(ENERGIES)) // 4
    assert counted.min() >= 1 and counted.argmax() == FEATURE and counted[FEATURE] > 2 * counted[6]
    later = documents.events()[documents.all("stop")[0]["num_events"]["primary"] :]
    assert FEATURE in {data["point_index"] for data in later}
    assert any("Time to the targets" in line for line in output)


def test_without_live_reduction_a_scan_with_a_target_counts_to_its_limit_and_reports_it(
    shift: tuple[Session, Any, list[str]], documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, _, output = shift
    output.clear()
    monkeypatch.setattr(session.reducer, "_add", lambda *_: 1 / 0)
    session.RE(session.energy_scan(energies=ENERGIES[:2], dwell=1.0, pattern=(1, 0), target=1e-1, longest=6.0))
    assert len(documents.events()) == 2 * 6
    assert sum("each point of this pass is counted for its longest time" in line for line in output) == 1


def time_left(passes: int, scan_index: int, error: float, dwells: int = 4) -> float | None:
    rule = PredictedErrorRule(lambda: True, lambda _: None)
    rule.begin("start", {"dwell": 2.0, "passes": passes, "scan_index": scan_index, "target": 1e-3})
    data = {"point_index": 3, "off": [2.0, 1.0], "difference_stddev": [2.0 * error, 9.0]}
    rule.take("event", {"data": {**data, "dwells_off": dwells // 2, "dwells_on": dwells // 2}})
    return rule(3)


def test_what_a_point_still_wants_by_hand() -> None:
    """8 s at 2e-3; the target of 1e-3 takes four times as long."""
    assert time_left(1, 0, 2e-3) == pytest.approx(32 - 8)
    assert time_left(2, 0, 2e-3) == pytest.approx(16 - 8)  # the first of two passes takes half of it
    assert time_left(2, 1, 2e-3) == pytest.approx(32 - 8)
    assert time_left(1, 0, 1e-3) == pytest.approx(0.0)
    assert time_left(1, 0, math.nan) == math.inf
    assert PredictedErrorRule(lambda: True, lambda _: None)(0) is None


def test_a_preview_prints_and_draws_and_touches_nothing(
    shift: tuple[Session, Any, list[str]], documents: Documents, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session, ioc, _ = shift
    names = ("7ida:BraggEAO", "7idd:DG1:ADelayAO", "7idd:FPGA1:PresetTime", "7idd:Laser:Shutter")
    before = [epics.caget(ioc.name(name)) for name in names]
    png = tmp_path / "grid.png"
    plan = session.scans.plans["delay_series"]
    output = session.scans.preview(plan, [100, 10_100], edge=("Br_K", "Pb_L3"), passes=2, dwell=1.5, png=png)
    printed = capsys.readouterr().out
    assert printed.count("energy_scan") == 8
    assert "10100 ps" in printed and "Pb_L3" in printed and "[" in printed
    assert f"Time {output.total:.0f} s of beamline time" in printed
    points = find_edge("Br_K").grid().size + find_edge("Pb_L3").grid().size
    assert output.dwells == pytest.approx(4 * 4 * 1.5 * points)
    assert image.imread(png).std() > 0.01
    assert [epics.caget(ioc.name(name)) for name in names] == before
    assert documents.seen == []
    figure = preview_figure(plan.compile([100, 10_100], passes=2), "SIMULATED")
    assert "SIMULATED" in figure.get_suptitle()


EVERY: dict[str, dict[str, Any]] = {
    "energy_scan": {"edge": ("Br_K", "Pb_L3"), "order": "random", "fluence": 5.0},
    "delay_series": {"delays": [100, 10_100], "passes": 2},
    "continuous_scan": {}, "delay_scan": {"energies": [13.4675, 13.472]},
    "fluence_scan": {"target": 1e-2, "longest": 60.0},
    "background_run": {},
}  # fmt: skip


@pytest.mark.parametrize("name", EVERY)
def test_a_preview_of_any_plan_sends_no_put(
    shift: tuple[Session, Any, list[str]],
    documents: Documents,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    """Not to a record, not to a signal of the session; and the RunEngine gets no message."""
    session, _, _ = shift
    puts: list[Any] = []
    messages: list[Any] = []
    monkeypatch.setattr(epics.ca, "put", lambda chid, value, **_: puts.append((epics.ca.name(chid), value)))
    monkeypatch.setattr(settings, "put", lambda pv, value, _: puts.append((pv.pvname, value)))
    monkeypatch.setattr(SoftSignal, "put", lambda self, value, **_: puts.append((self.name, value)))
    monkeypatch.setattr(session.RE, "msg_hook", messages.append)
    output = session.scans.preview(session.scans.plans[name], **EVERY[name])
    assert puts == [] and messages == [] and documents.seen == []
    printed = capsys.readouterr().out
    assert (
        name.replace("delay_series", "energy_scan") in printed and f"{output.total:.0f} s of beamline time" in printed
    )
    assert ("points: " in printed and "[" in printed) == (name != "background_run")
    session.beamline.laser.shutter.command.put(0, wait=False)
    session.beamline.scan_state.segment.put(0)
    assert [value for _, value in puts] == [0, 0]  # puts would have been seen


def test_every_plan_is_looked_at(shift: tuple[Session, Any, list[str]]) -> None:
    assert {*EVERY, "temperature_series"} == set(shift[0].scans.plans)


def test_a_preview_refuses_what_the_plan_would_refuse(shift: tuple[Session, Any, list[str]]) -> None:
    session, _, _ = shift
    with pytest.raises(ValueError, match=r"^edge 'Fe_Q'"):
        session.scans.preview(session.energy_scan, edge="Fe_Q")
    with pytest.raises(ValueError, match=r"^the temperature cannot be set: .* role temperature"):
        session.scans.preview(session.scans.plans["temperature_series"], temperatures=[25.0])


def test_a_stopped_scan_is_resumed_in_another_session(start_ioc: StartIoc, tmp_path: Path) -> None:
    """The first session ends within the first pass; the second sums its passes with what the first has left."""
    config = configuration(tmp_path, start_ioc(SCENARIO, SPEEDUP).prefix, SPEEDUP)

    class EnoughError(Exception):
        pass

    def stop(name: str, doc: Any) -> None:
        if name == "event" and doc["seq_num"] == 18:
            raise EnoughError("enough for today")

    with start(config, fill_catalogue=False, notify=lambda _: None) as session:
        assert isinstance(session, Session)
        session.RE.subscribe(stop)
        with pytest.raises(EnoughError):
            session.RE(session.energy_scan(energies=ENERGIES, dwell=2.0, passes=2))
        (uid,) = [path.name.split("_")[1].split(".")[0] for path in sorted(session.journal.directory.glob("*.trxas"))][
            :1
        ]
    with start(config, fill_catalogue=False, notify=lambda _: None) as session:
        assert isinstance(session, Session)
        with pytest.raises(ResumeError, match=r"^edge: Br_K was measured, not Pb_L3"):
            session.RE(session.scans.resume(uid[:8], edge="Pb_L3"))
        uids = session.RE(session.scans.resume(uid[:8])).run_start_uids
        spectrum = session.reducer.spectrum()
        assert spectrum.dwells.tolist() == [[4] * len(ENERGIES)] * 2
        reduced = session.journal.directory
        with pytest.raises(ResumeError, match=r"^nothing is left to resume"):
            session.RE(session.scans.resume(uid[:8]))
    assert len(uids) == 2
    from beamline.records.runs.journal_runs import JournalRuns

    last = [run for run in JournalRuns(reduced.parent).runs() if run.raw_uid == uids[1]]
    assert [run.start["accumulates"] for run in last] == [[uid, uids[0]]]
    with start(config.model_copy(update={"sample": "another"}), fill_catalogue=False, notify=lambda _: None) as other:
        assert isinstance(other, Session)
        with pytest.raises(ResumeError, match=r"^sample: "):
            other.RE(other.scans.resume(uid[:8]))
