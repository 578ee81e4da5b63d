"""Several detectors by arrays alone: their combination as statistics, and the chi-square of their agreement."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reduction.counting.kernels import EMPTY
from reduction.counting.rows import DwellRows, PointRates, only, point_rates
from reduction.detectors.agreement import _between_passes, agreement_of_spectra, agreement_of_traces
from reduction.detectors.combine import combine, combine_rows, scan_wide_weights, weights_of
from reduction.settings import Settings
from reduction.spectra.spectrum import reduce_spectrum
from tests.reduction.dwells import ENERGY, SHAPE, STATIC, decay

SETTINGS = Settings(pre_edge=(13.450, 13.460), integral=(13.465, 13.570), reference="paper", i0_noise=0.0)
GATES = 2e5
LASER = np.tile((1, 0, 0, 1), 2)
PASSES = np.repeat((0, 1), 4)


def measured(rng, rates, jet=0.0, background=(0.0, 0.0), static=STATIC):
    """Rows of detectors with these mean photons a pulse, that share the noise of the jet; counts are Poisson."""
    signal = static[:, None, None] * np.where(LASER[:, None] == 1, (1 + np.outer(SHAPE, decay(0.4)))[:, None, :], 1.0)
    thickness = 1 + jet * rng.standard_normal(signal.shape[:2])[..., None]
    return [rows_of(rng, rate * (signal + extra) * thickness) for rate, extra in zip(rates, background, strict=False)]


def rows_of(rng, mu):
    counts = rng.poisson(GATES * mu)
    shape = mu.shape[:2]
    return DwellRows(
        pass_index=PASSES,
        state=np.broadcast_to(LASER, shape).astype(np.int8),
        weight=np.full(shape, GATES),
        flux=np.ones(shape),
        slot_mu=counts / GATES,
        slot_var=np.maximum(counts, 1) / GATES**2,
        slot_shift=np.zeros((*mu.shape, 0)),
    )


def rates_of(rows: DwellRows) -> PointRates:
    return point_rates(rows, 0.0, np.zeros(24, np.int64))


def spectrum_of(rows: DwellRows):
    return reduce_spectrum(ENERGY, rates_of(rows), SETTINGS)


def truth():
    """The transient of slot 0 through the same chain, without noise."""
    signal = STATIC[:, None, None] * np.where(LASER[:, None] == 1, (1 + np.outer(SHAPE, decay(0.4)))[:, None, :], 1.0)
    rows = replace(rows_of(np.random.default_rng(0), signal), slot_mu=signal, slot_var=1e-18 * signal)
    return spectrum_of(rows).transient


def repeats(number, rates, jet=0.0, **more):
    """Transients of each detector and of the combination, with errors, shape (number, 3, 2, S, E)."""
    found = []
    for seed in range(number):
        detectors = measured(np.random.default_rng([seed, 5]), rates, jet, **more)
        every = [*detectors, combine_rows(detectors, scan_wide_weights(detectors))]
        spectra = [spectrum_of(rows) for rows in every]
        found.append([(spectrum.transient, spectrum.transient_stddev) for spectrum in spectra])
    return np.array(found)


def test_weights_are_of_the_dwells_that_all_detectors_have():
    """The second one misses the first half of the dwells, in which the first sees ten times as much light."""
    one, two = measured(np.random.default_rng(3), (0.05, 0.03))
    early = np.arange(LASER.size) < LASER.size // 2
    one = replace(one, slot_mu=one.slot_mu * np.where(early, 10.0, 1.0)[:, None])
    two = replace(two, state=np.where(early, EMPTY, two.state).astype(np.int8))
    late = [(rows.slot_mu[:, ~early].mean(), rows.slot_var[:, ~early].mean()) for rows in (one, two)]
    mean, variance = np.array(late).T
    expected = (mean**2 / variance) / (mean**2 / variance).sum()
    np.testing.assert_allclose(scan_wide_weights([one, two]).share, expected, rtol=1e-12)


def test_a_detector_without_a_background_adds_none_to_that_of_the_other():
    one, two = measured(np.random.default_rng(3), (0.05, 0.03))
    light = np.arange(10.0).reshape(2, 5) * 1e-4
    found = combine({"apd1": replace(rates_of(one), background=light), "apd2": rates_of(two)}, 0.0)
    np.testing.assert_allclose(found.background, scan_wide_weights([one, two]).factor[0] * light, rtol=1e-12)


def test_two_equal_detectors_have_the_error_of_one_over_the_square_root_of_two():
    found = repeats(50, (0.05, 0.05))
    scatter = (found[:, :, 0] - truth()).std(axis=0)  # (3, S, E); 36 x 5 x 50 independent numbers: known to 0.008
    stated = found[:, :, 1].mean(axis=0)
    for errors in (scatter, stated):
        single = np.sqrt((errors[:2] ** 2).mean())
        assert np.sqrt((errors[2] ** 2).mean()) / single == pytest.approx(0.71, abs=0.02)
    check_pulls(found)


@pytest.mark.parametrize(
    ("rates", "jet", "background"),
    [
        pytest.param((0.05, 0.01), 0.0, (0.0, 2.0), id="unequal with another background"),
        pytest.param((0.5, 0.3), 0.02, (0.0, 0.3), id="shared noise dominates"),
    ],
)
def test_pulls_of_the_combination_have_mean_0_and_width_1(rates, jet, background):
    found = repeats(40, rates, jet, background=background)
    check_pulls(found)
    if jet:  # the second detector sees the same jet: its error does not average
        assert found[:, 2, 1].mean() > 0.95 * found[:, 0, 1].mean()


def check_pulls(found):
    """Of 30 energies near the edge in slot 0, 40 repeats each, almost independent: mean and width known to 0.03."""
    near = found[:, :, :, 0, 3:33]
    pulls = (near[:, 2, 0] - truth()[0, 3:33]) / near[:, 2, 1]
    assert abs(pulls.mean()) < 0.1
    assert pulls.std(ddof=1) == pytest.approx(1.0, abs=0.1)


def test_weights_from_the_counts_of_the_same_point_bias_and_scan_wide_ones_do_not():
    """Mean of two Poisson counts with mean 20: weights 1/k take one count off, those of the scan take none."""
    counts = np.random.default_rng(1).poisson(20.0, (2, 20_000)).astype(float)
    counts = np.maximum(counts, 1)
    own = (2 / (1 / counts).sum(axis=0)).mean()
    factor = weights_of([(each.mean(), each.mean()) for each in counts]).factor
    scan_wide = (factor @ counts / factor.sum()).mean()
    assert own == pytest.approx(19.5, abs=0.1)  # the harmonic mean is half a count low
    assert scan_wide == pytest.approx(20.0, abs=0.1)  # 20,000 means know it to 0.022


def test_photons_without_background_are_added_and_a_noisy_detector_counts_less():
    detectors = measured(np.random.default_rng(2), (0.05, 0.02))
    weights = scan_wide_weights(detectors)
    np.testing.assert_allclose(weights.factor, 1.0, atol=0.01)
    np.testing.assert_allclose(weights.share, [5 / 7, 2 / 7], atol=0.01)
    noisy = replace(detectors[1], slot_var=4 * detectors[1].slot_var)
    assert scan_wide_weights([detectors[0], noisy]).share[1] < 0.1


def with_faults(rows, cells):
    state = rows.state.copy()
    state[cells] = EMPTY
    mu = rows.slot_mu.copy()
    mu[cells] = np.inf
    return replace(rows, state=state, slot_mu=mu)


def test_a_dwell_that_one_detector_lacks_is_not_in_the_combination_and_a_note_says_so():
    one, two = measured(np.random.default_rng(3), (0.05, 0.05))
    two = with_faults(two, (4, slice(0, 4)))
    result = combine({"apd1": rates_of(one), "apd2": rates_of(two)}, 0.0)
    assert (result.rows.state[4, :4] == EMPTY).all() and (result.rows.state[4, 4:] != EMPTY).all()
    assert np.isfinite(result.rows.slot_mu).all()
    assert result.notes == (
        f"apd2 lacks 4 of {8 * ENERGY.size} dwells, which the combination does without. Leave apd2 out to use them.",
    )


def test_a_pass_without_one_detector_is_combined_from_the_other_on_the_same_scale():
    one, two = measured(np.random.default_rng(4), (0.05, 0.02))
    whole = combine_rows([one, two], scan_wide_weights([one, two]))
    two = with_faults(two, (slice(None), slice(4, 8)))
    result = combine({"apd1": rates_of(one), "apd2": rates_of(two)}, 0.0)
    ratio = result.rows.slot_mu[:, 4:].mean() / whole.slot_mu[:, 4:].mean()
    assert ratio == pytest.approx(1.0, abs=0.01)
    assert result.notes == ("apd2 has no good dwell in pass 2, which is combined from the others.",)
    variance = (result.rows.slot_var[:, 4:] / result.rows.slot_mu[:, 4:] ** 2).mean()
    assert variance == pytest.approx((one.slot_var[:, 4:] / one.slot_mu[:, 4:] ** 2).mean(), rel=0.01)


def test_monitor_dwells_are_combined_with_the_weights_of_the_scan():
    detectors = measured(np.random.default_rng(8), (0.05, 0.02))
    factor = scan_wide_weights(detectors).factor
    named = {
        f"apd{n}": replace(rates_of(rows), monitors=only(rows, ENERGY < 13.452)) for n, rows in enumerate(detectors)
    }
    found = combine(named, 0.0).monitors
    expected = sum(f * rows.slot_mu[ENERGY < 13.452] for f, rows in zip(factor, detectors, strict=True))
    np.testing.assert_allclose(found.slot_mu, expected, rtol=1e-12)
    named["apd1"] = replace(named["apd1"], monitors=None)
    assert combine(named, 0.0).monitors is None


def test_a_detector_without_any_photon_leaves_the_result_of_the_other_with_a_note():
    one, two = measured(np.random.default_rng(5), (0.05, 0.05))
    dead = replace(two, slot_mu=np.zeros_like(two.slot_mu))
    result = combine({"apd1": rates_of(one), "apd2": rates_of(dead)}, 0.0)
    np.testing.assert_array_equal(result.rate, rates_of(one).rate)
    assert "apd2 had no good dwell with photons" in result.notes[-1]


@pytest.mark.parametrize("of", [agreement_of_traces, lambda d, s: agreement_of_spectra(ENERGY, d, s)])
def test_p_values_of_detectors_that_agree_are_uniform(of):
    """Of 40 repeats with the same light and another background; the mean of 40 uniform numbers is known to 0.046."""
    found = []
    for seed in range(40):
        detectors = measured(np.random.default_rng([seed, 8]), (0.05, 0.03), 0.01, background=(0.0, 0.3))
        result = of(dict(zip(("apd1", "apd2"), detectors, strict=True)), SETTINGS)
        found.append(result.p_value)
        assert result.disagrees == ""
    means = np.mean(found, axis=0)
    np.testing.assert_allclose(means, 0.5, atol=0.16)


def test_counting_of_a_dim_detector_is_no_noise_of_its_own():
    """A hundredth of the light, in 40 repeats; nor is its noise the shape whose size is free."""
    found = []
    for seed in range(40):
        one, two = measured(np.random.default_rng([seed, 14]), (0.5, 0.005))
        found.append(agreement_of_traces({"apd1": one, "apd2": two}, SETTINGS).p_value)
    np.testing.assert_allclose(np.mean(found, axis=0), 0.5, atol=0.18)


def test_a_noise_of_dwells_that_is_one_detectors_own_is_no_disagreement():
    """1 % in each dwell of the second detector, five times its counting error; 30 repeats."""
    found = []
    for seed in range(30):
        rng = np.random.default_rng([seed, 10])
        one, two = measured(rng, (0.5, 0.5))
        own = 1 + 0.01 * rng.standard_normal(two.state.shape)[..., None]
        noisy = replace(two, slot_mu=two.slot_mu * own, slot_var=two.slot_var * own**2)
        result = agreement_of_spectra(ENERGY, {"apd1": one, "apd2": noisy}, SETTINGS)
        found.append(result.p_value)
        assert result.disagrees == ""
    np.testing.assert_allclose(np.mean(found, axis=0), 0.5, atol=0.21)  # known to 0.053, and the noise to 6 %


def test_light_of_the_laser_off_dwells_that_is_known_with_an_error_is_in_the_agreement_of_traces():
    """4 % of the light of one detector, drawn anew in each of 30 repeats; without its error they disagree in most."""
    found = []
    for seed in range(30):
        rng = np.random.default_rng([seed, 12])
        one, two = measured(rng, (0.05, 0.05))
        off = np.where(LASER[:, None] == 0, 0.002, 0.0) * np.ones(two.slot_mu.shape)
        lit = replace(two, slot_mu=two.slot_mu + rng.standard_normal() * off, slot_shift=off[..., None])
        result = agreement_of_traces({"apd1": replace(one, slot_shift=0 * off[..., None]), "apd2": lit}, SETTINGS)
        found.append(result.p_value)
        assert result.disagrees == ""
    np.testing.assert_allclose(np.mean(found, axis=0), 0.5, atol=0.21)


def test_detectors_that_disagree_are_named_of_three_the_odd_one():
    rng = np.random.default_rng(6)
    one, two = measured(rng, (0.05, 0.05))
    (three,) = measured(rng, (0.05,), static=STATIC * (1 + 0.05 * (ENERGY > 13.475)))
    pair = agreement_of_spectra(ENERGY, {"apd1": one, "apd3": three}, SETTINGS)
    assert pair.disagrees == "apd1 and apd3"
    assert pair.p_value[0] < 1e-6 < pair.p_value[1]
    assert "leave out the one that is wrong" in pair.sentence
    triple = agreement_of_spectra(ENERGY, {"apd1": one, "apd3": three, "apd2": two}, SETTINGS)
    assert triple.disagrees == "apd3"
    assert triple.freedom[0] == 2 * (ENERGY.size - 2)


def test_a_wrong_detector_of_a_trace_is_seen_by_its_shape_not_by_its_size():
    rng = np.random.default_rng(7)
    one, two = measured(rng, (0.05, 0.05))
    scaled = agreement_of_traces({"apd1": one, "apd2": two}, SETTINGS)
    assert scaled.freedom[0] == ENERGY.size - 1
    bent = replace(
        two, slot_mu=two.slot_mu * np.where(LASER[:, None] == 1, 1 + 0.05 * (ENERGY > 13.5)[:, None, None], 1)
    )
    assert agreement_of_traces({"apd1": one, "apd2": bent}, SETTINGS).disagrees == "apd1 and apd2"


def test_what_passes_do_not_repeat_is_their_scatter_over_the_root_of_their_number():
    """Three passes over two points, of which the second is brighter by e^0.2, 1 and e^-0.2 with the laser off."""
    level = np.repeat([0.2, 0.0, -0.2], 2) * np.arange(2)[:, None]
    mu = np.exp(level * [1, 0, 1, 0, 1, 0] + [0.0, 0.7, 0.0, 0.1, 0.0, 0.3])[..., None]
    state = np.tile(np.array([0, 1], np.int8), (2, 3))
    ones = np.ones(mu.shape[:2])
    rows = DwellRows(np.repeat(np.arange(3), 2), state, ones, ones, mu, 1e-6 * mu, np.zeros((*mu.shape, 0)))
    assert _between_passes([rows]) == pytest.approx(0.1 / np.sqrt(3))
