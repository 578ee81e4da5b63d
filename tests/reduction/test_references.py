"""The four references: what they measure, their errors, which of them is best when, and what they refuse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reduction.counting.kernels import EMPTY, OFF, ON
from reduction.counting.rows import point_rates
from reduction.references.efficiency import SlotEfficiency
from reduction.references.methods import by_paper, by_shutter, by_slots, combined, prepare, reference_weights
from reduction.settings import REFERENCES, Settings
from reduction.spectra.spectrum import ReductionError, reduce_spectrum
from tests.reduction.dwells import ENERGY, STATIC, Scan, decay

SETTINGS = Settings(pre_edge=(13.450, 13.460), integral=(13.464, 13.570), i0_noise=0.0)
ORDER = np.arange(5)
PEAK = int(np.argmin(np.abs(ENERGY - 13.472)))
BY = {"shutter": by_shutter, "slots": by_slots, "combined": combined}


def spectrum(rows, reference, comparable=True, delays=None):
    rates = point_rates(rows, 0.0, np.zeros(24, np.int64), comparable)
    return reduce_spectrum(ENERGY, rates, replace(SETTINGS, reference=reference), delays)


def truth(scan):
    """Transients by paper's chain without noise, in plain numpy."""
    off = np.tile(STATIC, (5, 1))
    return normalised(off * (1 + scan.truth())) - normalised(off)


def normalised(rate):
    above = rate - rate[:, :3].mean(axis=1, keepdims=True)
    width = ENERGY[-1] - ENERGY[3]
    return above / (np.trapezoid(above[:, 3:], ENERGY[3:], axis=1) / width)[:, None]


def measured(scan, reference, number, seed=31):
    spectra = [spectrum(scan.rows(np.random.default_rng([seed, i])), reference) for i in range(number)]
    return np.array([one.transient for one in spectra]), spectra


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


@pytest.mark.parametrize("reference", sorted(BY))
def test_covariance_is_the_one_of_small_changes_made_to_every_input(reference):
    """Derivatives by finite differences of everything a reference is computed from."""
    scan = Scan(decay(0.6), counting=5e-4, jet=1e-3)
    base = prepare(scan.rows(np.random.default_rng(3)), ORDER, 0.0)
    compared = BY[reference](base)
    energy, step = PEAK, 1e-6

    def logs(comparison, weights):
        """ln(off', ...), ln(on', ...) at one energy; weights of the two comparisons as they were."""
        z, w = comparison.logs.z[:, energy], weights
        references = reference_weights(base.clean.clean, 4) if reference != "shutter" else np.zeros((5, 5))
        held = references @ np.nan_to_num(base.clean.residual) if reference == "combined" else np.zeros(5)
        on = z - w * (references @ z - held * (z[0] - z[4]))
        off = np.log(comparison.on_off.rate[OFF, :, energy] / comparison.efficiency.value).mean()
        return np.concatenate([np.full(5, off), off + on])

    def changed(rate, efficiency):
        on_off = replace(base.on_off, rate=rate)
        z = np.log(rate[ON] / efficiency[:, None]) - np.log(rate[OFF] / efficiency[:, None]).mean(axis=0)
        value = replace(base.efficiency, value=efficiency)
        return replace(base, on_off=on_off, efficiency=value, logs=replace(base.logs, z=z))

    inside = np.log(compared.rate[:, :, energy]).ravel()
    found = np.zeros(5)  # weights of the two comparisons, recovered from the result itself
    references = reference_weights(base.clean.clean, 4)
    held = references @ np.nan_to_num(base.clean.residual) if reference == "combined" else np.zeros(5)
    z = base.logs.z[:, energy]
    bracket = references @ z - held * (z[0] - z[4])
    if reference != "shutter":
        has = references.sum(axis=1) > 0
        found[has] = (z - (inside[5:] - inside[:5]))[has] / bracket[has]
    rate, efficiency = base.on_off.rate, base.efficiency.value
    start = logs(base, found)
    noise = np.zeros((10, 10))
    relative = base.on_off.relative_variance[:, :, energy]
    columns = []
    for laser in (OFF, ON):
        for slot in range(5):
            more = rate.copy()
            more[laser, slot] *= 1 + step
            columns.append((logs(changed(more, efficiency), found) - start) / step)
    jacobian = np.array(columns).T
    noise[np.diag_indices(10)] = relative.ravel()
    for laser in (OFF, ON):
        block = slice(5 * laser, 5 * laser + 5)
        noise[block, block] += base.dwell_noise**2 * base.on_off.spread[laser, energy]
    local = compared.local[..., energy].reshape(10, 10) / np.outer(np.exp(inside), np.exp(inside))
    known = np.isfinite(inside)
    expected = jacobian @ noise @ jacobian.T
    np.testing.assert_allclose(local[known][:, known], expected[known][:, known], rtol=1e-4, atol=1e-12)
    columns = []
    for slot in range(5):
        more = efficiency * np.where(np.arange(5) == slot, 1 + step, 1.0)
        columns.append((logs(changed(rate, more), found) - start) / step)
    jacobian = np.array(columns).T
    shared = compared.shared[:, :, energy, :5].reshape(10, 5) / np.exp(inside)[:, None]
    expected = jacobian @ base.efficiency.log_covariance @ jacobian.T
    np.testing.assert_allclose(
        (shared @ shared.T)[known][:, known], expected[known][:, known], rtol=1e-4, atol=1e-15
    )  # fmt: skip


