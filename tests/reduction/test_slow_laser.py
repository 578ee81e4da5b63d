"""Lasers slower than two turns: slots against the same bunches before the pump, with and without laser-off dwells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reduction.errors import ReductionError
from reduction.references.by_ground import by_ground
from tests.reduction.bunch_scans import SETTINGS, Ring, measured, spectrum, truth
from tests.reduction.raw_documents import CHANGE, GRID, STATIC, Bench, Reduced


def slow(pattern: tuple[int, ...] = (1, 0, 0, 1), bunches: int = 24, divider: int = 240, **more: float) -> Ring:
    """A decay that has ended long before the next pump."""
    amplitudes = np.exp(-np.arange(divider) / 6.0)
    return Ring(bunches, divider, amplitudes, gates=20_000, pattern=pattern, charge=0.2, **more)


@pytest.mark.parametrize(("pattern", "reference"), [((1, 0, 0, 1), "slots"), ((1, 1), "slots"), ((1, 1), "combined")])
def test_pulls_against_the_same_bunches_before_the_pump_have_the_width_1(pattern, reference):
    """No record of the currents is read, although they change and the jet has noise of 2 %."""
    ring, pulls, number = slow(pattern, passes=1, jet=0.02, topup=(30.0, 3, 0.05)), [], 12
    for seed in range(number):
        rates = measured(ring, np.random.default_rng([23, seed]), record=False)
        result = spectrum(rates, reference)
        assert result.reference == "slots" and np.isnan(result.transient[-1]).all()  # it is the reference
        pulls.append((result.transient - truth(ring, rates))[:-1] / result.transient_stddev[:-1])
    # of 14 energies two are fixed by the normalisation; slots share the ground state: half the values are independent
    assert np.std(pulls) == pytest.approx(1, abs=4 / np.sqrt(np.size(pulls)))


def test_noise_of_a_dwell_moves_the_ground_state_and_all_slots_by_the_same_share():
    rates = measured(slow((1, 1), passes=2, divider=48), np.random.default_rng(5))
    rows = rates.rows
    assert rows is not None
    plain, noisy = by_ground(rows, 0.0), by_ground(rows, 0.03)
    weight = rows.exposure / rows.exposure.sum(axis=1, keepdims=True)
    expected = 0.03**2 * (weight**2).sum(axis=1) * plain.rate[:, :, None, None] * plain.rate
    np.testing.assert_allclose(noisy.local - plain.local, expected, rtol=1e-6, atol=1e-9 * np.nanmax(expected))


def test_without_a_slot_before_the_pump_and_without_the_laser_off_nothing_can_be_compared():
    once_a_turn = Ring(24, 24, 0.4 ** np.arange(24), pattern=(1, 1), passes=1)
    rates = measured(once_a_turn, np.random.default_rng(1))
    for reference in ("paper", "shutter", "slots", "combined"):
        with pytest.raises(ReductionError, match=r"no laser-off dwell, and no slot before the pump.*two turns or more"):
            spectrum(rates, reference)
    rates = measured(slow((1, 1), passes=1), np.random.default_rng(1))
    for reference in ("paper", "shutter"):
        with pytest.raises(ReductionError, match=f"reference '{reference}' needs dwells with the laser off"):
            spectrum(rates, reference)
    assert "no dwell with the laser off to show that these have relaxed" in str(spectrum(rates, "combined").notes)


def test_slots_corrected_for_after_effects_are_compared_with_the_same_bunches_corrected_too():
    """Blinding of 0.3 hides a tenth to a third of the photons; the errors of its correction move both sides alike."""
    ring, pulls, held = slow((1, 1), divider=120, passes=1, jet=0.0, after=(0.01, 0.3)), [], []
    settings = replace(SETTINGS, after_effects=True)
    for seed in range(4):
        rates = measured(ring, np.random.default_rng([37, seed]), settings, record=False)
        result = spectrum(rates, "slots", settings)
        pulls.append((result.transient - truth(ring, rates))[:-1] / result.transient_stddev[:-1])
        light = (ring.level(0)[0][:, None, None] * ring.mean_currents * ring.response)[:, :, :, None]
        light = (light * rates.rows.ground.members.T).sum(axis=2)
        held.append((rates.rows.ground.mu / light).mean())
        alike = (rates.rows.ground.shift / rates.rows.slot_shift)[rates.rows.state == 1]
        np.testing.assert_allclose(alike.mean(axis=(0, 1)), 1, atol=0.05)
    assert result.reference == "slots" and "same bunches in the slots before the pump" in str(result.notes)
    assert np.std(pulls) == pytest.approx(1, abs=4 / np.sqrt(np.size(pulls)))
    assert np.mean(held) == pytest.approx(1, abs=4e-3)


def test_a_note_where_not_every_bunch_comes_before_the_pump():
    settings = replace(SETTINGS, before_pump=1e6)
    rates = measured(slow(passes=1), np.random.default_rng(2), settings)
    assert rates.rows is not None and rates.rows.ground is None
    note = "set a longer before_pump"
    assert note in str(spectrum(rates, "slots", settings).notes)
    assert note not in str(spectrum(measured(slow(passes=1), np.random.default_rng(2)), "slots").notes)


@pytest.mark.parametrize("reference", ["paper", "shutter", "combined"])
def test_bins_of_a_slow_laser_are_compared_with_the_laser_off_as_slots_are(reference):
    ring, pulls = slow(passes=2), []
    for seed in range(6):
        rates = measured(ring, np.random.default_rng([29, seed]))
        result = spectrum(rates, reference)
        pulls.append((result.transient - truth(ring, rates)) / result.transient_stddev)
    assert np.std(pulls) == pytest.approx(1, abs=4 / np.sqrt(np.size(pulls) / 2))


@pytest.mark.long
def test_covariance_of_bins_is_that_of_many_measurements():
    """Of the bins' transients at the white line, by counting alone: they share their ground state."""
    ring = slow((1, 1), passes=1, jet=0.0)
    settings = replace(SETTINGS, slot_bins="edges", slot_edges=(0.0, 1e3, 1e6, 2e6, 3e7))
    found, predicted = [], []
    for seed in range(150):
        rates = measured(ring, np.random.default_rng([31, seed]), settings, record=False)
        result = spectrum(rates, "slots", settings)
        found.append(result.transient[:, 5])
        predicted.append(result.transient_slot_covariance[:, :, 5, 5])
    measured_covariance, mean = np.cov(np.array(found).T), np.mean(predicted, axis=0)
    scale = np.sqrt(np.outer(np.diagonal(mean), np.diagonal(mean)))
    np.testing.assert_allclose(measured_covariance / scale, mean / scale, atol=4 * np.sqrt(2 / 150))


@pytest.mark.parametrize("reference", ["slots", "combined"])
def test_a_scan_by_documents_without_the_laser_off_has_a_spectrum(reference):
    bench = Bench(4, 40, gates=20_000, spread=0.1, pattern=(1, 1), settings=Bench().settings | {"reference": reference})
    reduced = Reduced()
    result = reduced.take(bench.a_pass("one"), bench.a_pass("two", scan_index=1))
    assert [stop["exit_status"] for stop in reduced.stops()] == ["success", "success"]
    assert result.reference == "slots" and result.used.all() and (result.dwells == [[0], [4]]).all()
    peak = CHANGE.argmin()
    change = normalised_documents(STATIC * (1 + CHANGE)) - normalised_documents(STATIC)
    assert abs(result.transient[0, peak] - change[peak]) < 4 * result.transient_stddev[0, peak]
    assert abs(result.static - normalised_documents(STATIC)).max() < 5 * result.static_stddev.max()


def normalised_documents(rate: np.ndarray) -> np.ndarray:
    above = rate - rate[:3].mean()
    return above / (np.trapezoid(above[3:], GRID[3:]) / np.ptp(GRID[3:]))
