"""Forecast files: rates by hand, times of the targets, what is refused, the command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xraydb
from typer.testing import CliRunner

from beamline.app.cli import app
from beamline.config.forecast import ForecastFileError, read_forecast
from beamline.records.forecast.changes import of_beam, of_delays, of_measurement
from beamline.records.forecast.expected import ExpectedSample, grids_of
from beamline.records.forecast.rates import photons_a_pulse
from plans.compilation.edges import find_edge
from reduction.settings import Settings
from tests.beamline.configurations import FORECAST

EDGE = find_edge("Br_K")
ENERGY = np.array([13.46, 13.472, 13.5])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "bromide.toml"
    path.write_text(FORECAST)
    return path


def test_photons_a_pulse_of_a_thin_sheet_by_hand(file: Path) -> None:
    """Without absorption on the way: flux times path times cross-section times yield, solid angle and efficiency."""
    forecast = read_forecast(file)
    thin = forecast.model_copy(update={"sample": forecast.sample.model_copy(update={"thickness": 0.01})})
    energy = 1e3 * EDGE.e0
    step = xraydb.mu_elam("Br", energy + 50) - xraydb.mu_elam("Br", energy - 50)  # cm2/g
    path = np.sqrt(2) * 0.01e-4  # cm, at 45 degrees
    absorbed = 0.1e-3 * 79.904 * step * path
    expected = 6e9 / 6.5173e6 * absorbed * xraydb.xray_edge("Br", "K").fyield * 0.01 * 0.5
    assert photons_a_pulse(thin, EDGE) == pytest.approx(expected, rel=2e-3)


def test_the_transient_of_a_shift_is_the_difference_of_two_steps(file: Path) -> None:
    sample = ExpectedSample(read_forecast(file), EDGE, Settings(EDGE.pre_edge, EDGE.integral))
    energy = np.array([13.472, 13.4745, 13.480])
    grid = sample.spectrum(energy, 100.0)
    step = [np.arctan(2e3 * (energy - EDGE.e0 - by) / EDGE.core_hole_width) / np.pi for by in (0.0, 1e-3)]
    change = grid.photons[1, 0] - grid.photons[0, 0]
    assert change / sample.step == pytest.approx(0.05 * (step[1] - step[0]), rel=1e-9)
    slots = 100.0 + np.array([0.0, 1e12 / 6.5173e6])
    late = 0.6 * np.exp(-slots / 120) + 0.21 * np.exp(-slots / 900) + 0.19 * np.exp(-slots / 155e3)
    assert (grid.photons[1, 1] - grid.photons[0, 1]) / change == pytest.approx(np.full(3, late[1] / late[0]), rel=1e-9)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (FORECAST.replace("flux", "fluks"), r"beam\.fluks"),
        (FORECAST.replace("shift = 1.0", ""), "either file or shift"),
        (FORECAST.replace("shift = 1.0", 'file = "none.csv"'), r"none\.csv"),
        (FORECAST.replace("6e9", "-1"), r"beam\.flux"),
        ("[sample", "bromide.toml"),
        (FORECAST.replace("13.472)", "14.472)"), "13.45 to 13.57"),
    ],
)
def test_what_is_wrong_is_named(file: Path, text: str, words: str) -> None:
    file.write_text(text)
    done = CliRunner().invoke(app, ["forecast", str(file)])
    assert done.exit_code
    with pytest.raises((ValueError, ForecastFileError), match=words):
        raise done.exception or ValueError("no error")


def test_a_fill_pattern_that_leaves_no_bunch_between_laser_pulses_is_no_change(file: Path) -> None:
    """Of 1.3 MHz of laser pulses; 4 bunches are 1.1 MHz, 8 are 2.2 MHz."""
    forecast = read_forecast(file).model_copy(update={"fills": (4, 8, 48)})
    sample = ExpectedSample(forecast, EDGE, Settings(EDGE.pre_edge, EDGE.integral))
    fills = {name: grids for name, grids, _ in of_beam(sample, ["area"]) if "bunches" in name}
    assert {name: grids[0].photons.shape[1] for name, grids in fills.items()} == {"8 bunches": 2, "48 bunches": 10}


def test_the_command_prints_rates_times_and_changes(file: Path) -> None:
    png = file.with_suffix(".png")
    done = CliRunner().invoke(app, ["forecast", str(file), "--png", str(png)], catch_exceptions=False)
    assert png.stat().st_size > 10_000
    for part in (
        "photons a pulse",
        "pile-up",
        "Time to all targets",
        "on the even grid",
        "twice the detectors",
        "48 bunches",
        "a delay of 200 ps",
        "paper",
    ):
        assert part in done.output


def test_what_can_be_changed_depends_on_attenuators_and_on_the_measured_noise(file: Path) -> None:
    """Three times the flux only behind filters; another rhythm and dwell have the noise that a spectrum gives them."""
    sample = ExpectedSample(read_forecast(file), EDGE, Settings(EDGE.pre_edge, EDGE.integral))
    grids, asked = grids_of(sample), []

    def noise(number: int, pattern: tuple[int, ...] | None, dwell: float) -> float:
        asked.append((number, pattern, dwell))
        return 0.02 if pattern == (1, 0, 1) else 0.05

    open_, filtered = ({name: grid for name, (grid,), _ in of_measurement(grids, each, noise)} for each in (1.0, 0.3))
    assert "3 times the flux" in filtered and "3 times the flux" not in open_
    assert "10 times the flux" not in filtered
    assert filtered["laser on-off-on"].noise == 0.02 and filtered["laser off-on-off"].noise == 0.05
    assert filtered["dwells of 0.375 s"].dwell == 0.375 and filtered["dwells of 0.375 s"].noise == 0.05
    assert (0, None, 0.375) in asked and (0, (1, 0, 1), 1.5) in asked
    assert filtered["twice the detectors"].noise == grids[0].noise
    assert "dwells half as long, of the same noise" in {name for name, *_ in of_measurement(grids)}
    delays = {name: grid for name, (grid,), _ in of_delays(lambda at: [sample.spectrum(ENERGY, at)], 100.0)}
    assert list(delays) == ["a delay of 50 ps", "a delay of 200 ps"]
    assert delays["a delay of 50 ps"].slot_delays[0] == 50.0
