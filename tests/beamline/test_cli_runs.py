"""The commands list, show, reduce and figure, as a user calls them."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from matplotlib.image import imread
from rich.console import Console
from typer.testing import CliRunner, Result

from beamline.app import cli
from beamline.formatting import duration, format_delay
from beamline.records.journal import read, run_file, run_files
from beamline.records.runs.journal_runs import JournalRuns
from beamline.records.runs.table import list_table
from tests.beamline.catalogue_writing import write_catalogue
from tests.beamline.example_runs import Documents, raw_run, uid_of_run
from tests.beamline.raw_scans import DWELLS, Acquisition, acquire, scan_set_of

Run = Callable[..., Result]


@pytest.fixture
def trxas(tmp_path: Path) -> Run:
    """Calls the command line with this test's data root."""

    def call(*arguments: str, data: Path = tmp_path) -> Result:
        return CliRunner().invoke(cli.app, [*arguments, "--data", str(data)], catch_exceptions=True)

    return call


def lines_of(result: Result) -> list[list[str]]:
    assert result.exit_code == 0, result.output
    return [line.split() for line in result.output.splitlines()]


def test_list_has_a_line_a_run_with_its_reduced_runs_below(trxas: Run, tmp_path: Path) -> None:
    passes = scan_set_of(2, planned=3)
    with Acquisition(tmp_path) as session:
        session.take(passes[0])
        stop = {**passes[1][-1][1], "exit_status": "abort", "reason": "beam gone", "num_events": {"primary": 22}}
        session.take([*passes[1][: 2 + 22], ("stop", stop)])
    lines = lines_of(trxas("list"))
    first, first_reduced, second, second_reduced = lines[1:5]
    assert first[2:10] == ["1", "energy_scan", "Br_K", "100", "ps", "1/3", "12/12", "success"]
    assert second[2:10] == ["2", "energy_scan", "Br_K", "100", "ps", "2/3", "5/12", "abort"]
    assert first[10] == uid_of_run(passes[0])[:8] and second[10:] == [uid_of_run(passes[1])[:8], "beam", "gone"]
    for line, documents, number in ((first_reduced, passes[0], 1), (second_reduced, passes[1], 2)):
        reduced = session.reduced[uid_of_run(documents)]
        assert line[:4] == ["reduced", "live", "sum", str(number)] and reduced[0][1]["uid"][:8] in line


def test_a_list_for_80_characters_has_times_delays_and_uids_in_full(tmp_path: Path) -> None:
    passes = scan_set_of(2, pump_delay=10_100.0)
    acquire(tmp_path, passes)
    store, console = JournalRuns(tmp_path), Console(width=80, file=io.StringIO())
    console.print(list_table(store, store.runs(), [run for run in store.runs() if run.raw_uid is None], width=80))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert max(map(len, lines)) <= 80 and not any("\u2026" in line for line in lines)
    for number, documents in enumerate(passes, 1):
        began = time.strftime("%m-%d %H:%M:%S", time.localtime(documents[0][1]["time"]))
        (line,) = [line for line in lines if uid_of_run(documents)[:8] in line]
        assert line.split() == [*began.split(), str(number), "energy_scan", "10.1", "ns", f"{number}/2", "success",
                                uid_of_run(documents)[:8]]  # fmt: skip


def test_list_distinguishes_running_from_interrupted_runs(trxas: Run, tmp_path: Path) -> None:
    (documents,) = scan_set_of(1)
    with Acquisition(tmp_path) as session:
        session.take(documents[: 2 + 9])
        assert "2/12  running" in trxas("list").output
    assert "2/12  cut off" in trxas("list").output


def test_list_shows_the_newest_and_reports_how_many_it_omits(trxas: Run, tmp_path: Path) -> None:
    passes = scan_set_of(3)
    acquire(tmp_path, passes)
    output = trxas("list", "-n", "1").output
    assert uid_of_run(passes[2])[:8] in output and uid_of_run(passes[1])[:8] not in output
    assert "2 earlier runs are not shown" in output
    assert "No runs in the journal" in trxas("list", data=tmp_path / "nothing").output