@pytest.mark.parametrize("jet", [pytest.param(0.0, marks=pytest.mark.long), 3e-3])
@pytest.mark.parametrize("reference", REFERENCES)
def test_errors_and_covariance_of_slots_and_energies_are_those_of_many_scans(reference, jet):
    """300 scans: pulls of single points, and the chi-square of three slots at eight energies together."""
    scan = Scan(decay(0.1), counting=1e-3, jet=jet)
    transient, spectra = measured(scan, reference, 300)
    away = transient - truth(scan)
    stddev = np.array([one.transient_stddev for one in spectra])
    pulls = (away / stddev)[:, :4, 3:-3]  # with reference slots, slot 4 is sometimes the only one
    assert pulls.std() == pytest.approx(1, abs=0.05)
    assert np.abs(pulls.mean(axis=0)).max() < 5.5 / np.sqrt(300)  # the largest of 130
    slots, energies = [0, 1, 3], np.arange(PEAK - 4, PEAK + 4)
    chosen = np.array([away[:, s][:, energies] for s in slots]).transpose(1, 0, 2).reshape(300, -1)
    chi = []
    for one, values in zip(spectra, chosen, strict=True):
        blocks = [[one.transient_slot_covariance[s, t][np.ix_(energies, energies)] for t in slots] for s in slots]
        chi.append(values @ np.linalg.solve(np.block(blocks), values))
    # the noise of a dwell is itself known to 10 % from 38 points, which widens the chi-square a little
    assert np.mean(chi) == pytest.approx(24, rel=0.07)


def test_single_slots_are_the_diagonal_of_the_covariance_between_slots():
    result = spectrum(Scan(decay(0.2), jet=2e-3).rows(np.random.default_rng(1)), "combined")
    for slot in range(5):
        np.testing.assert_array_equal(
            result.transient_covariance[slot], result.transient_slot_covariance[slot, slot]
        )  # fmt: skip
    np.testing.assert_allclose(
        result.transient_slot_covariance, result.transient_slot_covariance.transpose(1, 0, 3, 2), atol=1e-18
    )
    jet = spectrum(Scan(decay(0.2), jet=1e-2).rows(np.random.default_rng(1)), "shutter")
    same = jet.transient_slot_covariance[0, 1][PEAK, PEAK] / jet.transient_slot_covariance[0, 0][PEAK, PEAK]
    assert same > 0.95  # jet noise is common to the slots of a dwell


