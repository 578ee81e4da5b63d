"""A shift's report: its content, also of bad shifts, and that it has no scripts."""

from __future__ import annotations

import base64
import io
import re
import shutil
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from beamline.app import cli
from beamline.formatting import when
from beamline.session.scans.suspenders import SuspensionLog
from tests.beamline.example_runs import Documents, uid_of_run
from tests.beamline.raw_scans import acquire, raw_scan, scan_set_of
from tests.beamline.shift import Shift

BEGAN = datetime.fromtimestamp(1.7e9)
DAY = BEGAN.strftime("%Y-%m-%d")
FROM_THERE = ["--since", (datetime.fromtimestamp(1.7e9 - 60)).isoformat(), "--until", "2030-01-01"]


class Page(HTMLParser):
    """Tags with their attributes, and the rows of all tables."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self._in_cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self._in_cell = True
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.rows[-1][-1] += data

    def row(self, beginning: str) -> list[str]:
        return next(row for row in self.rows if row and row[0].startswith(beginning))


@pytest.fixture(scope="module")
def root(shift: Shift, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the shift (a bad dwell in the first pass of the spectrum), with a suspension in its log."""
    root = tmp_path_factory.mktemp("shift") / "data"
    shutil.copytree(shift.root, root)
    waiting = SuspensionLog(lambda _: None, root)
    waiting.end(waiting.begin("beam lost", "ring_current is 0"))
    waiting.close()
    return root


def call(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli.app, ["report", *arguments, "--data", str(root)])


@pytest.fixture(scope="module")
def text(root: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("report") / "shift.html"
    done = call(root, *FROM_THERE, "--out", str(out))
    assert done.exit_code == 0, done.output
    assert "6 runs" in done.output
    return out.read_text(encoding="utf-8")


def test_every_run_and_every_measurement_is_there(text: str) -> None:
    page = Page(text)
    runs = page.rows[page.rows.index(page.row("began")) + 1 :][:6]
    assert sorted(row[3] for row in runs) == ["delay_scan"] * 2 + ["energy_scan"] * 2 + ["fluence_scan"] * 2
    first, second = (row for row in runs if row[3] == "energy_scan")
    assert (first[0], first[6], first[8], first[9]) == (when(1.7e9), "1/2", "47 of 48", "success")
    assert (second[0], second[6], second[8]) == (when(1.7e9 + 60), "2/2", "48 of 48")
    images = [attributes["src"] or "" for tag, attributes in page.tags if tag == "img"]
    assert len(images) == 3
    for image in images:
        assert min(Image.open(io.BytesIO(base64.b64decode(image.split(",", 1)[1]))).size) > 300
    assert page.row("numpy")[1] == "2.4.6" and page.row("users")[1] == "Ada, Max" and "c0ffee" in text


def test_numbers_have_errors(text: str) -> None:
    page = Page(text)
    transient = page.row("slot 0, 100 ps: transient at")
    value, error = map(float, re.findall(r"[+-]?\d+\.\d+", transient[1]))
    assert -4 < value < -1 and 0 < error < 1 and "sigma" in transient[2]
    assert "+-" in page.row("slot 0, 100 ps: absolute area")[1]
    assert "degrees of freedom" in page.row("slot 0: scatter of passes")[2]
    assert re.search(r"\d+ \+- \d+ ps .* chi-square", page.row("kinetics of slot 0")[1])
    slope = page.row("initial slope of slot 0")
    assert re.search(r"\(\+|\(-", slope[1]) and "chi-square" in slope[2]
    assert page.row("slot 0, 100 ps: C")  # this coarse grid has no C, with a reason
    assert "equal steps" in page.row("slot 0, 100 ps: C")[2]
    assert "contains no signal; 1 is counting noise alone" in page.row("null test")[2]


def test_faults_are_reported(text: str) -> None:
    page = Page(text)
    bad = next(row for row in page.rows if len(row) == 3 and "beam lost & found" in row[2])
    assert "point 1, segment 3, attempt 0" in bad[2] and bad[0] == when(1.7e9 + 8)
    assert [row[2] for row in page.rows if len(row) == 3 and row[1] == "log"] == [
        "WAITING: beam lost (ring_current is 0); the scan resumes automatically (suspension 1)",
        "Resumed after 0.0 s: beam lost is over",
    ]


def test_nothing_runs_and_nothing_is_fetched(text: str) -> None:
    page = Page(text)
    assert "&lt;script&gt;" in text  # the sample's name is there, as words
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "form", "a", "base"}
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")], tag
        assert (attributes.get("src") or "data:").startswith("data:")
    policy = next(each["content"] for tag, each in page.tags if tag == "meta" and "http-equiv" in each)
    assert policy is not None and policy.startswith("default-src 'none'")


