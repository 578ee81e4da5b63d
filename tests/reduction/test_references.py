"""The four references: what they measure, what they report, and what they refuse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reduction.counting.kernels import EMPTY, OFF, ON
from reduction.counting.rows import point_rates
from reduction.errors import ReductionError
from reduction.references.efficiency import SlotEfficiency
from reduction.references.methods import by_paper, by_shutter, prepare, reference_weights
from reduction.settings import REFERENCES
from reduction.spectra.spectrum import reduce_spectrum
from tests.reduction.dwells import ENERGY, STATIC, Scan, decay
from tests.reduction.reference_scans import ORDER, PEAK, SETTINGS, measured, normalised, spectrum, truth


@pytest.mark.parametrize("reference", REFERENCES)
def test_without_noise_every_reference_gives_the_truth(reference):
    """Slots 3 and 4 hold nothing, so that for these even `slots` is absolute."""
    scan = Scan(np.array([1.0, 0.1, 0.0, 0.0, 0.0]), counting=1e-5)
    result = spectrum(scan.rows(), reference)
    assert result.reference == reference
    np.testing.assert_allclose(result.transient, truth(scan), atol=2e-6)


def test_slots_measures_a_slot_minus_what_its_references_hold():
    scan = Scan(decay(0.736), counting=1e-5)
    result = spectrum(scan.rows(), "slots")
    assert not result.clean_slots.any() and "No slot is clean" in str(result.notes)
    transient = scan.truth()
    off = np.tile(STATIC, (5, 1))
    expected = normalised(off * (1 + transient) / (1 + transient[4])) - normalised(off)
    np.testing.assert_allclose(result.transient[:4], expected[:4], atol=1e-9)
    assert np.isnan(result.transient[4]).all()  # it is the only reference, so nothing is known of it
    assert np.abs(expected - truth(scan)).max() > 1e-3


def test_a_late_part_that_does_not_decay_is_in_the_errors_of_combined():
    """7 % of the first slot's transient stays for ever, which the laser off constrains to 5 %; all pulls are right."""
    scan = Scan(np.array([1.0, 0.3, 0.12, 0.08, 0.07]), counting=1e-3, jet=5e-3, passes=4)
    transient, spectra = measured(scan, "combined", 100)
    pull = (transient - truth(scan)) / np.array([one.transient_stddev for one in spectra])
    size = pull[:, :, PEAK]
    assert np.abs(size.mean(axis=0)).max() < 1.0
    assert (np.abs(size) > 3).mean() < 0.03
    held = np.array([one.residual[4] for one in spectra])
    error = np.array([one.residual_stddev[4] for one in spectra])
    assert np.abs(np.mean((held - 0.07 / 0.93) / error)) < 1.0


def test_combined_is_absolute_although_the_last_slot_still_holds_a_lot():
    scan = Scan(decay(0.736), counting=1e-5)
    result = spectrum(scan.rows(), "combined")
    assert not result.clean_slots.any()
    # what slots hold is a share of the logarithm, so that 4 % transients are not quite proportional
    np.testing.assert_allclose(result.transient, truth(scan), atol=1e-5)


def test_efficiencies_matter_to_shutter_but_for_the_normalisation():
    """0.4 % of efficiency is more than the signal of slot 1; rates that are compared are free of it."""
    scan = Scan(np.zeros(5), counting=1e-5)
    compared = by_shutter(prepare(scan.rows(), ORDER, 0.0))
    np.testing.assert_allclose(compared.rate[ON], compared.rate[OFF], rtol=1e-10)
    assert np.abs(by_paper(scan.rows(), 0.0).rate[OFF] / compared.rate[OFF] - 1).max() > 3e-3


def test_without_a_decay_the_laser_off_is_the_reference_with_a_note():
    rows = Scan(np.zeros(5)).rows(np.random.default_rng(2))
    both = {reference: spectrum(rows, reference) for reference in ("shutter", "combined")}
    np.testing.assert_array_equal(both["combined"].transient, both["shutter"].transient)
    assert "No decay is seen" in str(both["combined"].notes) and not both["shutter"].notes
    assert "slots are compared with slot 4" in str(spectrum(rows, "slots").notes)


def test_jet_noise_that_hides_where_the_decay_ends_falls_back_too():
    result = spectrum(Scan(decay(0.05), jet=0.03).rows(np.random.default_rng(1)), "combined")
    assert "No slot is known to be clean (compared with the laser off, slot 4 holds" in str(result.notes)


