"""Single values and boundaries by hand, which statistics of whole scans would not notice."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from beamline.outputs.maps.content import component_sentence
from reduction.boxcar.compare_chains import linearity
from reduction.counting.dead_time import Correlation
from reduction.counting.pairs import PairReport
from reduction.counting.visits import is_whole
from reduction.diagnostics.diagnostics import diagnose
from reduction.diagnostics.passes import Chain
from reduction.errors import ReductionError
from reduction.maps.components import components_of
from reduction.maps.transient_map import SlotSpectra, TransientMap, map_of_spectra
from reduction.references import notes
from reduction.settings import Settings
from reduction.spectra.calibrate import calibrate
from reduction.statistics.quantiles import runs_p_value
from reduction.traces.kinetics.variable_projection import VariableProjection
from reduction.traces.linear_range import Line
from tests.reduction.dwells import ENERGY, Scan, decay

SETTINGS = Settings((13.450, 13.451), (13.452, 13.455))


@pytest.mark.parametrize(
    ("segments", "whole"),
    [([0, 1, 2, 3], True), ([3, 1, 0, 2], True), (range(8), True), ([], False), ([0, 1], False), ([0, 1, 2, 4], False),
     ([1, 2, 3, 4], False), (range(6), False)],
)  # fmt: skip
def test_a_visit_is_whole_with_every_segment_of_its_patterns(segments: Any, whole: bool) -> None:
    assert is_whole(segments, 4) is whole


def test_an_edge_integral_of_exactly_zero_is_refused() -> None:
    chain = Chain(13.45 + 0.001 * np.arange(6), SETTINGS)
    with pytest.raises(ReductionError, match="edge integral that is not above zero"):
        chain(np.ones(6), np.ones(6))
    with pytest.raises(ReductionError, match="edge integral that is not above zero"):
        chain(np.zeros(6), np.ones(6))


@pytest.mark.parametrize(("spread", "refused"), [(0.9, True), (1.2, False)])
def test_linearity_needs_a_range_of_a_hundred_times_the_noise(spread: float, refused: bool) -> None:
    """Otherwise the errors of the photons flatten the slope."""
    x = 1 + spread * np.sqrt(1.5) * np.tile([-1.0, 0.0, 1.0], 4)
    if refused:
        with pytest.raises(ValueError, match="same rate"):
            linearity(x, x, 0.01)
    else:
        assert linearity(x, x + 1e-6 * np.arange(12), 0.01).slope == pytest.approx(1, rel=1e-4)


def test_linearity_needs_a_range_of_a_thousandth_also_without_noise() -> None:
    x = 100 + 0.05 * np.tile([-1.0, 0.0, 1.0], 4)
    with pytest.raises(ValueError, match="same rate"):
        linearity(x, x, 0.0)
    assert linearity(10 * x - 900, 10 * x, 0.0).slope == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("lacking", ["photons", "signal"])
def test_dwells_that_one_chain_lacks_do_not_count(lacking: str) -> None:
    chains = {"photons": np.linspace(1.0, 2.0, 12), "signal": 3 * np.linspace(1.0, 2.0, 12) + 1e-6 * np.arange(12) ** 2}
    chains[lacking][4] = np.nan
    found = linearity(chains["photons"], chains["signal"])
    assert found.dwells == 11 and found.slope == pytest.approx(3, rel=1e-3)


def test_the_error_of_a_line_by_hand() -> None:
    line = Line(1.0, 2.0, np.array([[4.0, -1.0], [-1.0, 0.25]]), 0.0, 1)
    assert line.value(np.array([0.0, 3.0])).tolist() == [1.0, 7.0]
    assert line.stddev(np.array([0.0, 2.0, 6.0])) == pytest.approx([2.0, 1.0, 1.0])


@pytest.mark.parametrize(("check", "noted"), [(0.0201, True), (-0.0201, True), (0.0199, False)])
def test_two_corrections_that_differ_are_reported_in_per_cent(check: float, noted: bool) -> None:
    nothing = np.zeros(2)
    correlation = Correlation(**dict.fromkeys(Correlation.__dataclass_fields__, nothing))
    correlation = replace(correlation, flagged=np.zeros(2, np.bool_))
    effects: Any = SimpleNamespace()
    found = notes.of_pairs(PairReport(correlation, effects, check=check, check_stddev=0.004))
    assert bool(found) is noted
    if noted:
        assert f"differ by {100 * check:+.2f} +- 0.40 %" in found[0]


def test_a_correlation_of_gates_is_reported_in_per_cent() -> None:
    nothing = np.zeros(2)
    correlation = Correlation(**dict.fromkeys(Correlation.__dataclass_fields__, nothing))
    correlation = replace(correlation, departure=np.array([0.05, -0.123]), stddev=np.full(2, 1e-3))
    assert "correlation up to 12.3 %" in notes.of_pairs(PairReport(correlation, None))[0]


def test_a_comparison_with_the_same_slot_has_no_notes_about_other_slots() -> None:
    comparison: Any = SimpleNamespace(noise_known=True)
    rates: Any = SimpleNamespace()
    assert notes.of_comparison("paper", False, rates, comparison) == []
    assert notes.of_comparison("combined", False, rates, None) == []


def test_a_null_test_without_noise_is_zero() -> None:
    """Dwells that all agree, in two passes, with errors that have nothing to do."""
    rows = Scan(decay(0.3), counting=0.0, passes=2).rows()
    rows = replace(rows, slot_var=(1e-3 * rows.slot_mu) ** 2)
    found = diagnose(ENERGY, rows, replace(SETTINGS, pre_edge=(13.450, 13.460), integral=(13.464, 13.57)))
    assert found.permuted.ratio == pytest.approx(0, abs=1e-9)
    assert found.off_off.ratio == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("gain", [0.0, -1.0, float("inf"), float("nan")])
def test_a_gain_is_above_zero_and_finite(gain: float) -> None:
    with pytest.raises(ValueError, match="i0_dark_gain must be an amplifier gain above 0"):
        replace(SETTINGS, i0_dark_gain=gain)


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ({"before_zero": 0.0}, {"before_zero": 0.5}),
        ({"slot_edges": (1.0, 2.0)}, {"slot_edges": (1.0, 1.0)}),
        ({"slot_edges": (1.0, 2.0)}, {"slot_edges": (1.0,)}),
        ({"background_laser_phase": 0}, {"background_laser_phase": -1}),
        ({"slot_width": 1e9}, {"slot_width": float("inf")}),
        ({"slots_per_decade": 1}, {"slots_per_decade": 0}),
        ({"slots_per_decade": 20}, {"slots_per_decade": 21}),
    ],
)
def test_settings_take_the_last_good_value_and_refuse_the_first_bad_one(
    good: dict[str, Any], bad: dict[str, Any]
) -> None:
    replace(SETTINGS, **good)
    with pytest.raises(ValueError, match=next(iter(bad))):
        replace(SETTINGS, **bad)


def test_few_runs_by_hand() -> None:
    """10 + 10 residuals in 6 runs: expected 11, variance 90/19; (6.5 - 11) / 2.176 standard deviations."""
    signs = np.repeat([1, -1, 1, -1, 1, -1], [4, 3, 3, 4, 3, 3])
    assert runs_p_value(signs) == pytest.approx(0.01934, abs=1e-5)


@pytest.mark.parametrize("position", [13.0361, 13.03617, 13.03622])
def test_an_edge_between_the_trial_places_is_found_there(position: float) -> None:
    """They are 27 meV apart."""
    energy = np.round(13.020 + 0.0004 * np.arange(90), 6)
    foil = 0.2 + 1 / (1 + np.exp(-(energy - position) / 0.0012))
    assert calibrate(energy, foil, np.full(90, 1e-4), 13.0352).position == pytest.approx(position, abs=3e-6)


def test_a_map_of_the_largest_size_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reduction.maps.transient_map.LARGEST", 10)

    def of(energies: int) -> TransientMap:
        covariance = np.ones((2, 2, energies, energies))
        return map_of_spectra(
            [SlotSpectra(np.arange(2.0), 1.0 + np.arange(energies), np.ones((2, energies)), covariance)]
        )

    assert of(5).value.size == 10
    with pytest.raises(ReductionError, match="too large"):
        of(6)


def test_components_are_counted_up_to_six() -> None:
    """Eight that are all seen at once: more than six are reported as at least six."""
    covariance = np.eye(64).reshape(8, 8, 8, 8)
    found = components_of(TransientMap(np.arange(8.0), np.arange(8.0), 1e3 * np.eye(8), covariance))
    assert found.number == len(found.p_value) == 6
    assert component_sentence(found).startswith("at least 6 significant components")


class Parabola(VariableProjection):
    """A profile of chi-square that is the square of its parameter."""

    def __init__(self) -> None:
        pass

    def profile(self, theta: np.ndarray, index: int, value: float) -> tuple[float, np.ndarray]:
        return value**2, np.array([value])


@pytest.mark.parametrize(("limit", "end"), [(5.0, 1.0), (1.2, 1.0), (0.9, float("nan")), (0.5, float("nan"))])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_an_interval_ends_where_chi_square_has_risen_or_is_open_at_the_limit(
    limit: float, end: float, sign: float
) -> None:
    found = Parabola().crossing(np.zeros(1), 0, sign * 0.3, sign * limit, 0.0, 1.0, 8)
    assert found == pytest.approx(sign * end, abs=1e-3, nan_ok=True)


def test_a_gain_below_one_is_a_gain() -> None:
    assert replace(SETTINGS, i0_dark_gain=0.5).i0_dark_gain == 0.5
