"""Drawn temperature series, rings and transients: the forward model against closed forms, and pulls of a few."""

from __future__ import annotations

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("pyFAI", reason="pyFAI is not installed (extra 'thermal')")

from beamline.app.cli import app
from beamline.studies.numbers.table import numbers_of
from beamline.studies.thermal.distortion import GROUND, LIFETIME, SHARP, computed, cross_section
from beamline.studies.thermal.measure import results_of_seed
from beamline.studies.thermal.powder import DEAD, PowderSeries
from reduction.theory.broadening import broadened


def test_a_dead_element_counts_as_a_renewal_process_does() -> None:
    """Waiting times drawn one by one: their mean and scatter are those of the drawn counts."""
    rng, rate, dead, seconds = np.random.default_rng(1), 4e5, DEAD[0], 2e-3
    waits = dead + rng.exponential(1 / rate, (2000, 1200))
    one_by_one = (np.cumsum(waits, axis=1) < seconds).sum(axis=1)
    series = PowderSeries(1)
    drawn = np.array([series._count(rate, 1.0, dead, seconds)[0] for _ in range(4000)])
    assert drawn.mean() == pytest.approx(one_by_one.mean(), rel=3e-3)
    assert drawn.std() == pytest.approx(one_by_one.std(), rel=0.1)


def test_a_lorentzian_broadens_lines_by_its_width() -> None:
    raw, places = computed(GROUND), np.arange(-10.0, 60.0, 0.5)
    found = broadened(raw.energy, raw.value, np.full(places.size, LIFETIME), places)
    assert found == pytest.approx(cross_section(places, GROUND, SHARP + LIFETIME), rel=6e-3, abs=6e-3)


@pytest.mark.long
def test_every_number_of_two_series_is_within_its_errors() -> None:
    found = [results_of_seed(seed) for seed in (0, 1)]
    assert not [one for each in found for one in each if isinstance(one, str)]
    numbers = numbers_of(one for each in found for one in each)
    kinds = {one.name.partition(",")[0] for one in numbers}
    assert kinds == {
        "shift", "difference", "chi-square", "C", "peak position", "peak width", "detector distance",
        "detector aside", "theory amplitude",
    }  # fmt: skip
    assert {one.reference for one in numbers} == {"Br_K", "Pb_L3", ""}
    assert max(abs(one.pull) for one in numbers) < 4


def test_the_table_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("beamline.studies.thermal.measure.thermal_study", lambda seeds, jobs: iter([["repeat 0: why"]]))
    done = CliRunner().invoke(app, ["study", "thermal", "--repeats", "1"])
    assert done.exit_code == 0 and "1 temperature series" in done.output and "repeat 0: why" in done.output
