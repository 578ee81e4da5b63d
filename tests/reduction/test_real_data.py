"""Six measured repeats (NIST X23A2): averaged, normalised, aligned, their scatter judged; Larch as another program."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from reduction.spectra.align import find_shift
from reduction.spectra.edge_step import normalise_to_step
from reduction.statistics.quantiles import chi_square_interval
from reduction.statistics.repeats import mean_of_repeats
from tests.reduction.athena import repeats

PARAMETERS = {"e0": 13469.8, "pre": (-150.0, -45.0), "post": (150.0, 1000.0), "degree": 2}


@pytest.fixture(scope="module")
def scans():
    found = repeats()
    assert [scan.label[-3:] for scan in found] == ["000", "001", "002", "010", "011", "012"]
    return found


def normalised(scan):
    return normalise_to_step(scan.energy, scan.absorption, np.full(scan.energy.size, 1e-4), **PARAMETERS)


def test_the_file_is_what_it_says(scans):
    for scan in scans:
        np.testing.assert_allclose(scan.absorption, np.log(scan.i0 / scan.signal), rtol=1e-9)
        np.testing.assert_array_equal(scan.energy, scans[0].energy)
    assert scans[5].i0.mean() / scans[0].i0.mean() < 0.85  # I0 drifts


def test_normalised_spectra_agree_with_larch(scans):
    pre_edge = pytest.importorskip("larch.xafs").pre_edge
    from larch import Group

    for degree in (1, 2, 3):
        for scan in (scans[0], scans[4]):
            group = Group()
            pre_edge(
                scan.energy, scan.absorption, group=group, e0=PARAMETERS["e0"], pre1=-150, pre2=-45, norm1=150,
                norm2=1000, nnorm=degree, nvict=0,
            )  # fmt: skip
            ours = normalise_to_step(
                scan.energy, scan.absorption, np.full(scan.energy.size, 1e-4), **{**PARAMETERS, "degree": degree}
            )
            assert ours.step == pytest.approx(group.edge_step, rel=1e-6)
            np.testing.assert_allclose(ours.value, group.norm, atol=1e-6)
            np.testing.assert_allclose(ours.pre_edge, group.pre_edge, atol=1e-6)
            np.testing.assert_allclose(ours.post_edge, group.post_edge, atol=1e-6)


def test_errors_of_the_normalised_spectrum_are_those_of_its_derivatives(scans):
    """Every eighth point, moved one by one; each with an error of its own."""
    energy, absorption = scans[0].energy[::8], scans[0].absorption[::8]
    errors = 1e-3 * (1 + np.arange(energy.size) / 20)

    def value(y):
        return normalise_to_step(energy, y, errors, **PARAMETERS).value

    step = 1e-6
    jacobian = np.stack([
        (value(absorption + step * unit) - value(absorption - step * unit)) / (2 * step) for unit in np.eye(energy.size)
    ], axis=1)  # fmt: skip
    expected = np.sqrt(jacobian**2 @ errors**2)
    found = normalise_to_step(energy, absorption, errors, **PARAMETERS).stddev
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_scan_to_scan_error_is_the_spread_of_the_repeats(scans):
    """Within a group repeats differ little; between groups the energy drifted, and the scatter says so."""
    values = np.array([normalised(scan).value for scan in scans])
    everything = mean_of_repeats(values)
    np.testing.assert_allclose(everything.mean, values.mean(axis=0))
    np.testing.assert_allclose(everything.stddev * np.sqrt(6), values.std(axis=0, ddof=1))
    assert everything.freedom == 5
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
    spectra = [normalised(scan).value[region] for scan in scans]
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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pre": (-45.0, -150.0)}, "before and after"),
        ({"post": (-10.0, 100.0)}, "before and after"),
        ({"e0": 13_300.0}, "too few"),
        ({"e0": 14_550.0}, "too few"),
    ],
)
def test_windows_that_make_no_sense_are_refused(scans, change, message):
    with pytest.raises(ValueError, match=message):
        normalise_to_step(scans[0].energy, scans[0].absorption, np.full(545, 1e-4), **{**PARAMETERS, **change})


def test_scans_that_make_no_sense_are_refused(scans):
    scan, errors = scans[0], np.full(545, 1e-4)
    with pytest.raises(ValueError, match="not above zero"):
        normalise_to_step(scan.energy, -scan.absorption, errors, **PARAMETERS)
    with pytest.raises(ValueError, match="finite"):
        normalise_to_step(scan.energy, np.where(scan.energy < 13_300, np.nan, 1.0), errors, **PARAMETERS)
    with pytest.raises(ValueError, match="at least two"):
        mean_of_repeats(scan.absorption[None])
