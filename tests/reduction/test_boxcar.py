"""The boxcar chain: the SI's steps in plain numpy, Student's t where errors come from scatter, both chains compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t as student

from reduction.boxcar.compare_chains import error_ratio, linearity
from reduction.boxcar.scan import (
    BoxcarRows,
    boxcar_delay_scan,
    boxcar_fluence_scan,
    boxcar_spectrum,
    pairs_of,
    static_spectrum,
)
from reduction.errors import ReductionError
from reduction.settings import Settings
from tests.reduction.dwells import ENERGY, SHAPE, STATIC

SETTINGS = Settings(pre_edge=(13.450, 13.460), integral=(13.464, 13.570))
PAPER = replace(SETTINGS, procedure="paper")
PATTERN = np.array([1, 0, 0, 1])
VOLTS = 0.04


def scan(rng=None, passes=3, noise=0.0, jet=0.0, on=1 + SHAPE, static=STATIC, thickness=None) -> BoxcarRows:
    """Pairs share 1/f noise of the jet here only pass by pass; `noise` is white, relative to the edge."""
    rng = rng or np.random.default_rng(0)
    laser = np.tile(PATTERN, passes)
    signal = VOLTS * static[:, None] * np.where(laser == 1, on[:, None], 1.0)
    if thickness is not None:
        signal = signal * np.asarray(thickness)[np.repeat(np.arange(passes), 4)]
    signal = signal * (1 + jet * rng.standard_normal(signal.shape))
    signal = signal + noise * VOLTS * rng.standard_normal(signal.shape)
    state = np.broadcast_to(laser, signal.shape).astype(np.int8)
    return BoxcarRows(
        np.repeat(np.arange(passes), 4), state.copy(), signal, np.full(signal.shape, noise * VOLTS + 1e-9)
    )


def truth() -> np.ndarray:
    pre, edge = ENERGY <= 13.460, ENERGY >= 13.464
    off = STATIC - STATIC[pre].mean()
    return STATIC * SHAPE / (np.trapezoid(off[edge], ENERGY[edge]) / np.ptp(ENERGY[edge]))


def test_pairs_are_consecutive_dwells_of_a_pass():
    used, pairs = pairs_of(scan(passes=2, thickness=(1.0, 2.0)))
    assert used.all() and pairs.shape == (4, 2, ENERGY.size)
    np.testing.assert_allclose(pairs[2, 0], 2 * VOLTS * STATIC)
    np.testing.assert_allclose(pairs[0, 1], VOLTS * STATIC * (1 + SHAPE))


def test_without_noise_it_is_the_truth_whatever_the_jet_does_between_pairs():
    for settings in (SETTINGS, PAPER):
        found = boxcar_spectrum(ENERGY, scan(thickness=(1.0, 1.3, 0.8)), settings)
        np.testing.assert_allclose(found.transient, truth(), atol=1e-12)
        assert (found.pairs, found.freedom) == (6, 5)


def test_paper_is_the_si_step_by_step():
    rows = scan(np.random.default_rng(1), noise=0.01)
    found = boxcar_spectrum(ENERGY, rows, PAPER)
    pre, edge = ENERGY <= 13.460, ENERGY >= 13.464
    spectra = {0: [], 1: []}
    for begin in range(0, 12, 4):
        for off, on in ((1, 0), (2, 3)):
            first, second = rows.signal[:, begin + off], rows.signal[:, begin + on]
            offset = first[pre].mean()
            integral = np.trapezoid((first - offset)[edge], ENERGY[edge]) / np.ptp(ENERGY[edge])
            spectra[0].append((first - offset) / integral)
            spectra[1].append((second - offset) / integral)
    expected = np.mean(np.subtract(spectra[1], spectra[0]), axis=0)
    error = np.hypot(*(np.std(spectra[s], axis=0, ddof=1) / np.sqrt(6) for s in (0, 1)))
    np.testing.assert_allclose(found.transient, expected, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(found.transient_stddev, error, rtol=1e-10)


@pytest.mark.parametrize("jet", [0.0, 0.01])
def test_student_t_covers_the_truth_with_few_pairs(jet):
    """Two passes make four pairs, three degrees of freedom; a normal interval would hold 61 % instead of 68."""
    held, normal, rng = np.zeros(2), 0, np.random.default_rng(3)
    points = [5, 15, 25]
    for _ in range(400):
        found = boxcar_spectrum(ENERGY, scan(rng, passes=2, noise=0.01, jet=jet), SETTINGS)
        pull = np.abs(found.transient - truth())[points] / found.transient_stddev[points]
        held += [(pull < student.ppf((1 + level) / 2, found.freedom)).mean() for level in (0.683, 0.954)]
        normal += (pull < 1).mean()
    for level, fraction in zip((0.683, 0.954), held / 400, strict=True):
        assert abs(fraction - level) < 4.5 * np.sqrt(level * (1 - level) / 1200 * 1.5)
    assert normal / 400 < 0.65


def test_default_errors_do_not_count_the_jet_of_a_pair_twice():
    """Offsets and integrals of a pair come from its laser-off spectrum, so what both share leaves the difference."""
    rng = np.random.default_rng(5)
    slow = 1 + 0.02 * np.sin(np.linspace(0, 40, ENERGY.size))[:, None] * rng.standard_normal(3)[np.repeat(range(3), 4)]
    rows = scan(rng, noise=1e-3)
    rows = replace(rows, signal=rows.signal * slow)
    default, paper = (boxcar_spectrum(ENERGY, rows, settings) for settings in (SETTINGS, PAPER))
    np.testing.assert_array_equal(default.transient, paper.transient)
    assert np.median(default.transient_stddev) < 0.5 * np.median(paper.transient_stddev)


DELAYS = np.array([-300.0, -200.0, 0.0, 100.0, 1000.0])
TRACE = np.array([0.0, 0.0, -0.01, -0.02, -0.008])


def test_delay_and_fluence_scans():
    rows = scan(static=np.full(5, 1.5), on=1 + TRACE + 0.003, thickness=(1.0, 1.2, 0.9))
    found = boxcar_delay_scan(DELAYS, rows, SETTINGS)
    np.testing.assert_allclose(found.transient, TRACE, atol=1e-12)
    paper = boxcar_delay_scan(DELAYS, rows, PAPER)
    np.testing.assert_allclose(paper.transient, 1.5 * VOLTS * TRACE * np.mean([1.0, 1.2, 0.9]), atol=1e-12)
    fluence = np.array([0.5, 1.0, 4.0, 8.0, 12.0])
    line = -0.002 * fluence
    rows = scan(static=np.full(5, 1.5), on=1 + line, thickness=(1.0, 1.2, 0.9))
    np.testing.assert_allclose(boxcar_fluence_scan(fluence, rows, SETTINGS).transient, line, atol=1e-12)
    paper = boxcar_fluence_scan(fluence, rows, PAPER)
    np.testing.assert_allclose(paper.transient, line - line[:2].mean(), atol=1e-12)


def test_a_dwell_that_is_not_a_number_leaves_its_point_out():
    rows = scan()
    rows.signal[7, 2] = np.nan
    found = boxcar_spectrum(ENERGY, rows, SETTINGS)
    assert found.used[7] == 0 and np.isnan(found.transient[7]) and found.used.sum() == ENERGY.size - 1


def test_errors_are_clear():
    single = scan(passes=1)
    half = BoxcarRows(single.pass_index[:2], single.state[:, :2], single.signal[:, :2], single.stddev[:, :2])
    with pytest.raises(ReductionError, match="need the scatter of two"):
        boxcar_spectrum(ENERGY, half, SETTINGS)
    with pytest.raises(ReductionError, match="not above zero"):
        boxcar_spectrum(ENERGY, replace(scan(), signal=-scan().signal), SETTINGS)
    with pytest.raises(ReductionError, match="before and after time zero"):
        boxcar_delay_scan(DELAYS + 1000, scan(static=np.ones(5), on=1 + TRACE), SETTINGS)
    rows = scan()
    rows.state[:, 4:8] = np.where(np.arange(ENERGY.size)[:, None] < 10, rows.state[:, 4:8], -1)
    rows.state[:10, :4] = -1
    with pytest.raises(ReductionError, match="every pair"):
        pairs_of(rows)


def test_linearity_finds_a_saturating_amplifier_and_no_other():
    rng = np.random.default_rng(2)
    photons = rng.uniform(0.05, 2.0, 400)
    volts = 0.005 + VOLTS * photons + 1e-4 * rng.standard_normal(400)
    straight = linearity(photons, volts)
    assert straight.linear and abs(straight.slope - VOLTS) < 4.5 * straight.slope_stddev
    assert abs(straight.intercept - 0.005) < 4.5 * straight.intercept_stddev
    bent = linearity(photons, volts - 0.03 * VOLTS * photons**2)
    assert not bent.linear and bent.departure == pytest.approx(-0.06, abs=4.5 * bent.departure_stddev)
    p_values = [
        linearity(photons, VOLTS * photons + 1e-4 * np.random.default_rng(s).standard_normal(400)).p_value
        for s in range(200)
    ]
    assert abs(np.mean(np.array(p_values) < 0.32) - 0.32) < 4.5 * np.sqrt(0.32 * 0.68 / 200)


def test_error_ratio_and_what_it_costs():
    found = error_ratio(np.full(20, 1e-3), np.full(20, 2e-3), 11)
    assert found.counting_is_better is True and found.ratio == pytest.approx(2) and found.time == pytest.approx(0.25)
    assert error_ratio(np.full(20, 2e-3), np.full(20, 1e-3), 11).counting_is_better is False
    assert error_ratio(np.full(4, 1e-3), np.full(4, 1e-3), 2).counting_is_better is None


def test_comparisons_that_mean_nothing_are_refused():
    with pytest.raises(ValueError, match="too few"):
        linearity(np.ones(4), np.ones(4))
    with pytest.raises(ValueError, match="same rate"):
        linearity(np.ones(9), np.ones(9))
    with pytest.raises(ValueError, match="no point"):
        error_ratio(np.full(3, np.nan), np.ones(3), 3)


def test_a_spectrum_of_one_dwell_a_point_is_refused():
    rows = scan(passes=1)
    one = replace(rows, state=np.where(np.arange(4) == 1, rows.state, -1).astype(np.int8))
    with pytest.raises(ReductionError, match="no point has two dwells"):
        static_spectrum(ENERGY, one, SETTINGS)
