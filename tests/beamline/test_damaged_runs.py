"""Commands name damage and what is missing, carry it into results, skip odd files, and go on."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from beamline.app import cli
from beamline.records.journal import read, run_file, run_files, seal
from beamline.records.journal.format import MAGIC, frame
from beamline.records.runs.journal_runs import JournalRuns
from beamline.records.runs.run import RAW_DAMAGE
from beamline.session.persistent.numbers import last_number
from tests.beamline.example_runs import Documents, uid_of_run
from tests.beamline.raw_scans import DWELLS, acquire, scan_set_of

Run = Callable[..., Result]


@pytest.fixture
def trxas(tmp_path: Path) -> Run:
    """Calls the command line with this test's data root; its output without line breaks."""

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(cli.app, [*arguments, "--data", str(tmp_path)], catch_exceptions=False)

    return call


def flat(result: Result) -> str:
    return " ".join(result.output.split())


def damage_event(root: Path, documents: Documents, number: int) -> None:
    """One bit of one event changes on the disk."""
    path = run_file(root, uid_of_run(documents))
    content = bytearray(path.read_bytes())
    before = len(MAGIC) + sum(len(frame(*item)) for item in documents[: 2 + number])
    content[before + 300] ^= 8
    path.write_bytes(bytes(content))


LOST = "DAMAGED, lacks 1 of 48 events of primary (number 6)"


@pytest.fixture
def damaged(tmp_path: Path) -> list[Documents]:
    """Two passes; of the second, event 6 is damaged afterwards."""
    passes = scan_set_of(2)
    acquire(tmp_path, passes)
    assert DWELLS == 48
    damage_event(tmp_path, passes[1], 5)
    return passes


def test_list_show_and_csv_report_what_is_missing(trxas: Run, tmp_path: Path, damaged: list[Documents]) -> None:
    listed = flat(trxas("list"))
    assert LOST in listed and listed.count("DAMAGED") == 1
    assert "11/12 success" in listed and "12/12 success" in listed
    shown = flat(trxas("show", uid_of_run(damaged[1])))
    assert LOST in shown and f"primary {DWELLS - 1} events" in shown
    trxas("list", "--csv", str(tmp_path / "runs.csv"))
    with (tmp_path / "runs.csv").open() as file:
        rows = {row["uid"]: row for row in csv.DictReader(file)}
    assert LOST in rows[uid_of_run(damaged[1])]["damage"]
    assert rows[uid_of_run(damaged[1])]["events"] == str(DWELLS - 1)
    assert rows[uid_of_run(damaged[0])]["damage"] == ""


def test_a_result_of_damaged_data_is_stored_only_on_request_and_carries_it(
    trxas: Run, tmp_path: Path, damaged: list[Documents]
) -> None:
    uid, before = uid_of_run(damaged[1]), run_files(tmp_path)
    for changes in ((), ("--set", "i0_noise=2e-3")):
        result = trxas("reduce", uid, *changes)
        assert result.exit_code == 1
        assert LOST in flat(result) and "only with --write" in flat(result)
    assert run_files(tmp_path) == before
    trxas("reduce", uid, "--write")
    (new,) = set(run_files(tmp_path)) - set(before)
    start = read(new)[0][1]
    assert list(start[RAW_DAMAGE]) == [uid] and LOST in start[RAW_DAMAGE][uid]
    assert "of damaged raw data" in flat(trxas("list"))
    whole = trxas("reduce", uid_of_run(damaged[0]))
    assert whole.exit_code == 0 and "agree to the bit" in flat(whole)


def test_report_and_files_name_the_damage(trxas: Run, tmp_path: Path, damaged: list[Documents]) -> None:
    trxas("report", uid_of_run(damaged[1]), "--out", str(tmp_path / "report.html"))
    assert LOST in " ".join((tmp_path / "report.html").read_text().split())
    exported = trxas("export", uid_of_run(damaged[1]), "--format", "csv", "--out", str(tmp_path / "files"))
    (file,) = (tmp_path / "files").iterdir()
    assert LOST in file.read_text() and LOST in flat(exported)


