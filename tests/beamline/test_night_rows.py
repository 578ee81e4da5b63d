"""Tables of nights: cells are read and never evaluated, and everything that is wrong is named by row and column."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from typer.testing import CliRunner

from beamline.app.cli import app
from beamline.session.nights.night import FaultyNightError, load_rows
from beamline.session.nights.progress import planned_exposure
from beamline.session.nights.rows import NightRow
from beamline.session.nights.table import NightFileError, read_table
from beamline.session.persistent.places import PlaceError, find_place
from beamline.session.persistent.state import SavedPlace, State
from plans.scans.continuous import compiled_continuous_scan
from plans.scans.energy import compiled_energy_scan
from tests.beamline.configurations import configuration

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "night.csv"
NEW, OLD = SavedPlace(time=2.0, positions={"stage.across": 1.5}), SavedPlace(time=1.0, positions={"stage.across": 0.5})
SAVED = {f"spot{number}": (OLD, NEW) for number in range(1, 5)}


def rows_of(path: Path) -> list[NightRow]:
    return load_rows(path, configuration(path.parent), "present", SAVED)


def written(folder: Path, text: str) -> Path:
    path = folder / "night.csv"
    path.write_text(text, encoding="utf-8")
    return path


def faults_of(folder: Path, text: str) -> list[str]:
    with pytest.raises(FaultyNightError) as faulty:
        rows_of(written(folder, text))
    return [str(fault) for fault in faulty.value.faults]


def test_rows_come_by_priority_with_arguments_as_literals() -> None:
    rows = rows_of(EXAMPLE)
    assert [row.number for row in rows] == [2, 3, 5, 4, 6, 7]
    first, series, of_delays, lead, _, check = rows
    assert first.arguments == {
        "edge": "Br_K", "delay": 100, "dwell": 1.5, "order": "alternating", "passes": 4,
    }  # fmt: skip
    assert series.arguments["delays"] == (100, 10_100)
    assert of_delays.arguments["energies"] == [13.4675, 13.472]
    assert (lead.places, lead.exposure, lead.arguments["target"]) == (("spot2", "spot3"), 4000.0, 1e-3)
    assert (check.plan, check.sample, dict(check.arguments)) == ("check_all", "", {})
    assert len({row.key for row in rows}) == 6


def test_a_workbook_and_other_separators_read_the_same(tmp_path: Path) -> None:
    book = Workbook()
    for row in [["sample", "edge", "passes", "dwell", "priority"], ["wet", "Br_K, Pb_L3", 2, 1.5, 2.0], [None] * 5]:
        book.active.append(row)
    book.save(tmp_path / "night.xlsx")
    (sheet,) = rows_of(tmp_path / "night.xlsx")
    (text,) = rows_of(written(tmp_path, "\ufeffsample;edge;passes;dwell;priority\nwet;Br_K, Pb_L3;2;1.5;2\n;;;;\n"))
    assert sheet == text
    assert sheet.arguments == {"edge": ("Br_K", "Pb_L3"), "passes": 2, "dwell": 1.5}


def test_every_wrong_cell_is_named_at_once(tmp_path: Path) -> None:
    text = (
        "sample,place,exposure,edge,plan,arguments,passes,target,priority,colour\n"
        "wet,spot9,-1,Br_Q,energy_scan,dwell=0,two,,first,\n"
        "wet,,60,Br_K,theta_scan,,,,,\n"
        f"{'x' * 300},spot1,,Br_K,delay_series,,1,,,blue\n"
        "wet,spot1,,Br_K,energy_scan,\"delay=__import__('os').getcwd()\",=1+1,,,\n"
        "wet,spot1,,Br_K,fluence_scan,passes=2,1,,,\n"
    )
    assert [each.split(": ")[0] for each in faults_of(tmp_path, text)] == [
        "row 2, column edge",
        "row 2, column passes",
        "row 2, column arguments",
        "row 2, column place",
        "row 2, column exposure",
        "row 2, column priority",
        "row 3, column plan",
        "row 3, column exposure",
        "row 4, column sample",
        "row 4, column colour",
        "row 4, column delays",
        "row 5, column passes",
        "row 5, column arguments",
        "row 6, column passes",
    ]


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ('"delay=1) or exit("', "cannot be read|no list"),
        ("2", "no list of arguments"),
        ('"**{1: 2}"', r"has \*\*"),
        ("delay=1+", "cannot be read"),
        ("delay=open", "delay must be a finite number of ps, not 'open'"),
        ('"delay=[x for x in (1, 2)]"', "nothing is computed"),
        ("delay=" + "(" * 300, "cannot be read"),
        ("delay=" + "9" * 2000, "1000 characters"),
    ],
)
def test_arguments_are_literals_and_nothing_is_evaluated(tmp_path: Path, cell: str, reason: str) -> None:
    (fault,) = faults_of(tmp_path, f"arguments\n{cell}\n")
    assert fault.startswith("row 2, column arguments: ") and re.search(reason, fault)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("night.txt", b"sample", "a .csv or an .xlsx file"),
        ("night.csv", b"\xff\xfe", "no CSV file in UTF-8"),
        ("night.csv", b"", "names of the columns"),
        ("night.csv", b"edge,edge\n", "two columns are named edge"),
        ("night.xlsx", b"PK", "no .xlsx file"),
        ("none.csv", None, "No such file"),
        ("night.csv", b"edge\n" + b"Br_K\n" * 1001, "at most 1000 rows"),
    ],
)
def test_a_file_that_is_no_table_is_named(tmp_path: Path, name: str, content: bytes | None, reason: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(NightFileError, match=reason):
        read_table(tmp_path / name)


def test_equal_rows_differ_and_priority_place_and_order_do_not_make_another_row(tmp_path: Path) -> None:
    twice = rows_of(written(tmp_path, "edge,passes,priority\nBr_K,2,1\nBr_K,2,2\n"))
    assert len({row.key for row in twice}) == 2
    moved = rows_of(written(tmp_path, "priority,passes,edge,place\n9,2,Br_K,spot1\n1,2,Br_K,spot2\n"))
    assert {row.key for row in moved} == {row.key for row in twice}
    (other,) = rows_of(written(tmp_path, "edge,passes\nBr_K,3\n"))
    assert other.key not in {row.key for row in twice}


def test_places_have_a_history() -> None:
    assert find_place(SAVED, "spot1").saved == NEW and find_place(SAVED, "spot1@1").saved == OLD
    for name in ("spot9", "spot1@2", "spot1@x", ""):
        with pytest.raises(PlaceError):
            find_place(SAVED, name)


def trxas(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["batch", *arguments], catch_exceptions=False)


def test_a_dry_run_prints_the_night_and_needs_no_beamline(tmp_path: Path) -> None:
    (tmp_path / "session.json").write_text(State(places=SAVED).model_dump_json())
    done = trxas(str(EXAMPLE), "--dry-run", "--data", str(tmp_path))
    assert done.exit_code == 0, done.output
    lines = [line.split() for line in done.output.splitlines() if "to do" in line]
    assert [line[0] for line in lines] == ["2", "3", "5", "4", "6", "7"]
    assert not (tmp_path / "journal").exists()
    (tmp_path / "session.json").unlink()
    faulty = trxas(str(EXAMPLE), "--dry-run", "--data", str(tmp_path))
    assert faulty.exit_code == 1
    assert "row 4, column place: no place 'spot2' is saved: %save spot2 there; saved are none" in faulty.output
    assert faulty.output.count("column place") == 6


def test_a_sweep_exposes_a_place_for_its_whole_length() -> None:
    """And an event of a step scan for its dwell."""
    grid = [13.450, 13.455, 13.460, 13.461, 13.462, 13.463]
    given: dict[str, Any] = {
        "energies": grid,
        "pattern": (1, 0),
        "settings": {"pre_edge": (13.45, 13.4551), "integral": (13.4599, 13.463)},
    }
    swept = compiled_continuous_scan(dwell=0.5, **given).passes[0]
    length = 0.5 * (6 + 5 / 3) + 0.1  # seven steps, one of them slower, and the run-up; two sweeps
    assert planned_exposure(swept.start) == pytest.approx(2 * length, abs=0.4)  # whole frames
    steps = compiled_energy_scan(dwell=0.5, **given).passes[0]
    assert planned_exposure(steps.start) == 0.5 * 12
