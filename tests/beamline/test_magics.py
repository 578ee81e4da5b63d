"""Magics, explained plans and results of a session on the simulated beamline."""

from __future__ import annotations

import inspect
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import bluesky.plan_stubs as bps
import epics
import pytest
from bluesky.plans import count
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from ophyd.utils import LimitError
from rich.console import Console

from beamline.app.magics import BeamlineMagics
from beamline.app.outcome import show_outcomes
from beamline.app.shell import about_line
from beamline.app.where import groups, statuses, where_table
from beamline.records.logbook import read_logbook
from beamline.session.scans.bind import OPTIONS, OPTIONS_OF, PLANS
from beamline.session.scans.preview import print_preview
from beamline.session.session import Session
from beamline.station.components import find_component
from tests.beamline.desk import ENERGIES, empty_run, first_raw, start_of_first
from tests.beamline.desk import session as session
from tests.devices.builds import until

SHOWN = {
    "X-rays": {"mono", "mono.angle", "xray_shutter", "ring.current", "crystal", "attenuator", "foil_stage"},
    "laser": {
        "laser.shutter", "laser_delay", "laser_fluence", "laser.pulse_energy", "laser.lock_error", "steering.along",
        "steering.across", "lens",
    },
    "sample": {"jet", "stage.across", "stage.along", "knife.along", "knife.across"},
    "detectors": {
        "i0.gain", "apd.bias", "apd.threshold", "apd.temperature", "fpga.gate_delay", "fpga.gate_width",
        "boxcar.box1.window_start", "boxcar.box2.window_start",
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("magics") / "output"


@pytest.fixture(scope="module")
def magics(session: Session, shown: Path) -> Iterator[BeamlineMagics]:
    """The magics for that session; their output goes to a file."""
    with shown.open("w") as file:
        yield BeamlineMagics(InteractiveShell(), lambda: session, Console(file=file, width=150))


def run(magics: BeamlineMagics, shown: Path, word: str, line: str) -> str:
    before = len(shown.read_text())
    getattr(magics, word)(line)
    magics._console.file.flush()
    return shown.read_text()[before:]


def test_wa_shows_readback_set_point_limits_and_unit_of_all(
    magics: BeamlineMagics, shown: Path, session: Session
) -> None:
    rows = {line.split()[0]: line.split()[1:] for line in run(magics, shown, "wa", "").splitlines() if line.strip()}
    assert {group: set(names) for group, names in groups(session.beamline).items()} == SHOWN
    assert {*SHOWN, *(name for names in SHOWN.values() for name in names)} <= rows.keys()
    assert rows["mono"][2:] == ["6", "24", "keV"] and float(rows["mono"][0]) == pytest.approx(13.57, abs=2e-4)
    assert rows["stage.across"][2:] == ["-5", "5", "mm"]
    assert rows["laser_delay"][-1] == "ps" and float(rows["laser_delay"][1]) == pytest.approx(100.0)
    assert rows["laser.shutter"] == ["shut", "shut"] and rows["ring.current"][-1] == "mA"
    some = run(magics, shown, "wa", "laser mono")
    assert "laser_fluence" in some and "mono.angle" in some and "jet" not in some
    with pytest.raises(UsageError, match=r"no device nonsense; devices are .*; groups are X-rays, laser"):
        magics.wa("nonsense")


def test_notes_of_prompt_and_magic_reach_the_logbook(magics: BeamlineMagics, shown: Path, session: Session) -> None:
    """Where text is not evaluated, quotes and brackets are part of it."""
    written = session.names()["note"]("from the prompt #jet", run="last")
    assert "x('y')" in run(magics, shown, "note", "x('y') #spot")
    with pytest.raises(UsageError, match="the note is empty"):
        magics.note(" ")
    notes = read_logbook(session.config.data.root).notes
    assert [note.text for note in notes] == ["from the prompt #jet", "x('y') #spot"]
    assert notes[0] == written and written.run == first_raw(session) and written.dwell == 4 * len(ENERGIES)


def test_wa_prints_what_is_wrong_with_a_device(magics: BeamlineMagics, shown: Path, session: Session) -> None:
    energy = session.beamline.laser.pulse_energy
    epics.caput("sim:Fault:AlarmOn", "7idd:Laser:PulseEnergy_RBV", wait=True)
    try:
        until(lambda: energy.alarm_severity == 2, "the alarm")
        assert "laser: sim:7idd:Laser:PulseEnergy_RBV is in MAJOR alarm" in run(magics, shown, "wa", "laser")
    finally:
        epics.caput("sim:Fault:AlarmOn", "", wait=True)
    until(lambda: energy.alarm_severity == 0, "the end of the alarm")
    assert "alarm" not in run(magics, shown, "wa", "laser")


def test_mov_moves_all_or_nothing_and_prints_the_readbacks(
    magics: BeamlineMagics, shown: Path, session: Session
) -> None:
    text = run(magics, shown, "mov", "mono 13.47 laser_delay 10_100 laser.shutter open")
    assert session.beamline.mono.position == pytest.approx(13.47, abs=2e-5)
    assert session.beamline.laser_delay.position == pytest.approx(10_100, abs=1)
    assert "10100" in text and text.count("open") == 2
    magics.mov("laser.shutter shut")
    with pytest.raises(LimitError, match="stage_across"):
        magics.mov("mono 13.46 stage.across 9")
    with pytest.raises(ValueError, match=r"fpga_gate_delay takes whole numbers, not 8\.5"):
        magics.mov("mono 13.46 fpga.gate_delay 8.5")
    assert session.beamline.mono.target == 13.47


@pytest.mark.parametrize(
    ("line", "phrase"),
    [
        ("", "pairs of device and value"),
        ("mono", "pairs of device and value"),
        ("mono far", "mono takes a number, not far"),
        ("monk 1", "there is no device monk"),
        ("stage 1", "stage cannot be set; name one of its parts: across, along"),
        ("laser.shuttle 1", "laser has no shuttle; it has shutter"),
        ("mono 13.4 mono 13.5", "mono is given twice"),
        ("mono __import__('os')", "mono takes a number"),
    ],
)
def test_mov_reports_which_argument_is_wrong(magics: BeamlineMagics, line: str, phrase: str) -> None:
    with pytest.raises(UsageError, match=re.escape(phrase)):
        magics.mov(line)


def test_ct_counts_once_and_keeps_nothing(magics: BeamlineMagics, shown: Path, session: Session) -> None:
    runs = len(list(session.journal.directory.iterdir()))
    text = run(magics, shown, "ct", "2")
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line.strip()}
    assert rows["2"][:6] == ["2", "s,", "laser", "shutter", "shut,", "ring"]
    assert float(rows["i0"][1]) == pytest.approx(1e6, rel=0.1) and rows["i0"][-1] == "counts/s"
    value, error = (float(each) for each in rows["fpga"][1:3])
    assert 0.01 < value < 1 and error == pytest.approx((value / (2 * 6.517e6)) ** 0.5, rel=0.15)
    assert text.count("slot") == 5 and rows["boxcar_box1"][-1] == "V"
    assert len(list(session.journal.directory.iterdir())) == runs
    for line in ("-1", "long"):
        with pytest.raises(UsageError, match="%ct takes beamline seconds"):
            magics.ct(line)


def test_every_name_of_the_table_is_there(session: Session) -> None:
    for name in [name for names in SHOWN.values() for name in names]:
        find_component(session.beamline.devices(), name)


def test_plans_are_explained_with_an_example_first_then_every_argument_with_its_unit(session: Session) -> None:
    names = session.names()
    for name in PLANS:
        shown = inspect.signature(names[name]).parameters
        assert inspect.isgeneratorfunction(names[name]) and "instruments" not in shown
        assert set(shown) & OPTIONS == OPTIONS_OF.get(name, OPTIONS)
        text = inspect.getdoc(names[name]) or ""
        first = text.split("Parameters")[0]
        assert f"RE({name}(" in first and ">>>" not in text and "instruments" not in text, name
        explained = {word for line in re.findall(r"^(\w[\w, ]*)(?: :|$)", text, re.M) for word in line.split(", ")}
        assert set(shown) <= explained, name
        assert re.search(r"\b(ps|keV|seconds|mJ/cm2)\b", text), name
    with pytest.raises(ValueError, match="edge 'Br' is no element and edge"):
        session.RE(names["energy_scan"](edge="Br"))


def test_plans_shows_an_example_of_each(session: Session, capsys: Any) -> None:
    names = session.names()
    names["plans"]()
    shown = capsys.readouterr().out
    assert inspect.getdoc(names["plans"]) == shown.rstrip("\n")
    for example in (*(f"RE({name}(" for name in PLANS), 'RE(resume("', "preview(energy_scan, "):
        assert f"\n    {example}" in shown or f"\n    done = {example}" in shown


def test_the_result_of_a_plan_is_shown_on_one_line_and_unchanged(session: Session) -> None:
    shell = InteractiveShell(user_ns=session.names() | {"bps": bps, "empty_run": empty_run})
    shell.run_line_magic("load_ext", "beamline")
    formatter = shell.display_formatter.formatters["text/plain"]
    done = shell.run_cell("RE(empty_run())").result
    (uid,) = done.run_start_uids
    assert formatter(done) == f"scan {session.RE.md['scan_id']} ({uid[:8]}): success"
    assert formatter(shell.run_cell("RE(bps.mv(mono, 13.46))").result) == "success"
    assert formatter(shell.run_cell("RE(bps.rd(laser.shutter.status))").result) == "success, returned 0"
    of_scan = replace(done, run_start_uids=(first_raw(session),) * 5, plan_result=start_of_first(session)["scan_set"])
    number, short = start_of_first(session)["scan_id"], first_raw(session)[:8]
    expected = f"scans {number} to {number} ({short} to {short}) of scan set {of_scan.plan_result[:8]}: abort, by hand"
    assert formatter(replace(of_scan, exit_status="abort", reason="by hand")) == expected
    shell.user_ns["desk"] = shell.user_ns.pop("session")
    assert formatter(done) == repr(done)  # a session by another name


# IPython's own hooks for magics still go through the completer that it is going to replace.
@pytest.mark.filterwarnings("ignore:`Completer.complete` is pending:PendingDeprecationWarning")
def test_a_notebook_loads_the_magics_by_one_line(session: Session, capsys: Any) -> None:
    shell = InteractiveShell()
    shell.run_line_magic("load_ext", "beamline")
    shell.run_cell("%wa")
    assert (
        "there is no session; in a shell %connect retries, elsewhere create one by session = beamline.start(...)"
        in "".join(capsys.readouterr())
    )
    session.publish(shell.user_ns)
    assert shell.complete(None, "%mov las", 8)[1] == [
        name for name in groups(session.beamline)["laser"] if name.startswith("las")
    ]
    assert {"sample", "mono.angle"} <= set(shell.complete(None, "%wa ", 4)[1])
    assert shell.complete(None, "%mov mono 13.4 laser.sh", 23)[1] == ["laser.shutter"]
    shell.run_cell("%mov mono 13.465\n%ct 1")
    shown = capsys.readouterr().out
    assert re.search(r"mono +13\.46\d+ +13\.465 ", shown) and shown.count("slot") == 5


def test_what_is_typed_wrong_is_said_with_the_way_out(session: Session) -> None:
    names = session.names()
    scan, preview = names["energy_scan"], names["preview"]
    with pytest.raises(TypeError, match=r"energy_scan is not called yet: type RE\(energy_scan\(\)\)"):
        session.RE(scan)
    with pytest.raises(TypeError, match=r"no argument 'pases'; did you mean passes\? It has edge, .*passes.*dwell"):
        session.RE(scan(pases=2))
    with pytest.raises(TypeError, match="energy_scan has no argument 'quux'; it has"):
        preview(scan, quux=2)
    assert session.RE.state == "idle"
    assert preview(scan(energies=ENERGIES, passes=2)) == preview(scan, energies=ENERGIES, passes=2)
    for name, seconds in (("find_gate", 52.0), ("check_all", 130.0)):
        assert preview(names[name](apply=True) if name == "find_gate" else names[name]()).total == seconds
    with pytest.raises(TypeError, match="preview takes energy_scan"):
        preview(empty_run())
    shell = InteractiveShell()
    show_outcomes(shell, lambda: session.config.data.root)
    plain = shell.display_formatter.formatters["text/plain"]
    assert (
        plain(scan(passes=2))
        == "a plan, nothing has run: RE(energy_scan(...)) runs it, preview(energy_scan(...)) shows it"
    )
    assert plain(names["check_all"]()).startswith("a plan, nothing has run: RE(check_all(...)) runs it, preview")
    assert plain(count([])) == "a plan, nothing has run: RE(count(...)) runs it"
    assert "generator object" in plain(each for each in "ab")


def test_a_start_shows_proposal_sample_and_users() -> None:
    line = about_line({"proposal": "GUP-1", "sample": "", "users": ["Ada", "Max"]})
    assert line == 'proposal GUP-1, no sample, users Ada, Max: session.about(sample="...") changes them.'


def test_objects_of_a_session_print_a_screenful_at_most(session: Session) -> None:
    """80 x 24 characters, as IPython prints them."""
    plain = InteractiveShell().display_formatter.formatters["text/plain"]
    objects = {name: each for name, each in vars(session).items() if not name.startswith("_")}
    parts = {f"scans.{name}": each for name, each in vars(session.scans).items() if not name.startswith("_")}
    shown = {
        name: plain(each).splitlines()
        for name, each in {"session": session, **objects, **parts, **session.names()}.items()
    }
    lines = {name: sum(1 + len(line) // 80 for line in text) for name, text in shown.items()}
    assert {name: number for name, number in lines.items() if number > 24} == {}


def test_tables_fit_a_terminal_of_80_characters(session: Session) -> None:
    file = io.StringIO()
    console = Console(file=file, width=80)
    compiled = session.scans.plans["delay_series"].compile([100, 10_100], edge=("Br_K", "Pb_L3"), passes=2)
    print_preview(compiled, session.instruments.times, 1.0, console)
    preview = file.getvalue()
    console.print(where_table(statuses(session.beamline))[0])
    lines = file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80 and "…" not in file.getvalue()
    assert len(re.findall(r"points: .* \[[| #]+\] ", preview)) == 2  # a ruler is not broken