def test_what_is_computed_and_drawn_from_stored_runs_names_the_damage(
    trxas: Run, tmp_path: Path, damaged: list[Documents], caplog: pytest.LogCaptureFixture
) -> None:
    whole, broken = (uid_of_run(documents) for documents in damaged)
    assert flat(trxas("compare", whole, broken)).count(LOST) == 1
    assert LOST in flat(trxas("map", broken))
    assert trxas("figure", "--once", "--png", str(tmp_path / "live.png")).exit_code == 0
    assert [line for line in caplog.messages if LOST in line] and (tmp_path / "live.png").stat().st_size > 1000
    caplog.clear()
    assert LOST not in flat(trxas("export", whole, "--out", str(tmp_path / "files")))


def test_repair_sets_damage_aside_and_the_commands_still_name_it(
    trxas: Run, tmp_path: Path, damaged: list[Documents]
) -> None:
    path = run_file(tmp_path, uid_of_run(damaged[1]))
    content = path.read_bytes()
    reported = flat(trxas("repair"))
    assert "lacks 1 of 48 events of primary (number 6)" in reported and "3 of 4 files are whole" in reported
    assert path.with_name(f"{path.name}.damaged-1").read_bytes() == content
    assert LOST in flat(trxas("list"))
    assert "set aside earlier" in flat(trxas("repair"))
    assert len(list(path.parent.glob("*.damaged-*"))) == 1


def test_one_odd_file_disables_nothing(trxas: Run, tmp_path: Path) -> None:
    passes = scan_set_of(1)
    acquire(tmp_path, passes)
    good = uid_of_run(passes[0])
    folder = tmp_path / "journal"

    def odd(number: int) -> Path:
        return folder / f"2020-01-01T000000.000_{number:08d}-aaaa.trxas"

    start, stop = passes[0][0], passes[0][-1]
    contents = [
        frame("start", {"time": 1.0}),
        frame("start", {"uid": "00000001-aaaa", "time": float("nan")}),
        frame("start", {**start[1], "uid": "00000002-aaaa", "scan_set": 7}),
        frame("start", {**start[1], "uid": "00000003-aaaa", "accumulates": 7}),
        frame("start", start[1]),
        frame(*stop),
        b"\xff" * 50,
    ]
    for number, content in enumerate(contents):
        odd(number).write_bytes(MAGIC + content)
    odd(90).mkdir()
    odd(91).symlink_to(tmp_path / "nothing")
    os.mkfifo(odd(92))
    for arguments in (["list"], ["show", good]):
        reported = flat(trxas(*arguments))
        assert good[:8] in reported
        for number in [*range(len(contents)), 90, 91, 92]:
            assert f"left alone: {odd(number).name}" in reported, number
    assert trxas("reduce", good).exit_code == 0
    assert [run.uid for run in JournalRuns(tmp_path).runs() if run.raw_uid is None] == [good]
    sentences: list[str] = []
    seal(tmp_path, sentences.append)  # and no session
    for number in (0, 1, 4, 6, 90, 91, 92):
        assert any(odd(number).name in sentence for sentence in sentences), number
    assert last_number(tmp_path) == start[1]["scan_id"]


def test_odd_documents_in_a_run_are_passed_over(trxas: Run, tmp_path: Path) -> None:
    passes = scan_set_of(1)
    acquire(tmp_path, passes)
    path = run_file(tmp_path, uid_of_run(passes[0]))
    event = dict(passes[0][2][1])
    del event["seq_num"]
    rows = {"start": 1, "stop": 500_000_001}
    datum = {"uid": "x/0", "descriptor": event["descriptor"], "stream_resource": "x", "seq_nums": rows}
    with path.open("ab") as file:
        for name, doc in (
            ("event", event),
            ("event", {**passes[0][2][1], "time": float("nan")}),
            ("stream_datum", datum),
        ):
            file.write(frame(name, doc))
    reported = flat(trxas("list"))
    assert uid_of_run(passes[0])[:8] in reported
    assert trxas("show", uid_of_run(passes[0])).exit_code == 0
    result = trxas("reduce", uid_of_run(passes[0]))
    assert result.exit_code == 0 and "agree to the bit" in flat(result)