@pytest.mark.long
def test_list_shows_whether_the_catalogue_lags(trxas: Run, tmp_path: Path) -> None:
    one, two = scan_set_of(2)
    acquire(tmp_path, [one])
    assert "no catalogue writer has run for this journal" in trxas("list").output
    assert write_catalogue(tmp_path, tmp_path / "catalogue")
    assert "The catalogue has every completed run." in trxas("list").output
    acquire(tmp_path, [two])
    output = " ".join(trxas("list").output.split())
    assert "The catalogue lags: 2 runs are not complete in it yet (catalogue: stopped)" in output


@pytest.mark.long
def test_list_and_show_read_the_same_from_the_catalogue(trxas: Run, tmp_path: Path) -> None:
    passes = scan_set_of(1)
    acquire(tmp_path, passes)
    assert write_catalogue(tmp_path, tmp_path / "catalogue")
    journal, catalogue = (trxas("list", "--from", source).output for source in ("journal", "catalogue"))
    assert journal.splitlines()[1:3] == catalogue.splitlines()[1:3]
    uid = uid_of_run(passes[0])
    journal, catalogue = (trxas("show", uid, "--from", source).output for source in ("journal", "catalogue"))
    assert journal == catalogue


def test_show_prints_streams_qualities_settings_and_the_reduced_runs(trxas: Run, tmp_path: Path) -> None:
    (documents,) = scan_set_of(1)
    for number in (5, 6, 17):
        documents[2 + number][1]["data"]["quality"] = "beam lost"
    live = acquire(tmp_path, [documents])[uid_of_run(documents)]
    output = trxas("show", uid_of_run(documents)[:9]).output
    flat = " ".join(output.split())
    for phrase in (
        f"raw run {uid_of_run(documents)}, SIMULATED", "sample test sample", "settings.i0_noise 0.001",
        f"primary {DWELLS} events", f"good {DWELLS - 3} beam lost 3", f"{live[0][1]['uid']} live, success",
        "(12 values)",
    ):  # fmt: skip
        assert phrase in flat, phrase
    reduced = " ".join(trxas("show", live[0][1]["uid"]).output.split())
    assert f"reduced run {live[0][1]['uid']}" in reduced and f"made from {uid_of_run(documents)} raw run" in reduced
    assert f"points {DWELLS} events spectrum 1 events" in reduced
    assert "scan set" in trxas("show", documents[0][1]["scan_set"][:12]).output


def test_metadata_cannot_write_on_the_terminal(trxas: Run, tmp_path: Path) -> None:
    run: Documents = raw_run(1, sample="\x1b[2J\x07[bold]x[/bold]")
    with Acquisition(tmp_path) as session:
        session.take(run, reduce=False)
    for arguments in (["show", "last"], ["list"]):
        output = trxas(*arguments).output
        assert "\x1b" not in output and "\x07" not in output
    assert "[bold]x[/bold]" in trxas("show", "last").output


def test_reduce_reports_that_numbers_agree_and_writes_nothing(trxas: Run, tmp_path: Path) -> None:
    passes = scan_set_of(2)
    acquire(tmp_path, passes)
    before = run_files(tmp_path)
    for name in ("last", passes[0][0][1]["scan_set"]):
        result = trxas("reduce", name)
        assert result.exit_code == 0 and f"all {DWELLS + 3} events agree to the bit" in result.output
    assert run_files(tmp_path) == before


def test_reduce_with_other_settings_writes_a_run_beside_the_old(trxas: Run, tmp_path: Path) -> None:
    passes = scan_set_of(1)
    acquire(tmp_path, passes)
    before = set(run_files(tmp_path))
    result = trxas("reduce", "last", "--set", "i0_noise=2e-3", "--set", "integral=13.467,13.57")
    assert result.exit_code == 0 and "new reduced run" in result.output
    (new,) = set(run_files(tmp_path)) - before
    documents = read(new)
    settings = documents[0][1]["settings"]
    assert settings["i0_noise"] == 2e-3 and settings["integral"] == [13.467, 13.57]
    assert documents[0][1]["analysis_of"] == uid_of_run(passes[0]) and documents[-1][0] == "stop"
    listed = " ".join(trxas("list").output.split())
    assert "reduced replay" in listed and "with integral=[13.467, 13.57], i0_noise=0.002" in listed
    result = trxas("reduce", "last", "--set", "integral=[13.467,13.57]", "--set", "i0_noise=0.002")
    assert "agree to the bit" in result.output
    assert len(run_files(tmp_path)) == len(before) + 1


