"""`trxas scan` and `trxas resume` on the command line."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from beamline.app.cli import app, main
from beamline.records.runs.journal_runs import JournalRuns
from beamline.session.session import Session
from plans.compilation.estimate import pass_durations
from plans.protocols import MoveTimes
from plans.scans.energy import compiled_energy_scan
from tests.beamline.config_files import write_config
from tests.beamline.photon_bench import PhotonBench
from tests.beamline.test_resume import events_of_first_pass, scan
from tests.helpers.ioc_process import RunningIoc

DOUBLE = ["scan", "energy_scan", "edge=Br_K,Pb_L3", "delay=10100", "passes=2", "dwell=1.5", "order=alternating"]


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_dry_run_prints_points_moves_and_time_and_needs_no_beamline(tmp_path: Path) -> None:
    png = tmp_path / "grid.png"
    message = run(*DOUBLE, "--dry-run", "--png", str(png), "--data", str(tmp_path / "data"))
    compiled_scan = compiled_energy_scan(("Br_K", "Pb_L3"), 10_100, 2, 1.5, order="alternating")
    estimated = sum(each.total for each in pass_durations(compiled_scan, MoveTimes()))
    assert f"Time {estimated:.0f} s of beamline time" in message
    assert len(re.findall(r"energy_scan", message)) == 4 and "alternating" in message
    assert png.stat().st_size > 1000
    assert not (tmp_path / "data").exists()


def test_a_scan_with_a_target_is_previewed_with_its_longest_time(tmp_path: Path) -> None:
    assert "Time at most" in run("scan", "delay_scan", "target=1e-3", "longest=30", "--dry-run")


def test_a_dry_run_without_the_laser(tmp_path: Path) -> None:
    """As Python writes it, and as JSON does."""
    for given in (("delay=None", "pattern=(0,)"), ("delay=null", "pattern=[0, 0]")):
        message = run("scan", "energy_scan", "edge=Se_K", *given, "--dry-run", "--data", str(tmp_path))
        assert "Se_K" in message and "Time" in message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["scan", "energy_scan", "edge=Fe_Q", "--dry-run"], "edge 'Fe_Q'"),
        (["scan", "energy_scan", "dwell=0", "--dry-run"], "dwell must be a number above 0 s, not 0"),
        (
            ["scan", "energy_scan", "colour=blue", "--dry-run"],
            "energy_scan has no argument 'colour'; it has edge, delay,",
        ),
        (["scan", "delay_scan", "delays=0", "--dry-run"], "delays needs at least two points"),
        (["resume", "0ddba11", "--dry-run"], "scan_set '0ddba11' is not in the journal"),
    ],
)
def test_bad_input_is_refused_by_name(tmp_path: Path, arguments: list[str], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        run(*arguments, "--data", str(tmp_path))


REFUSED = [
    (["scan", "energy_scan", "edge=Fe_Q"], "edge 'Fe_Q'"),
    (["scan", "energy_scan", "energies=13460,13472"], "energies must be in keV: 13460 would be eV, give 13.46"),
    (["resume", "last"], "scan_set 'last' is not in the journal"),
]


def test_a_session_refuses_on_one_line_too_and_the_next_one_scans(
    simulated_beamline: RunningIoc, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `trxas` prints it: neither a traceback of bluesky nor one of Channel Access."""
    monkeypatch.setattr(Session, "start_catalogue_writer", lambda _: None)  # a process of its own, and slow to start
    config = str(write_config(tmp_path))

    def trxas(*arguments: str) -> str:
        monkeypatch.setattr("sys.argv", ["trxas", *arguments, "--config", config])
        with pytest.raises(SystemExit) as leave:
            main()
        return str(leave.value.code)

    for arguments, message in REFUSED:
        refused, printed = trxas(*arguments), capfd.readouterr()
        assert refused.startswith("trxas: ") and message in refused and "\n" not in refused
        assert "Traceback" not in printed.out + printed.err and "The scan has failed" not in printed.out
    assert JournalRuns(tmp_path / "data").runs() == []
    assert trxas("scan", "energy_scan", "energies=13.46,13.472", "dwell=1") == "0"


def test_an_unknown_plan_lists_those_that_are_known() -> None:
    result = CliRunner().invoke(app, ["scan", "theta_scan", "--dry-run"])
    assert result.exit_code != 0 and "fluence_scan" in result.output


def test_what_a_resume_would_do(tmp_path: Path) -> None:
    """Two of eight points of the first pass are done."""
    events_of_first_pass(tmp_path, 10)
    config = tmp_path / "beamline.toml"
    packaged = Path(__file__).parents[2] / "beamline" / "config" / "configurations" / "simulated.toml"
    config.write_text(re.sub(r"(?m)^sample = .*$", 'sample = "soft"', packaged.read_text()))
    message = run("resume", "5eed", "--dry-run", "--config", str(config), "--data", str(tmp_path))
    rows = re.findall(r"energy_scan.*", message)
    assert len(rows) == 2
    assert [row.split("│")[3].strip() for row in rows] == ["6", "8"]
    evening = PhotonBench(tmp_path / "other")
    evening.run(scan(evening, passes=1))
    evening.close()
    with pytest.raises(ValueError, match="nothing is left to resume"):
        run("resume", "5eed", "--dry-run", "--config", str(config), "--data", str(tmp_path / "other"))


@pytest.mark.long
def test_a_scan_from_the_command_line(tmp_path: Path) -> None:
    """A simulated beamline, a scan, its runs, as a user would."""
    code = "import sys; from beamline.app.cli import main; main()"
    arguments = ["scan", "fluence_scan", "fluences=1,5,10", "dwell=1", "--sim", "--speedup", "100"]
    arguments += ["--data", str(tmp_path)]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^scan 1 \(\w{8}\) of scan set \w{8}: success$", done.stdout, re.MULTILINE)
