"""Reduction of imported columns: errors from scatter, slots of a slow laser, agreement of detectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reduction.counting.kernels import OFF, ON
from reduction.counting.phases import Pattern
from reduction.errors import ReductionError
from reduction.imported.agreement import agreements
from reduction.imported.columns import slots_of
from reduction.imported.pump import find_pump
from reduction.imported.scatter import scatter_of
from reduction.imported.slots import (
    combined,
    compared_slots,
    ground_phases,
    monitor_flux,
    rates_of_counts,
    rates_of_scatter,
)
from reduction.live.imported import ImportedReducer
from reduction.settings import Settings
from reduction.spectra.normalise import normalise, normalise_above_line, normalised_alone
from tests.beamline.imported_files import edge_spectrum

PATTERN = Pattern(2, 12, 4, 543e3)
"""Two bunches, six orbits, two of them before the pump."""
GATES = 20_000


def counted(rng: np.random.Generator, points: int, detectors: int = 2, change: float = 0.1) -> tuple[np.ndarray, ...]:
    """Hits, gates, hits of the monitor and the true relative change of each phase.

    Bunch 1 has 0.9 of the charge of bunch 0, detectors have unlike efficiencies, points have unlike fluxes.
    """
    charge = np.tile([1.0, 0.9], 6) * rng.uniform(0.8, 1.2, (points, 1))
    after = np.r_[np.zeros(4), change * np.exp(-np.arange(8) / 3)]
    efficiency = np.linspace(0.5, 1.3, detectors)[None, :, None]
    mu = efficiency * (charge * (1 + after))[:, None, :]
    hits = rng.binomial(GATES, 1 - np.exp(-mu))
    monitor = rng.binomial(GATES, 1 - np.exp(-2 * charge))
    return hits, np.full(points, GATES), monitor, after


def relative_pulls(rng: np.random.Generator) -> np.ndarray:
    """Pulls of (on - off) / off of all slots of the sum of two detectors."""
    hits, gates, monitor, after = counted(rng, 40)
    both = combined(rates_of_counts(hits, gates, *monitor_flux(monitor, gates, 2)))
    found = compared_slots(both, PATTERN, range(12))
    ratio = found.rate[ON] / found.rate[OFF]
    slots = np.arange(12)
    local = {(a, b): found.local[a, slots, b, slots] for a in (OFF, ON) for b in (OFF, ON)}
    variance = (local[ON, ON] - 2 * ratio * local[ON, OFF] + ratio**2 * local[OFF, OFF]) / found.rate[OFF] ** 2
    expected = after[(4 + slots) % 12]
    return (ratio - 1 - expected[:, None]) / np.sqrt(variance)


def test_changes_of_all_slots_have_the_size_and_errors_of_the_truth() -> None:
    """100 scans of 40 points and 12 slots; the width of 48,000 pulls is known to 0.005 if they were independent."""
    rng = np.random.default_rng(5)
    pulls = np.stack([relative_pulls(rng) for _ in range(100)])
    assert abs(pulls.mean()) < 0.03 and pulls.std() == pytest.approx(1, abs=0.03)
    np.testing.assert_allclose(pulls.std(axis=(0, 2)), 1, atol=0.06)


def test_the_covariance_of_slots_is_that_of_many_scans() -> None:
    """Slots 0 and 2 share their bunch, its ground state and its flux; slots 0 and 1 share nothing but the point."""
    rng = np.random.default_rng(6)
    rates, last = [], None
    for _ in range(500):
        hits, gates, monitor, _ = counted(np.random.default_rng(1), 1)
        hits = rng.binomial(GATES, hits / GATES)
        monitor = rng.binomial(GATES, monitor / GATES)
        last = compared_slots(
            combined(rates_of_counts(hits, gates, *monitor_flux(monitor, gates, 2))), PATTERN, range(3)
        )
        rates.append(last.rate[:, :, 0].ravel())
    assert last is not None
    predicted = last.local[..., 0].reshape(6, 6)
    measured = np.cov(np.array(rates).T)
    scale = np.sqrt(np.outer(np.diagonal(predicted), np.diagonal(predicted)))
    np.testing.assert_allclose(measured / scale, predicted / scale, atol=0.2)  # 1 / sqrt(500) is 0.045


def test_a_ground_phase_is_compared_with_the_others_of_its_bunch() -> None:
    assert ground_phases(PATTERN, 0).tolist() == [2] and ground_phases(PATTERN, 5).tolist() == [1, 3]
    with pytest.raises(ReductionError, match="no orbit before the pump"):
        ground_phases(Pattern(2, 12, 1, 1.0), 1)


def test_detectors_that_agree_have_a_flat_p_value_and_one_that_does_not_is_found() -> None:
    rng = np.random.default_rng(7)
    p_values, ratios = [], []
    for _ in range(50):
        hits, gates, monitor, _ = counted(rng, 30)
        (first, _) = agreements(rates_of_counts(hits, gates, *monitor_flux(monitor, gates, 2)), PATTERN)
        p_values.append(first.p_value)
        ratios.append(first.chi_square / first.dof)
    assert np.mean(ratios) == pytest.approx(1, abs=0.06) and 0.3 < np.mean(p_values) < 0.7
    hits, gates, monitor, _ = counted(rng, 30)
    hits[:15, 1, 5:] = rng.binomial(GATES, hits[:15, 1, 5:] / GATES * 0.98)
    (first, _) = agreements(rates_of_counts(hits, gates, *monitor_flux(monitor, gates, 2)), PATTERN)
    assert first.p_value < 1e-3


def test_rates_without_counts_have_the_scatter_of_the_orbits_before_the_pump() -> None:
    rng = np.random.default_rng(8)
    pattern = Pattern(2, 40, 20, 1.0)
    rates = rng.normal(1.0, 0.01, (200, 1, 40))
    (found,) = rates_of_scatter(rates, pattern)
    assert np.sqrt(found.variance.mean()) == pytest.approx(0.01, rel=0.03)
    with pytest.raises(ReductionError, match="orbits before the pump have no scatter"):
        rates_of_scatter(rates, Pattern(2, 40, 2, 1.0))


def test_a_detector_without_photons_is_refused_by_its_number() -> None:
    hits, gates, monitor, _ = counted(np.random.default_rng(1), 10)
    hits[:, 1] = 0
    with pytest.raises(ReductionError, match="detector 2 of 2 has no photons"):
        combined(rates_of_counts(hits, gates, *monitor_flux(monitor, gates, 2)))


def test_the_pump_is_found_where_the_signal_jumps_and_not_in_noise() -> None:
    rng = np.random.default_rng(9)
    hits, gates, monitor, _ = counted(rng, 40)
    rates = hits / gates[:, None, None] / (monitor / gates[:, None])[:, None]
    assert find_pump(rates, 2) == 4
    assert find_pump(rng.normal(1, 0.01, (40, 2, 12)), 2) is None


@pytest.mark.parametrize("sigma", [1e-3, 1e-2])
def test_errors_from_scatter_are_those_of_the_noise(sigma: float) -> None:
    """Unevenly spaced points of a smooth curve, 400 times; a single outlier does not count.

    The mean variance of a curve scatters by 0.19, so that of all is known to 0.01. Errors have 20 degrees of freedom,
    which makes pulls 1.04 wide.
    """
    rng = np.random.default_rng(10)
    x = np.sort(rng.uniform(0, 1, 200)) + np.linspace(0, 1, 200)
    variances, pulls = [], []
    for _ in range(400):
        noise = rng.normal(0, sigma, x.size)
        outlier = np.where(np.arange(x.size) == 100, 50 * sigma, 0.0)
        found = scatter_of(x, np.sin(3 * x) + noise + outlier)
        variances.append((found**2).mean() / sigma**2)
        pulls.append(noise / found)
    assert np.mean(variances) == pytest.approx(1, abs=0.035)
    assert np.std(pulls) == pytest.approx(1.04, abs=0.02)
    with pytest.raises(ValueError, match="8 are needed"):
        scatter_of(x[:7], x[:7])


@pytest.mark.parametrize("points", [40, 60, 120, 250])
def test_errors_from_scatter_of_an_edge_spectrum_give_pulls_of_the_width_1(points: int) -> None:
    """An edge as wide as its points are apart: fewer and fewer points describe it."""
    pulls = []
    for seed in range(60):
        noise = edge_spectrum(seed, points)[1] - edge_spectrum(seed, points, noise=0.0)[1]
        pulls.append(noise / scatter_of(*edge_spectrum(seed, points)))
    assert np.std(pulls) == pytest.approx(1, abs=0.1)


def test_laser_on_and_off_share_the_noise_that_their_difference_lacks() -> None:
    """Noise of 1 % that both have, and of 0.5 and 0.7 % of their own, in 100 scans."""
    rng, at, found = np.random.default_rng(12), np.linspace(0, 1, 200), []
    for _ in range(100):
        both = np.sin(3 * at) + 2 + rng.normal(0, 0.01, at.size)
        columns = {"off": both + rng.normal(0, 0.005, at.size), "on": both + rng.normal(0, 0.007, at.size)}
        columns |= {f"{name}_stddev": np.full(at.size, np.nan) for name in ("off", "on")}
        how, used = {"kind": "pair", "errors": "scatter"}, np.ones(at.size, np.bool_)
        kept = {name: values[:, None] for name, values in columns.items()}
        slots, _, notes = slots_of(how, kept, at, used, Pattern(1, 1, 0, 1e6), Settings((0, 0.1), (0.1, 1)))
        found.append(slots.compared([0]).local[:, 0, :, 0].mean(axis=2))
    off, on = np.mean(found, axis=0)
    assert off == pytest.approx([0.01**2 + 0.005**2, 0.01**2], rel=0.05)
    assert on == pytest.approx([0.01**2, 0.01**2 + 0.007**2], rel=0.05)
    assert "no counts" in notes[0]


def test_a_curve_of_one_column_is_reduced_from_its_documents() -> None:
    energy, absorption = edge_spectrum()
    settings = {"pre_edge": [7.06, 7.10], "integral": [7.11, 7.23], "slot_bins": "each"}
    start = {"uid": "a", "time": 0.0, "scan_set": "s", "scan_index": 0, "grid": energy.tolist(), "pattern": [False]}
    start |= {"settings": settings, "edge": "Fe_K", "pump_delay": 0.0}
    start["imported"] = {"kind": "line", "errors": "scatter"}
    timing = {"timing_num_bunches": 24, "timing_laser_divider": 5, "timing_bunch_rate": 6.5e6}
    descriptor = {"uid": "d", "name": "primary", "run_start": "a", "data_keys": {}}
    descriptor["configuration"] = {"timing": {"data": {**timing, "timing_laser_phase": 0}}, "imported": {}}
    published: list[tuple[str, Any]] = []
    reducer = ImportedReducer(lambda name, doc: published.append((name, doc)))
    reducer("start", start)
    reducer("descriptor", descriptor)
    for value in absorption:
        reducer("event", {"descriptor": "d", "data": {"static": value, "static_stddev": np.nan}})
    reducer("stop", {"run_start": "a", "exit_status": "success"})
    (stop,) = (doc for name, doc in published if name == "stop")
    assert (stop["exit_status"], stop.get("reason", "")) == ("success", "")
    data = next(doc["data"] for name, doc in published if name == "event" and "static" in doc["data"])
    bends = np.diff(np.asarray(data["static"])[energy > 7.16], 2)  # of a smooth curve: noise alone
    assert np.median(data["static_stddev"]) == pytest.approx(bends.std() / np.sqrt(6), rel=0.3)
    edge = np.asarray(data["static"])[energy > 7.2]
    assert edge.mean() - np.asarray(data["static"])[energy < 7.1].mean() == pytest.approx(1.0, abs=0.2)


def test_errors_alone_and_above_a_line_are_those_of_the_whole_covariance() -> None:
    """Against the function with the covariance, and against numerical derivatives."""
    rng = np.random.default_rng(11)
    energy = np.linspace(7.0, 7.2, 60)
    rate = 1 / (1 + np.exp(-(energy - 7.1) / 3e-3)) + 0.3 - 2 * (energy - 7.1) + rng.normal(0, 0.01, 60)
    settings, variance = Settings((7.0, 7.08), (7.09, 7.2)), rng.uniform(1e-4, 3e-4, 60)
    flat, (value, stddev) = (
        normalise(rate, variance, energy, settings),
        normalised_alone(rate, variance, energy, settings),
    )
    np.testing.assert_allclose(value, flat.value)
    np.testing.assert_allclose(stddev, np.sqrt(np.diagonal(flat.covariance)))

    def above_line(rates: np.ndarray) -> np.ndarray:
        return normalised_alone(rates, variance, energy, settings, line=True)[0]

    step = 1e-6 * np.eye(60)
    jacobian = np.array([(above_line(rate + each) - above_line(rate - each)) / 2e-6 for each in step]).T
    _, stddev = normalised_alone(rate, variance, energy, settings, line=True)
    value, covariance = normalise_above_line(rate, np.diag(variance), energy, settings)
    np.testing.assert_allclose(value, above_line(rate))
    np.testing.assert_allclose(covariance, (jacobian * variance) @ jacobian.T, atol=1e-8 * covariance.max())
    np.testing.assert_allclose(stddev, np.sqrt(np.diagonal(covariance)))
    sloped = above_line(rate + 5 * (energy - 7.0))
    np.testing.assert_allclose(sloped, above_line(rate), atol=1e-9)  # a slope makes no difference