def test_a_constant_that_may_be_noise_is_noted():
    amplitudes = np.array([1.0, 0.27, 0.27, 0.27, 0.27])
    notes = [
        str(spectrum(Scan(amplitudes, jet=0.006).rows(np.random.default_rng(i)), "combined").notes) for i in range(12)
    ]
    assert any("The clean slots are doubtful" in text for text in notes)
    quiet = measured(Scan(decay(0.0), jet=1e-3), "combined", 12)[1]
    assert sum("doubtful" in str(one.notes) for one in quiet) <= 3  # two standard deviations: one in twenty


def test_the_slot_with_the_largest_delay_is_the_last():
    scan = Scan(np.roll(decay(0.02), 1))
    delays = np.array([766.2, 152.4, 305.9, 459.3, 612.7])
    result = spectrum(scan.rows(np.random.default_rng(1)), "slots", delays=delays)
    assert result.clean_slots.tolist() == [1, 0, 1, 1, 1] or result.clean_slots.tolist() == [1, 0, 0, 1, 1]
    with pytest.raises(ReductionError, match="slot_delays must be 5 finite numbers"):
        spectrum(scan.rows(), "slots", delays=delays[:4])
    with pytest.raises(ReductionError, match="slot_delays must be 5 finite numbers"):
        spectrum(scan.rows(), "slots", delays=np.full(5, np.nan))


def test_a_single_slot_can_use_the_laser_off_only():
    rows = Scan(decay(0.1), efficiency=np.ones(5)).rows(np.random.default_rng(1))
    one = replace(
        rows, slot_mu=rows.slot_mu[..., :1], slot_var=rows.slot_var[..., :1], slot_shift=rows.slot_shift[:, :, :1]
    )  # fmt: skip
    for reference in ("paper", "shutter", "combined"):
        assert np.isfinite(spectrum(one, reference).transient).all()
    with pytest.raises(ReductionError, match="more than one slot"):
        spectrum(one, "slots")


def test_sums_without_dwells_are_refused_but_for_paper():
    rates = replace(point_rates(Scan(decay(0.1)).rows(), 0.0, np.zeros(24, np.int64)), rows=None)
    assert np.isfinite(reduce_spectrum(ENERGY, rates, replace(SETTINGS, reference="paper")).transient).all()
    for reference in ("shutter", "slots", "combined"):
        with pytest.raises(ReductionError, match="needs the single dwells"):
            reduce_spectrum(ENERGY, rates, replace(SETTINGS, reference=reference))


def test_points_that_cannot_be_divided_are_left_out_and_counted():
    rows = Scan(decay(0.1)).rows(np.random.default_rng(1))
    mu, state = rows.slot_mu.copy(), rows.state.copy()
    mu[6, :, 2] = 0.0
    state[9, [1, 2, 4, 7]] = EMPTY  # laser off in the second pass only, laser on in the first only
    broken = replace(rows, slot_mu=mu, state=state)
    result = spectrum(broken, "combined")
    assert np.flatnonzero(~result.used).tolist() == [6, 9] and "2 points left out" in str(result.notes)
    assert np.isnan(result.transient[:, [6, 9]]).all() and np.isfinite(result.transient[:, result.used]).all()
    assert spectrum(broken, "paper").used.all()


def test_one_pass_with_single_dwells_notes_that_jet_noise_is_not_in_the_errors():
    scan = Scan(decay(0.1), pattern=(1, 0), passes=1)
    assert "The errors exclude the noise of the jet" in str(
        spectrum(scan.rows(np.random.default_rng(1)), "combined").notes
    )


def test_reference_weights_never_name_the_slot_itself():
    none = reference_weights(np.zeros(3, np.bool_), 2)
    np.testing.assert_array_equal(none, [[0, 0, 1], [0, 0, 1], [0, 0, 0]])
    some = reference_weights(np.array([False, True, True]), 2)
    np.testing.assert_array_equal(some, [[0, 0.5, 0.5], [0, 0, 1], [0, 1, 0]])


def test_warnings_of_the_efficiency_reach_the_notes():
    rows = Scan(decay(0.1)).rows(np.random.default_rng(1))
    mu = rows.slot_mu.copy()
    mu[:, 4:, 2] *= 1.01
    notes = str(spectrum(replace(rows, slot_mu=mu), "combined").notes)
    assert "slot efficiencies are not constant" in notes and "slot efficiencies drift: slot 2" in notes
    assert isinstance(prepare(rows, ORDER, 0.0).efficiency, SlotEfficiency)