def test_simulated_data_are_marked_and_measured_ones_are_not(text: str, tmp_path: Path) -> None:
    assert "<title>SIM: " in text and "SIM: simulated data" in text
    acquire(tmp_path / "data", scan_set_of(1, mode="real"))
    call(tmp_path / "data", "last", "--out", str(tmp_path / "real.html"))
    assert "SIM" not in re.sub(r"base64,[^\"]*", "", (tmp_path / "real.html").read_text())


def test_an_empty_shift_is_a_page_too(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "empty.html"
    assert call(root, "--date", "2001-01-01", "--out", str(out)).exit_code == 0
    page = out.read_text(encoding="utf-8")
    assert "No run began in this time" in page and "<img" not in page
    assert call(tmp_path / "nothing", "--out", str(out)).exit_code == 0


def test_runs_that_were_interrupted_or_aborted_are_faults(tmp_path: Path) -> None:
    passes: list[Documents] = scan_set_of(2)
    stop = {**passes[1][-1][1], "exit_status": "abort", "reason": "shutter < stuck"}
    acquire(tmp_path, [passes[0][: 2 + 9], [*passes[1][: 2 + 11], ("stop", stop)]])
    out = tmp_path / "report.html"
    assert call(tmp_path, passes[0][0][1]["scan_set"], "--out", str(out)).exit_code == 0
    text = out.read_text(encoding="utf-8")
    rows = {row[1]: row[2] for row in Page(text).rows if len(row) == 3}
    assert rows[uid_of_run(passes[0])[:8]] == "cut off"
    assert rows[uid_of_run(passes[1])[:8]] == "abort: shutter < stuck"
    assert "no reduced result yet" in text and "shutter &lt; stuck" in text


def test_the_name_of_the_file_stays_in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "data"
    acquire(root, scan_set_of(1, beamline_name="../../7-ID-D/.."))
    here = tmp_path / "a" / "b"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    assert call(root, "--date", DAY).exit_code == 0
    assert call(root, "--date", DAY, "--out", str(tmp_path / "a")).exit_code == 0
    written = {path.relative_to(tmp_path) for path in tmp_path.rglob("*.html")}
    name = f"report_7-ID-D_{DAY}.html"
    assert written == {Path("a", "b", name), Path("a", name)}


@pytest.mark.parametrize(
    ("arguments", "phrase"),
    [
        (("last", "--date", DAY), "--since and"),
        (("--since", "2024-01-02", "--until", "2024-01-01"), "is not after"),
        (("nothing",), "no run or scan set"),
        (("last", "--out", "/proc/nowhere/report.html"), "cannot be written"),
    ],
)
def test_bad_input_is_refused_by_name(root: Path, arguments: tuple[str, ...], phrase: str) -> None:
    done = call(root, *arguments)
    assert done.exit_code != 0 and phrase in f"{done.output} {done.exception}"


def test_runs_by_name_are_those_runs(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "one.html"
    listed = CliRunner().invoke(cli.app, ["list", "--data", str(root)]).output
    uid = next(line.split()[10] for line in listed.splitlines() if "energy_scan" in line)
    assert call(root, uid, "--out", str(out)).exit_code == 0
    rows = Page(out.read_text(encoding="utf-8")).rows
    assert next(row[11] for row in rows if row[3:4] == ["energy_scan"]).startswith(uid)
    assert sum(row[3:4] == ["energy_scan"] for row in rows) == 1


def test_each_run_has_its_health(tmp_path: Path) -> None:
    """Of a pass with half of its dwells rejected, and of one whose counts are a fifth of those of the pass before."""
    first, second, third = scan_set_of(3)
    for number in range(0, 48, 3):
        second[2 + number][1]["data"]["quality"] = "beam lost"
    for number in range(48):
        data = third[2 + number][1]["data"]
        data["fpga_counts"] = data["fpga_counts"] // 5
    earlier = raw_scan(9, "earlier", began=1.7e9 - 2e5)
    second[0][1]["findings"] = {"gate": uid_of_run(earlier), "energy": uid_of_run(first)}
    acquire(tmp_path, [earlier, first, second, third])
    assert call(tmp_path, *FROM_THERE, "--out", str(tmp_path / "x.html")).exit_code == 0
    rows = [
        row for row in Page((tmp_path / "x.html").read_text()).rows if row and row[0].startswith(BEGAN.strftime("%Y"))
    ]
    verdicts = [row[10] for row in rows[:3]]
    assert verdicts[0] == "good" and verdicts[1].startswith("look: found more than 24 h before: gate; 33 %")
    assert verdicts[2].startswith("bad: the rate is 0.")
    listed = CliRunner().invoke(cli.app, ["list", "--health", "--data", str(tmp_path)]).output
    assert "before: gate; 33 %" in " ".join(listed.split())
    shown = CliRunner().invoke(cli.app, ["show", uid_of_run(third), "--data", str(tmp_path)]).output
    assert "health bad: the rate is 0." in " ".join(shown.split())