@pytest.mark.parametrize("jet", [0.0, 1e-3, 1e-2])
def test_combined_is_not_worse_than_the_better_of_the_two(jet):
    """Where it finds clean slots, that is; once in hundreds of scans noise looks like a decay that does not end."""
    scan = Scan(decay(0.0), counting=1e-3, jet=jet, passes=4)
    away = {name: measured(scan, name, 100) for name in ("shutter", "slots", "combined")}
    found = np.array([one.clean_slots.any() for one in away["combined"][1]])
    assert found.mean() > 0.97
    error = {
        name: (transient - truth(scan))[found, :2, PEAK - 6 : PEAK + 7].std() for name, (transient, _) in away.items()
    }
    # the same scans for all three; 100 x 26 points
    assert error["combined"] < 1.03 * min(error["shutter"], error["slots"])
    if jet == 1e-2:
        assert error["slots"] < 0.2 * error["shutter"]
    if jet == 0.0:
        assert error["shutter"] < error["slots"]


@pytest.mark.long
def test_a_longer_stay_with_the_laser_on_pays_with_shutter():
    """Without jet noise var = 1/on + 1/(5 off): 2.4 at 1:1 and 2.1 at 2:1 of the same time; paper has 4 at 1:1."""
    error = {}
    for name, pattern, counting in (("1:1", (1, 0, 0, 1), 1e-3), ("2:1", (1, 0, 1), 1e-3 * np.sqrt(3 / 4))):
        scan = Scan(decay(0.02), counting=counting, pattern=pattern)
        for reference in ("paper", "shutter"):
            transient, _ = measured(scan, reference, 200)
            error[name, reference] = (transient - truth(scan))[:, :2, 3:-3].var()
    assert error["1:1", "shutter"] / error["1:1", "paper"] == pytest.approx(2.4 / 4, rel=0.08)
    assert error["2:1", "shutter"] / error["1:1", "paper"] == pytest.approx(2.1 / 4, rel=0.08)


def test_nothing_to_see_falls_back_on_the_laser_off_and_says_so():
    rows = Scan(np.zeros(5)).rows(np.random.default_rng(2))
    both = {reference: spectrum(rows, reference) for reference in ("shutter", "combined")}
    np.testing.assert_array_equal(both["combined"].transient, both["shutter"].transient)
    assert "No decay is seen" in str(both["combined"].notes) and not both["shutter"].notes
    assert "slots are compared with slot 4" in str(spectrum(rows, "slots").notes)


def test_jet_noise_that_hides_where_the_decay_ends_falls_back_too():
    result = spectrum(Scan(decay(0.05), jet=0.03).rows(np.random.default_rng(1)), "combined")
    assert "No slot is known to be clean (compared with the laser off, slot 4 holds" in str(result.notes)


def test_a_constant_that_may_be_noise_is_told():
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


def test_where_slots_see_different_bunches_they_are_not_compared():
    rows = Scan(decay(0.1)).rows(np.random.default_rng(1))
    with pytest.raises(ReductionError, match="reference 'slots' is not possible: each slot sees only some bunches"):
        spectrum(rows, "slots", comparable=False)
    fallen_back = spectrum(rows, "combined", comparable=False)
    assert fallen_back.reference == "paper" and "'paper' was used instead" in str(fallen_back.notes)
    np.testing.assert_array_equal(fallen_back.transient, spectrum(rows, "paper").transient)
    assert spectrum(rows, "shutter", comparable=False).reference == "shutter"
    assert not spectrum(rows, "shutter", comparable=False).clean_slots.any()


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
    rates = replace(point_rates(Scan(decay(0.1)).rows(), 0.0, np.zeros(24, np.int64), True), rows=None)
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


def test_one_pass_with_single_dwells_says_that_jet_noise_is_not_in_the_errors():
    scan = Scan(decay(0.1), pattern=(1, 0), passes=1)
    assert "Noise of the jet is not in the errors" in str(
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
