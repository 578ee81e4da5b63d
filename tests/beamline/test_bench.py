"""`trxas bench`: assessments, output, libraries that are not installed, and that wrong results are not timed."""

from __future__ import annotations

import json
from math import nan

import numpy as np
import pytest
from typer.testing import CliRunner

from beamline.app.cli import app
from beamline.studies.bench import contenders, files, kernels, run, shots, updates
from beamline.studies.bench.rows import BenchRow, absent
from beamline.studies.bench.shots import NUM_PHASES, ExampleShots, one_second


@pytest.fixture(scope="module")
def few() -> ExampleShots:
    """A fiftieth of a second, a whole number of turns of the pattern."""
    shots, size = one_second(), 1080 * NUM_PHASES
    return ExampleShots(shots.hits[:size], shots.heights[:size], shots.floats[:size])


def bench(monkeypatch, rows, *options):
    monkeypatch.setattr(run, "run", lambda notify, rounds: rows)
    return CliRunner().invoke(app, ["bench", *options])


def test_strict_fails_on_a_missed_must_alone(monkeypatch, tmp_path):
    good = [
        BenchRow("fast", 0.8, 0.7, 0.9),
        BenchRow("short", 0.9, 1.0, 0.5, "ms", smaller_is_better=True),
        BenchRow("any", 3.0),
    ]
    answer = bench(monkeypatch, good, "--strict", "--json", str(tmp_path / "out.json"))
    assert answer.exit_code == 0
    assert "missed" not in answer.output
    report = json.loads((tmp_path / "out.json").read_text())
    assert [row["meets_must"] for row in report["rows"]] == [True, True, None]
    assert [row["meets_goal"] for row in report["rows"]] == [False, False, None]
    assert {"processor", "cores", "numba"} <= set(report["machine"])
    slow = [*good, BenchRow("slow", 0.6, 0.7, 0.9), BenchRow("long", 1.1, 1.0, 0.5, "ms", smaller_is_better=True)]
    assert bench(monkeypatch, slow).exit_code == 0
    answer = bench(monkeypatch, slow, "--strict")
    assert answer.exit_code == 1
    assert "missed: slow; long" in answer.output


def test_a_line_that_falls_short_says_what_stands_in_the_way(monkeypatch):
    rows = [
        BenchRow("slow", 0.6, 0.7, 0.9, because="memory reads at 0.6"),
        BenchRow("near", 0.8, 0.7, 0.9, because="adders take 0.1"),
        BenchRow("fast", 0.95, 0.7, 0.9, because="never mind"),
        BenchRow("late", 1.4, 1.3, None, "", True, because="reading alone has 1.5"),
    ]
    output = bench(monkeypatch, rows).output
    assert all(line in output for line in ("slow, 0.6: memory reads", "near, 0.8: adders", "late, 1.4: reading alone"))
    assert "never mind" not in output


def test_a_library_that_is_not_installed_is_reported_and_is_no_success(monkeypatch, tmp_path):
    rows = [absent("scipp hist time / kernel time", 40, 75, "scipp")]
    answer = bench(monkeypatch, rows, "--strict", "--json", str(tmp_path / "out.json"))
    assert answer.exit_code == 1
    assert "scipp not installed" in answer.output and "not measured" in answer.output
    assert json.loads((tmp_path / "out.json").read_text())["rows"][0]["seen"] is None


def test_libraries_agree_and_absent_ones_are_rows(few, monkeypatch):
    monkeypatch.setattr(contenders, "find_spec", lambda name: name == "numpy" or None)
    rows = contenders.measure(few, 1)
    assert [np.isfinite(row.seen) for row in rows] == [True, False, False, False]
    assert [row.must for row in rows] == [8, 40, 80, 200]


def test_wrong_results_are_not_timed(few, monkeypatch):
    def wrong(hits, phase):
        return lambda: hits.reshape(-1, NUM_PHASES).sum(axis=0) + 1

    monkeypatch.setattr(contenders, "MAKERS", {"numpy": wrong})
    with pytest.raises(AssertionError):
        contenders.measure(few, 1)


def test_every_required_line_of_the_table_is_measured(few, monkeypatch):
    monkeypatch.setattr(shots, "DRAM_BYTES", 4_000_000)
    names = [row.name for row in kernels.measure(few, 1) if row.must is not None]
    assert len(names) == len(kernels.WANTED) + 3  # bits, tags, and the time of beam


def test_a_row_of_a_file_comes_to_an_updated_point(few, tmp_path):
    files.write_file(tmp_path / "a.h5", few.heights, 1)
    assert [row.must for row in files.from_a_row(tmp_path / "a.h5", 2)] == [2.0, *[None] * 6]


def test_the_pull_is_that_of_binomial_errors():
    row = updates.pull(seed=3)
    # 40,000 trials know a standard deviation to 1/sqrt(2 x 40,000) = 0.0035; 4.5 of those.
    assert row.seen < 0.016


def test_the_99th_percentile_is_that_of_the_quietest_series_and_shows_what_is_in_all():
    seconds = np.full(6 * 400, 1e-3)
    seconds[::50] = 3e-3  # of the function itself: one in fifty, in each series
    assert updates.quietest_p99(seconds) == pytest.approx(3e-3)
    seconds = np.full(6 * 400, 1e-3)
    seconds[: 5 * 400 : 50] = 3e-3  # of something else, which has gone in the last series
    assert updates.quietest_p99(seconds) == pytest.approx(1e-3)


def test_nan_meets_no_requirement():
    assert BenchRow("x", nan, 1.0, 2.0).meets(1.0) is None
