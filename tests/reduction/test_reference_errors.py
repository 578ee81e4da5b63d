"""Errors of the four references: derivatives, pulls and covariances of many scans, and which reference is best when."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reduction.counting.kernels import OFF, ON
from reduction.references.methods import prepare, reference_weights
from reduction.settings import REFERENCES
from tests.reduction.dwells import Scan, decay
from tests.reduction.reference_scans import BY, ORDER, PEAK, measured, spectrum, truth


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
        noise[block, block] += base.dwell_noise**2 * base.on_off.variance_factor[laser, energy]
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
@pytest.mark.parametrize(
    "reference", [pytest.param(each, marks=() if each == "combined" else pytest.mark.long) for each in REFERENCES]
)
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


@pytest.mark.parametrize("jet", [*(pytest.param(each, marks=pytest.mark.long) for each in (0.0, 1e-3)), 1e-2])
def test_combined_is_never_worse_than_the_laser_off_and_gains_what_the_data_allow(jet):
    """Where a decay has ended `slots` has the smaller error, since it takes for granted that nothing is left."""
    scan = Scan(decay(0.0), counting=1e-3, jet=jet, passes=4)
    away = {name: measured(scan, name, 100) for name in ("shutter", "slots", "combined")}
    found = np.array([one.clean_slots.any() for one in away["combined"][1]])
    assert found.mean() > 0.97
    error = {
        name: (transient - truth(scan))[found, :2, PEAK - 6 : PEAK + 7].std() for name, (transient, _) in away.items()
    }
    # the same scans for all three; 100 x 26 points
    assert error["combined"] < 1.03 * error["shutter"]
    quoted = np.sqrt(np.mean([one.transient_stddev[:2, PEAK - 6 : PEAK + 7] ** 2 for one in away["combined"][1]]))
    assert 0.7 < error["combined"] / quoted < 1.1
    if jet == 1e-2:
        assert error["slots"] < 0.2 * error["shutter"]
        assert error["combined"] < 0.3 * error["shutter"]
    else:
        assert error["combined"] < 1.1 * min(error["shutter"], error["slots"])
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
