"""Alignment of passes: known shifts come back with right errors, make no transient, and mend what they broke."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.interpolate import CubicSpline
from scipy.stats import binom

from reduction.counting.phases import Pattern
from reduction.counting.rows import DwellRows, point_rates
from reduction.documents.raw import RawRun
from reduction.errors import ReductionError
from reduction.live.scan_result import reduce_scan
from reduction.settings import Settings
from reduction.spectra.align import align_rows, find_shift

ENERGY = np.round(13.45 + 0.0005 * np.arange(121), 6)
SETTINGS = Settings(pre_edge=(13.450, 13.460), integral=(13.464, 13.509), reference="paper", align=True)
SHIFTS = (0.0, 0.4e-3, -0.25e-3)
LASER = np.tile((1, 0, 0, 1), 3)


def static(energy):
    step = 1 / (1 + np.exp(-(energy - 13.470) / 0.0012))
    return 0.5 + step + 0.5 * np.exp(-(((energy - 13.472) / 0.0018) ** 2))


def transient(energy):
    return -0.02 * np.exp(-(((energy - 13.472) / 0.0015) ** 2))


def rows(rng, noise=1e-3, shifts=SHIFTS) -> DwellRows:
    """Three passes; in each one the spectrum lies `shift` higher on the energy axis."""
    scan = np.repeat(np.arange(3), 4)
    true = ENERGY[:, None] - np.array(shifts)[scan]
    mu = 0.1 * (static(true) + np.where(LASER == 1, transient(true), 0.0))[:, :, None] * np.ones(5)
    mu = mu * (1 + noise * rng.standard_normal(mu.shape)) if noise else mu
    full = np.ones(mu.shape[:2])
    state = np.broadcast_to(LASER, full.shape).astype(np.int8)
    variance = (max(noise, 1e-6) * mu) ** 2
    return DwellRows(scan, state, 1e5 * full, full, mu, variance, np.zeros((*mu.shape, 0)))


def reduced(scan: DwellRows, align=True):
    settings = replace(SETTINGS, align=align)
    rates = point_rates(scan, settings.i0_noise, np.zeros(24, np.int64))
    run = RawRun("uid", "set", "mono_energy", ENERGY, 4, settings, {"pump_delay": 100.0})
    return reduce_scan(run, Pattern(24, 5, 0, 6.5e6), rates)


def area_between_derivatives(value, reference, shift):
    """The criterion of SI 8."""
    fine = np.linspace(ENERGY[2], ENERGY[-3], 2000)
    first, second = (CubicSpline(ENERGY, each)(fine + by, 1) for each, by in ((value, shift), (reference, 0.0)))
    return np.abs(first / np.abs(first).mean() - second / np.abs(second).mean()).mean()


def test_without_noise_the_shift_is_that_of_the_area_between_the_derivatives():
    moved, reference, small = static(ENERGY - 0.3e-3), static(ENERGY), np.full(ENERGY.size, 1e-5)
    shifts = np.linspace(-1e-3, 1e-3, 81)
    areas = [area_between_derivatives(moved, reference, shift) for shift in shifts]
    found = find_shift(ENERGY, moved, small, reference, small)
    assert found.value == pytest.approx(shifts[np.argmin(areas)], abs=3e-5)
    assert found.value == pytest.approx(0.3e-3, abs=2e-6)


CASES = {"a good scan": (0.3e-3, 2e-4), "half a step": (0.25e-3, 2e-3), "a noisy one": (0.3e-3, 1e-2)}


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=() if case == "half a step" else pytest.mark.long) for case in CASES]
)
def test_intervals_of_shifts_cover_the_truth(case):
    """Also where a shift is not a whole number of steps, and where noise is steeper than the edge."""
    shift, noise = CASES[case]
    errors, pulls, repeats = np.full(ENERGY.size, noise), [], 50
    for seed in range(repeats):
        rng = np.random.default_rng(seed)
        moved, reference = 1.03 * static(ENERGY - shift), static(ENERGY)
        drawn = errors * rng.standard_normal((2, ENERGY.size))
        found = find_shift(ENERGY, moved + drawn[0], errors, reference + drawn[1], errors)
        pulls.append((found.value - shift) / found.stddev)
        assert 0.6 < found.common / found.stddev < 0.8  # about half of the variance is that of the reference
    assert abs(np.mean(pulls)) < 4 / np.sqrt(repeats)
    assert abs(np.std(pulls) - 0.97) < 4 / np.sqrt(2 * repeats)
    for level, sigmas in ((0.683, 1), (0.954, 2)):
        low, high = binom.interval(0.9999, repeats, level)
        assert low <= np.sum(np.abs(pulls) < sigmas) <= high


@pytest.mark.parametrize("memory", [0.0, 10.0])
def test_noise_of_the_sample_is_in_the_interval_also_where_it_persists(memory):
    """1 % of the signal in both scans, ten times the counting error, from point to point or over ten points."""
    steps = np.abs(np.subtract.outer(np.arange(ENERGY.size), np.arange(ENERGY.size)))
    root = np.linalg.cholesky(np.exp(-steps / memory)) if memory else np.eye(ENERGY.size)
    errors, pulls, repeats = np.full(ENERGY.size, 1e-3), [], 25
    for seed in range(repeats):
        noise = 1 + 0.01 * np.random.default_rng(seed).standard_normal((2, ENERGY.size)) @ root.T
        moved, reference = noise[0] * static(ENERGY - 0.3e-3), noise[1] * static(ENERGY)
        found = find_shift(ENERGY, moved, errors, reference, errors)
        pulls.append((found.value - 0.3e-3) / found.stddev)
    assert abs(np.mean(pulls)) < 4 / np.sqrt(repeats)
    assert abs(np.std(pulls) - 1) < 4 / np.sqrt(2 * repeats)


def test_scatter_beyond_the_errors_widens_the_interval():
    """Jet noise three times the counting error."""
    errors, rng = np.full(ENERGY.size, 2e-3), np.random.default_rng(4)
    drawn = 6e-3 * rng.standard_normal((2, ENERGY.size))
    found = find_shift(ENERGY, static(ENERGY) + drawn[0], errors, static(ENERGY) + drawn[1], errors)
    quiet = find_shift(ENERGY, static(ENERGY), errors, static(ENERGY), errors)
    assert found.stddev / quiet.stddev == pytest.approx(3.0, rel=0.25)


def test_a_shift_does_not_depend_on_units_nor_on_a_point_that_is_not_known():
    """Values ten times as large; one point is off by a thousand times the edge, with an error to match."""
    rng, flat = np.random.default_rng(5), np.full(ENERGY.size, 2e-3)
    reference, value = static(ENERGY), static(ENERGY - 0.3e-3)
    reference, value = (each + flat * rng.standard_normal(ENERGY.size) for each in (reference, value))
    plain = find_shift(ENERGY, value, flat, reference, flat)
    larger = find_shift(ENERGY, 10 * value, 10 * flat, reference, flat)
    assert larger.stddev == pytest.approx(plain.stddev, rel=1e-3)
    assert larger.common == pytest.approx(plain.common, rel=1e-3) and plain.common > 0.5 * plain.stddev
    lost = np.arange(ENERGY.size) == 80
    with_a_lost_point = find_shift(
        ENERGY, value + np.where(lost, 1e3, 0.0), np.where(lost, 1e4, flat), reference, flat
    )  # fmt: skip
    assert with_a_lost_point.value == pytest.approx(plain.value, abs=plain.stddev)
    assert with_a_lost_point.common == pytest.approx(plain.common, rel=0.05)


def test_passes_keep_their_flux_when_they_are_moved():
    still = replace(rows(np.random.default_rng(1)), flux=np.full((ENERGY.size, LASER.size), 4.0))
    moved, _ = align_rows(ENERGY, still)
    second = LASER.size // 3
    level = moved.slot_mu[10:-10, second:][:, LASER[second:] == 0, 0].mean(axis=1)
    np.testing.assert_allclose(level, 0.1 * static(ENERGY)[10:-10], rtol=0.02)


def test_passes_are_moved_onto_the_first():
    moved, found = align_rows(ENERGY, rows(np.random.default_rng(1), noise=2e-4))
    np.testing.assert_allclose([shift.value for shift in found], SHIFTS, atol=3e-5)
    assert moved.slot_shift.shape[-1] == 3  # one each, and that of the first pass
    level = moved.slot_mu[10:-10, LASER == 0, 0].mean(axis=1)
    np.testing.assert_allclose(level, 0.1 * static(ENERGY)[10:-10], rtol=4e-3)


def test_alignment_corrects_the_spectrum_and_reports_the_shifts():
    truth = reduced(rows(np.random.default_rng(2), noise=0, shifts=(0.0, 0.0, 0.0)), align=False)
    scan = rows(np.random.default_rng(2), noise=2e-4)
    mended, broken = reduced(scan), reduced(scan, align=False)
    inner = slice(30, 60)
    off = np.abs(mended.static - truth.static)[inner].max(), np.abs(broken.static - truth.static)[inner].max()
    assert off[0] < 0.2 * off[1]
    assert "shifts +0.000" in str(mended.notes) and "aligned" not in str(broken.notes)


def test_alignment_makes_no_transient():
    """One shift for on and off: without a transient there is none afterwards, beyond noise."""
    scan = rows(np.random.default_rng(3), noise=2e-4)
    off = np.flatnonzero(LASER == 0)
    for row in np.flatnonzero(LASER == 1):
        other = off[np.argmin(np.abs(off - row))]
        scan.slot_mu[:, row] = scan.slot_mu[:, other]
    found = reduced(scan)
    assert np.nanmax(np.abs(found.transient[0])) < 1e-12


def test_the_error_of_the_shift_reaches_the_spectrum():
    scan = rows(np.random.default_rng(4), noise=5e-4)
    with_shift = reduced(scan)
    moved, found = align_rows(ENERGY, scan)
    without = reduced(replace(moved, slot_shift=np.zeros((*moved.slot_mu.shape, 0))), align=False)
    steep = int(np.argmax(np.gradient(static(ENERGY))))
    slope = np.gradient(with_shift.static, ENERGY)[steep]
    added = np.sqrt(with_shift.static_stddev[steep] ** 2 - without.static_stddev[steep] ** 2)
    own = [shift.stddev**2 - shift.common**2 for shift in found[1:]]
    common = found[1].common + found[2].common  # one noise, that of the first pass
    expected = slope * np.sqrt(sum(own) + common**2) / 3
    assert added == pytest.approx(expected, rel=0.1)


def test_what_cannot_be_aligned_is_an_error():
    flat = np.ones(ENERGY.size)
    loud, rng = 0.2 * flat, np.random.default_rng(8)
    with pytest.raises(ReductionError, match="too short"):
        find_shift(ENERGY[:5], flat[:5], flat[:5], flat[:5], flat[:5])
    with pytest.raises(ReductionError, match="no shift"):
        find_shift(ENERGY, static(ENERGY - 4e-3), 1e-4 * flat, static(ENERGY), 1e-4 * flat)
    noise = loud * rng.standard_normal((2, ENERGY.size))
    with pytest.raises(ReductionError, match=r"too noisy to be aligned|too noisy$"):
        find_shift(ENERGY, static(ENERGY) + noise[0], loud, static(ENERGY) + noise[1], loud)
    scan = rows(np.random.default_rng(5))
    scan.state[3] = -1
    with pytest.raises(ReductionError, match="no pass is complete"):
        align_rows(ENERGY, scan)


def test_a_shift_has_the_error_of_the_mean_of_all_slots():
    """Two laser-off dwells of five slots in each pass."""
    noise = 5e-3
    scan = rows(np.random.default_rng(6), noise)
    level = [scan.slot_mu[:, (scan.pass_index == each) & (LASER == 0)].mean(axis=(1, 2)) for each in (0, 1)]
    errors = [noise * 0.1 * static(ENERGY - shift) / np.sqrt(10) for shift in SHIFTS[:2]]
    expected = find_shift(ENERGY, level[1], errors[1], level[0], errors[0])
    assert align_rows(ENERGY, scan)[1][1].stddev == pytest.approx(expected.stddev, rel=0.1)
