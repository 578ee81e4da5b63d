"""`trxas export` and `trxas list --csv` as a user calls them, and names of files that come from metadata."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from beamline.app import cli
from beamline.outputs.export.names import file_in, safe_name, written_whole
from beamline.outputs.export.write import write_results
from tests.beamline.example_runs import events_of, raw_run, uid_of_run
from tests.beamline.raw_scans import Acquisition, acquire, scan_set_of
from tests.beamline.shift import PLACE, SAMPLE, Shift


@pytest.mark.parametrize(
    "text",
    ["../../x", "/etc/passwd", "..", "", "a/b\\c", "-rf", ".hidden", "C:\\con", "x\0y\nz", "\u202egpj", "é" * 300],
)
def test_names_from_metadata_stay_in_the_folder(tmp_path: Path, text: str) -> None:
    name = safe_name(text)
    assert name and name.isascii() and not set(name) & set('/\\\0\n:"') and name[0] not in ".-" and len(name) <= 40
    assert file_in(tmp_path, text, text, suffix=".csv").resolve().parent == tmp_path.resolve()


def test_a_sample_called_dot_dot_slash_is_written_into_the_folder(shift: Shift, tmp_path: Path) -> None:
    paths = write_results([shift.result("energy")], ["csv", "png"], tmp_path / "out", PLACE)
    assert {path.parent for path in paths} == {tmp_path / "out"}
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(paths)


def test_a_link_in_the_folder_is_replaced_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("keep")
    (tmp_path / "out").mkdir()
    path = tmp_path / "out" / "a.csv"
    path.symlink_to(victim)
    with written_whole(file_in(tmp_path / "out", "a", suffix=".csv")) as draft:
        draft.write_text("new")
    assert victim.read_text() == "keep" and path.read_text() == "new" and not path.is_symlink()


def test_a_failure_leaves_no_half_file(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), written_whole(tmp_path / "a.csv") as draft:
        draft.write_text("half")
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


@pytest.fixture
def trxas(shift: Shift, tmp_path: Path) -> Callable[..., Result]:
    def call(*arguments: str) -> Result:
        return CliRunner().invoke(cli.app, [*arguments, "--data", str(shift.root)])

    return call


def test_the_command_writes_what_is_requested(trxas: Callable[..., Result], shift: Shift, tmp_path: Path) -> None:
    out = tmp_path / "for a friend"
    done = trxas("export", shift.scan_set("energy"), "--format", "csv,xdi", "--out", str(out))
    assert done.exit_code == 0, done.output
    written = [Path(line) for line in done.output.splitlines()]
    assert [path.suffix for path in written] == [".csv", ".xdi"] and all(path.is_file() for path in written)
    assert shift.result("energy").start["accumulates"] == [
        shift.raw["energy"][0][0][1]["uid"]
    ]  # the sum of both passes


@pytest.mark.parametrize(
    ("arguments", "phrase"),
    [
        (("last", "--format", "docx"), "docx: unknown format; available are csv, xdi"),
        (("{delay}", "--format", "xdi"), "xdi holds spectra"),
        (("nothing",), "no run or scan set"),
        (("{energy}", "{delay}", "--format", "png"), "do not go into one figure"),
        (("last", "--out", "/proc/nowhere"), "cannot be written"),
    ],
)
def test_the_command_reports_what_is_wrong(
    trxas: Callable[..., Result], shift: Shift, tmp_path: Path, arguments: tuple[str, ...], phrase: str
) -> None:
    named = [each.format(delay=shift.scan_set("delay"), energy=shift.scan_set("energy")) for each in arguments]
    done = trxas("export", "--out", str(tmp_path / "out"), *named)
    assert done.exit_code != 0 and phrase in str(done.exception), done.output


def test_without_larch_one_line_names_the_alternative(
    shift: Shift, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "larch", None)
    arguments = ["export", shift.scan_set("energy"), "--format", "athena", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["trxas", *arguments, "--data", str(shift.root)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    reported = str(end.value)
    assert "\n" not in reported and "written by Larch" in reported and "extra 'files'" in reported
    assert not list(tmp_path.iterdir())


def test_the_run_table_is_written_as_csv(trxas: Callable[..., Result], shift: Shift, tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    done = trxas("list", "--csv", str(path))
    assert done.exit_code == 0, done.output
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 12 and {row["kind"] for row in rows} == {"raw", "reduced"}
    by_uid = {row["uid"]: row for row in rows}
    second = shift.raw["energy"][1]
    row = by_uid[second[0][1]["uid"]]
    assert (row["pass"], row["passes"], row["ended"], row["sample"]) == ("2", "2", "success", SAMPLE)
    assert row["events"] == str(sum(name == "event" for name, _ in second))
    reduced = [each for each in rows if each["raw_uid"] == row["uid"]]
    assert [each["passes"] for each in reduced] == ["2"]
    assert reduced[0]["settings_hash"] and json.loads(reduced[0]["settings"])["pre_edge"] == [13.45, 13.46]
    assert json.loads(row["versions"]) == {"numpy": "2.4.6"} and row["configuration_hash"] == "c0ffee"


def test_a_cell_is_never_a_formula(tmp_path: Path) -> None:
    (documents,) = scan_set_of(1, sample="=cmd|' /C calc'!A0")
    acquire(tmp_path / "data", [documents])
    CliRunner().invoke(cli.app, ["list", "--csv", str(tmp_path / "runs.csv"), "--data", str(tmp_path / "data")])
    rows = list(csv.DictReader((tmp_path / "runs.csv").read_text(encoding="utf-8").splitlines()))
    assert rows and all(row["sample"].startswith("'=") for row in rows)


def test_events_of_a_plain_bluesky_run_are_written_as_tables(tmp_path: Path) -> None:
    documents = raw_run(4, plan_name="count")
    with Acquisition(tmp_path) as session:
        session.take(documents, reduce=False)
    uid, out = uid_of_run(documents), tmp_path / "out"
    arguments = ["export", uid, "--data", str(tmp_path), "--out", str(out)]
    assert CliRunner().invoke(cli.app, arguments).exit_code == 0
    primary = next(path for path in out.iterdir() if "primary" in path.name)
    lines = primary.read_text(encoding="utf-8").splitlines()
    assert any(uid in line for line in lines if line.startswith("#"))
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    events = [doc["data"] for doc in events_of(documents, "primary")]
    assert [float(row["mono_energy"]) for row in rows] == [data["mono_energy"] for data in events]
    assert [json.loads(row["fpga_gates"]) for row in rows] == [data["fpga_gates"].tolist() for data in events]
    assert [row["quality"] for row in rows] == [data["quality"] for data in events]
    assert len(list(out.iterdir())) == 2
    refused = CliRunner().invoke(cli.app, [*arguments, "--format", "xdi"])
    assert refused.exit_code == 1 and "--format csv" in str(refused.exception)
