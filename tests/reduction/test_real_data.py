"""Six measured repeats (NIST X23A2): normalised, averaged, aligned, and their scatter assessed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from reduction.settings import Settings
from reduction.spectra.align import find_shift
from reduction.spectra.normalise import normalise
from reduction.statistics.quantiles import chi_square_interval
from reduction.statistics.repeats import mean_of_repeats
from tests.reduction.athena import repeats

SETTINGS = Settings(pre_edge=(13.3, 13.425), integral=(13.62, 14.0))


@pytest.fixture(scope="module")
def scans():
    found = repeats()
    assert [scan.label[-3:] for scan in found] == ["000", "001", "002", "010", "011", "012"]
    return found


def normalised(scan):
    variance = np.full(scan.energy.size, 1e-8)
    return normalise(scan.absorption, variance, scan.energy / 1e3, SETTINGS).value


def test_the_columns_of_the_file_are_consistent(scans):
    for scan in scans:
        np.testing.assert_allclose(scan.absorption, np.log(scan.i0 / scan.signal), rtol=1e-9)
        np.testing.assert_array_equal(scan.energy, scans[0].energy)
    assert scans[5].i0.mean() / scans[0].i0.mean() < 0.85  # I0 drifts


def test_normalised_spectra_are_those_of_plain_numpy(scans):
    for scan in scans:
        pre = (scan.energy >= 13_300) & (scan.energy <= 13_425)
        above = (scan.energy >= 13_620) & (scan.energy <= 14_000)
        net = scan.absorption - scan.absorption[pre].mean()
        step = np.trapezoid(net[above], scan.energy[above]) / np.ptp(scan.energy[above])
        np.testing.assert_allclose(normalised(scan), net / step, rtol=1e-12, atol=1e-14)


def test_scan_to_scan_error_is_the_spread_of_the_repeats(scans):
    """Within a group repeats differ little; between groups the energy drifted, and the scatter shows it."""
    values = np.array([normalised(scan) for scan in scans])
    everything = mean_of_repeats(values)
    np.testing.assert_allclose(everything.mean, values.mean(axis=0))
    np.testing.assert_allclose(everything.stddev * np.sqrt(6), values.std(axis=0, ddof=1))
    assert everything.dof == 5
    edge = (scans[0].energy > 13_460) & (scans[0].energy < 13_490)
    far = (scans[0].energy > 13_700) & (scans[0].energy < 13_900)
    groups = [mean_of_repeats(values[:3]), mean_of_repeats(values[3:])]
    within = np.mean([each.stddev[edge] ** 2 for each in groups]) * 3  # variance of one scan
    between = (groups[0].mean - groups[1].mean)[edge].var() / 2
    low, _ = chi_square_interval(between / within, 1)
    assert low > 1 / 25 and between > 5 * within
    assert np.median(everything.stddev[far]) < 0.3 * np.median(everything.stddev[edge])


def test_alignment_takes_the_drift_out(scans):
    """The shifts between scans are those that the project's author found on the reference foil, within 0.25 eV."""
    region = (scans[0].energy > 13_430) & (scans[0].energy < 13_560)
    energy = scans[0].energy[region] / 1e3
    spectra = [normalised(scan)[region] for scan in scans]
    error = np.full(energy.size, 1e-3)
    shifts = [find_shift(energy, spectrum, error, spectra[0], error) for spectrum in spectra]
    ours = np.array([1e3 * each.value for each in shifts])
    athenas = -np.array([scan.shift - scans[0].shift for scan in scans])
    np.testing.assert_allclose(ours, athenas, atol=0.25)
    assert ours[3:].mean() - ours[:3].mean() == pytest.approx(athenas[3:].mean() - athenas[:3].mean(), abs=0.15)
    inner = slice(20, -20)
    before = np.std(spectra, axis=0)[inner].mean()
    moved = [CubicSpline(energy, s)(energy[inner] + shift.value) for s, shift in zip(spectra, shifts, strict=True)]
    assert np.std(moved, axis=0).mean() < 0.5 * before


def test_one_repeat_has_no_scatter(scans):
    with pytest.raises(ValueError, match="at least two"):
        mean_of_repeats(scans[0].absorption[None])