def test_reduce_fails_where_stored_numbers_differ_and_stores_its_own_only_on_request(
    trxas: Run, tmp_path: Path
) -> None:
    (documents,) = scan_set_of(1)
    with Acquisition(tmp_path) as session:
        publish = session.reducer._publish

        def corrupt(name, doc):
            if name == "event" and doc["seq_num"] == 3:
                doc["data"]["photons"][0] += 1e-15
            publish(name, doc)

        session.reducer._publish = corrupt
        session.take(documents)
    before = run_files(tmp_path)
    result = trxas("reduce", "last")
    assert result.exit_code == 1 and "the first: photons of event 3 in points" in " ".join(result.output.split())
    assert run_files(tmp_path) == before
    result = trxas("reduce", "last", "--write")
    assert result.exit_code == 0 and len(run_files(tmp_path)) == len(before) + 1
    assert run_file(tmp_path, uid_of_run(documents)) in before


@pytest.mark.parametrize(
    ("arguments", "phrase"),
    [
        (["reduce", "nothing"], "no run or scan set has a uid that begins with 'nothing'"),
        (["reduce", "last", "--set", "nix=1"], "there is no setting 'nix'; settings are pre_edge"),
        (["reduce", "last", "--set", "i0_noise"], "--set takes KEY=VALUE"),
        (["reduce", "last", "--from", "memory"], "runs come from the journal or from the catalogue"),
        (["show", "zz"], "`trxas list` shows them"),
        (["figure", "--once"], "--once needs --png FILE"),
        (["list", "--newest", "0"], "greater than or equal to 1"),
        (["list", "--config", "nowhere.toml"], "no configuration file nowhere.toml"),
    ],
)
def test_errors_are_one_line(
    arguments: list[str], phrase: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acquire(tmp_path, scan_set_of(1))
    monkeypatch.setattr(sys, "argv", ["trxas", *arguments, "--data", str(tmp_path)])
    with pytest.raises(SystemExit) as leave:
        cli.main()
    assert isinstance(leave.value.code, str) and phrase in leave.value.code and "\n" not in leave.value.code


@pytest.mark.parametrize("before", [["show"], ["export"], ["compare"], ["notes", "--run"]])
def test_a_shell_completes_uids_of_runs_and_scan_sets(
    before: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    acquire(tmp_path, scan_set_of(2))
    starts = [run.start for run in JournalRuns(tmp_path).runs()]
    uids = {str(start[key]) for start in starts for key in ("uid", "scan_set") if key in start}
    wanted = min(uids)[:6]
    command, *option = before
    words = ["trxas", command, "--data", str(tmp_path), *option, wanted]
    monkeypatch.setenv("_TRXAS_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", " ".join(words))
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    with pytest.raises(SystemExit) as leave:
        cli.main()
    assert not leave.value.code
    assert capsys.readouterr().out.split() == sorted(uid for uid in uids if uid.startswith(wanted)) != []


def test_figure_draws_a_file(trxas: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.nice", lambda _: 0)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    acquire(tmp_path, scan_set_of(1))
    result = trxas("figure", "--png", str(tmp_path / "here" / "now.png"), "--once")
    assert result.exit_code == 0
    assert imread(tmp_path / "here" / "now.png").shape[:2] == (860, 1300)


@pytest.mark.parametrize(
    ("delay", "phrase"), [(100.0, "100 ps"), (-5, "-5 ps"), (10_100.0, "10.1 ns"), (163_538.0, "163.5 ns"), (None, "")]
)
def test_delays_are_formatted(delay: object, phrase: str) -> None:
    assert format_delay(delay) == phrase


@pytest.mark.parametrize(
    ("seconds", "phrase"),
    [(0.4, "0 s"), (89, "89 s"), (100, "2 min"), (5300, "88 min"), (5400, "1 h 30 min"), (90_000, "25 h 00 min")],
)
def test_durations_are_formatted(seconds: float, phrase: str) -> None:
    assert duration(seconds) == phrase
