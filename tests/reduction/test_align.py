"""Alignment of passes: known shifts come back with right errors, make no transient, and mend what they broke."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reduction.counting.phases import Pattern
from reduction.counting.rows import DwellRows, point_rates
from reduction.documents.raw import RawRun
from reduction.errors import ReductionError
from reduction.live.scan_result import reduce_scan
from reduction.settings import Settings
from reduction.spectra.align import align_rows, area_between, find_shift

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
    rates = point_rates(scan, settings.i0_noise, np.zeros(24, np.int64), True)
    run = RawRun("uid", "set", "mono_energy", ENERGY, 4, settings, {"pump_delay": 100.0})
    return reduce_scan(run, Pattern(24, 5, 0, 6.5e6), rates)


def test_the_area_is_smallest_at_the_shift():
    shifts = np.linspace(-1e-3, 1e-3, 41)
    areas = area_between(ENERGY, static(ENERGY - 0.3e-3), static(ENERGY), shifts)
    assert shifts[np.argmin(areas)] == pytest.approx(0.3e-3, abs=5e-5)


def test_known_shifts_come_back_with_right_errors():
    pulls = []
    errors = np.full(ENERGY.size, 2e-3)
    for seed in range(16):
        rng = np.random.default_rng(seed)
        reference, moved = static(ENERGY), static(ENERGY - 0.3e-3)
        noise = errors * rng.standard_normal((2, ENERGY.size))
        found = find_shift(ENERGY, moved + noise[0], errors, reference + noise[1], errors)
        pulls.append((found.value - 0.3e-3) / found.stddev)
    # the redrawn noise comes on top of that of the data, so errors are rather too large
    assert 0.3 < np.std(pulls) < 1 + 4.5 / np.sqrt(32)
    assert abs(np.mean(pulls)) < 4.5 / np.sqrt(16)


def test_passes_are_moved_onto_the_first():
    moved, found = align_rows(ENERGY, rows(np.random.default_rng(1), noise=2e-4))
    np.testing.assert_allclose([shift.value for shift in found], SHIFTS, atol=3e-5)
    assert moved.slot_shift.shape[-1] == 2
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
    expected = slope * np.hypot(found[1].stddev, found[2].stddev) / 3
    assert added == pytest.approx(expected, rel=0.1)


def test_what_cannot_be_aligned_is_an_error():
    flat = np.ones(ENERGY.size)
    with pytest.raises(ReductionError, match="too short"):
        find_shift(ENERGY[:5], flat[:5], flat[:5], flat[:5], flat[:5])
    with pytest.raises(ReductionError, match="no shift"):
        find_shift(ENERGY, static(ENERGY - 4e-3), 1e-4 * flat, static(ENERGY), 1e-4 * flat)
    scan = rows(np.random.default_rng(5))
    scan.state[3] = -1
    with pytest.raises(ReductionError, match="no pass is complete"):
        align_rows(ENERGY, scan)
