"""Components, shapes and associated spectra of maps: closed forms, and statistics over many seeded measurements."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, chi2, kstest

from reduction.errors import ReductionError
from reduction.maps.associated import _derivatives, associated_spectra
from reduction.maps.components import components_of
from reduction.maps.shapes import shape_change
from reduction.maps.transient_map import SlotSpectra, TransientMap, map_of_spectra, map_of_traces
from tests.reduction.maps import COMMON, ENERGY, NOISE, drawn, normalisation, spectra

DELAY = np.array([100.0, 1e3, 3e3, 1e4])
LATE = np.array([60.0, 150.0, 350.0, 1e3, 3e3, 1e4, 3e4])


def decays(delay: np.ndarray, *lifetimes: float) -> np.ndarray:
    """Exponentials without a response, (D, L)."""
    return np.exp(-delay[:, None] / np.array(lifetimes)) if lifetimes else np.zeros((delay.size, 0))


def independent(value: np.ndarray, stddev: float, delay: np.ndarray = DELAY) -> TransientMap:
    """A map of independent elements that no normalisation ties."""
    covariance = stddev**2 * np.eye(value.size).reshape(*value.shape, *value.shape)
    return TransientMap(delay, np.arange(value.shape[1], dtype=float), value, covariance)


def test_with_equal_independent_noise_the_singular_values_are_those_of_the_matrix():
    """The sum of the squares of the rest is then chi-square, whatever the search does."""
    value = np.random.default_rng(3).standard_normal((4, 9))
    found = components_of(independent(value, 0.25), level=0.0)
    size = np.linalg.svd(value / 0.25, compute_uv=False)
    assert found.number == 0 and found.p_value[0] == pytest.approx(chi2.sf((size**2).sum(), 36))
    found = components_of(independent(value, 0.25), level=1.0)
    assert found.number == 4
    assert found.singular_value == pytest.approx(size, rel=1e-3)
    rest = [(size[rank:] ** 2).sum() for rank in range(4)]
    assert found.chi_square == pytest.approx(rest, rel=1e-4)
    assert found.dof.tolist() == [36, 24, 14, 6]
    assert found.p_value == pytest.approx(chi2.sf(rest, [36, 24, 14, 6]), rel=1e-2)
    assert found.time_course @ found.spectrum == pytest.approx(value)


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_the_test_of_components_is_wrong_as_often_as_its_level(rank):
    """Too many in 5 % of the measurements, too few never with these signals; p-values of the true rank are uniform."""
    repeats, rng = 160, np.random.default_rng(100 + rank)
    truth = decays(DELAY, 400.0, 8e3)[:, :rank] @ (0.04 * spectra(rank))
    found = [components_of(drawn(rng, truth, DELAY)) for _ in range(repeats)]
    number = np.array([each.number for each in found])
    assert (number >= rank).all()
    assert binom.ppf(1e-3, repeats, 0.05) <= (number > rank).sum() <= binom.isf(1e-3, repeats, 0.05)
    assert kstest([each.p_value[rank] for each in found], "uniform").pvalue > 1e-3
    assert {int(each.dof[rank]) for each in found} == {(4 - rank) * (24 - rank)}


def test_the_shapes_of_a_decay_that_keeps_its_shape_agree_and_their_ratio_has_its_error():
    repeats, rng = 200, np.random.default_rng(7)
    truth = decays(DELAY, 8e3) @ (0.04 * spectra(1))
    found = [shape_change(drawn(rng, truth, DELAY), early=0, late=2) for _ in range(repeats)]
    assert {each.dof for each in found} == {23}
    assert kstest([each.p_value for each in found], "uniform").pvalue > 1e-3
    pull = np.array([(each.scale - np.exp(-(3e3 - 100) / 8e3)) / each.scale_stddev for each in found])
    assert abs(pull.mean()) < 3.5 / np.sqrt(repeats)
    assert abs(pull.std() - 1) < 3.5 / np.sqrt(2 * repeats)


def test_a_change_of_shape_has_the_chi_square_of_its_size():
    """Without noise in the data: the part of the late shape that is orthogonal to the early one, over its variance."""
    early, late = np.array([3.0, 0, 0, 0]), np.array([2.0, 0.6, 0, 0])
    found = shape_change(independent(np.stack([early, late]), 0.1, DELAY[:2]), early=0, late=1)
    size = np.linalg.svd(np.stack([early, late]) / 0.1, compute_uv=False)
    assert found.chi_square == pytest.approx(size[1] ** 2, rel=1e-6)
    assert found.dof == 3 and found.p_value == pytest.approx(chi2.sf(size[1] ** 2, 3), rel=1e-4)
    assert (found.early, found.late) == (100.0, 1e3)


def test_by_default_the_last_delay_with_a_transient_is_the_late_one():
    truth = decays(DELAY, 2e3) @ (0.04 * spectra(1))
    found = shape_change(drawn(np.random.default_rng(1), truth, DELAY))
    assert (found.early, found.late) == (100.0, 3e3)


def test_associated_spectra_have_their_errors():
    """Pulls over energies and measurements; species of A to B: S_A is the sum, S_B the second times 1 - tau_A/tau_B."""
    repeats, rng = 12, np.random.default_rng(21)
    first, second = 0.06 * spectra(2)
    truth = decays(LATE, 300.0, 8e3) @ np.stack([first, second])
    species = np.stack([first + second, second * (1 - 300 / 8e3)])
    pulls = []
    for _ in range(repeats):
        found = associated_spectra(drawn(rng, truth, LATE), 2, "none", sigma=1.0)
        of_decay = (found.decay - np.stack([first, second])) / found.decay_stddev
        pulls.append([of_decay, (found.species - species) / found.species_stddev])
    pull = np.array(pulls)  # (repeats, kinds, components, energies)
    assert np.abs(pull.mean(axis=(0, 2, 3))).max() < 0.19
    # 12 times about 10 independent energies of 2 components
    assert np.abs(pull.std(axis=(0, 2, 3)) - 1).max() < 0.17
    assert found.lifetimes == pytest.approx([300.0, 8e3], rel=0.2)
    assert found.dof == 7 * 24 - 2 * 24 - 2


def test_species_of_three_states_are_those_of_the_rate_equations():
    """A to B to C: decays from the eigenvectors of the rate matrix."""
    rates = np.array([1 / 200.0, 1 / 3e3, 1 / 4e4])
    matrix = np.diag(-rates) + np.diag(rates[:-1], -1)
    value, vectors = np.linalg.eig(matrix)
    start = np.linalg.solve(vectors, [1.0, 0, 0])
    delay = np.geomspace(20, 1e5, 14)
    states = np.real(np.array([vectors @ (start * np.exp(value * t)) for t in delay]))
    truth = 0.5 * spectra(3)
    found = associated_spectra(independent(states @ truth, 1e-6, delay), 3, "none", sigma=1e-3)
    assert found.species == pytest.approx(truth, abs=1e-4 * np.abs(truth).max())
    assert found.lifetimes == pytest.approx(1 / rates, rel=1e-4)


def test_a_map_has_the_slots_of_all_scans_at_the_energies_they_share():
    grids = [ENERGY, ENERGY[3:], ENERGY[:-2]]
    scans = []
    for number, grid in enumerate(grids):
        value = np.full((2, grid.size), number + 1.0)
        value[1] = np.nan  # the slot that is compared with
        scans.append(
            SlotSpectra(np.array([500.0 - 100 * number, 9e9]), grid, value, np.ones((2, 2, grid.size, grid.size)))
        )
    scans[0].transient[0, 7] = np.nan
    found = map_of_spectra(scans)
    assert found.delay.tolist() == [300.0, 400.0, 500.0]
    assert found.energy.tolist() == [*ENERGY[3:7], *ENERGY[8:-2]]
    assert (found.value == np.array([[3.0], [2.0], [1.0]])).all()
    own = np.einsum("aebf->ab", found.covariance) / found.energy.size**2
    assert (own == np.eye(3)).all()  # scans are independent of each other


def test_delay_scans_at_several_energies_are_a_map():
    delay = np.array([-200.0, 100.0, 1e3])
    traces = [(delay, np.array([0.0, 2, 1]) * sign, np.diag([1.0, 4, 9])) for sign in (1, -1, 3)]
    found = map_of_traces([13.2, 13.1, 13.3], traces)
    assert found.energy.tolist() == [13.1, 13.2, 13.3]
    assert found.value.tolist() == [[0, 0, 0], [-2, 2, 6], [-1, 1, 3]]
    assert found.stddev.tolist() == [[1, 1, 1], [2, 2, 2], [3, 3, 3]]
    assert components_of(found, level=0.5).number <= 1


HALF_NAN = np.where(np.arange(6) < 3, np.ones((2, 6)), np.nan)


def spectrum_of(value: np.ndarray) -> SlotSpectra:
    rows, size = value.shape
    return SlotSpectra(DELAY[:rows], np.arange(size) + 1.0, value, np.zeros((rows, rows, size, size)))


@pytest.mark.parametrize(
    ("job", "message"),
    [
        (lambda: map_of_spectra([]), "needs at least one energy scan"),
        (lambda: map_of_spectra([spectrum_of(np.ones((1, 5)))]), "at least two delays, not 1"),
        (lambda: map_of_spectra([spectrum_of(np.ones((3, 2)))]), "at least three energies, not 2"),
        (lambda: map_of_spectra([spectrum_of(np.ones((4, 1200)))]), "too large"),
        (lambda: map_of_spectra([spectrum_of(np.ones((2, 5)))]).free(), "cannot be inverted"),
        (lambda: map_of_spectra([spectrum_of(HALF_NAN), spectrum_of(HALF_NAN[:, ::-1])]), "no energies in common"),
        (lambda: map_of_traces([1.0], []), "at least one scan"),
        (lambda: shape_change(independent(np.ones((2, 5)), 1e3, DELAY[:2])), "0 delay.s. after time zero have a tran"),
        (lambda: shape_change(independent(np.ones((2, 5)), 1.0, DELAY[:2]), 1, 1), "cannot be compared with itself"),
        (lambda: associated_spectra(independent(np.ones((2, 5)), 1.0, -DELAY[:2])), "0 delay.s. after time zero are"),
        (lambda: associated_spectra(independent(np.ones((3, 5)), 1.0, DELAY[:3]), 2, "offset"), "too few for a gl"),
        (lambda: associated_spectra(independent(np.ones((7, 2)), 1.0, LATE), 2, "offset"), "2 free energies cannot"),
        (lambda: associated_spectra(independent(np.ones((7, 5)), 1.0, LATE), 4, "none"), "1 to 3 lifetimes"),
    ],
)
def test_what_is_no_map_is_named(job, message):
    with pytest.raises(ReductionError, match=message):
        job()


def test_infinite_errors_are_named():
    scan = spectrum_of(np.ones((2, 5)))
    scan.covariance[0, 0, 0, 0] = np.inf
    with pytest.raises(ReductionError, match="not finite: leave those points out"):
        map_of_spectra([scan])


def test_the_simulated_maps_have_the_noise_that_they_claim():
    """What the statistics above rest on: the scatter of each element is that of its covariance."""
    rng = np.random.default_rng(5)
    values = np.array([drawn(rng, np.zeros((4, 26)), DELAY).value for _ in range(1000)])
    expected = (NOISE**2 + COMMON**2) * np.einsum("ef,ef->e", normalisation(26), normalisation(26))
    ratio = (values**2).mean(axis=(0, 1))[5:] / expected[5:]
    assert ratio == pytest.approx(np.ones(ratio.size), abs=0.16)


def test_species_of_two_states_change_with_the_lifetimes_as_the_ratio_of_these():
    """S_B is its decay times 1 - tau_A / tau_B."""
    decay = np.array([[0.3, -0.1], [0.2, 0.5]])
    found = _derivatives(np.array([300.0, 1200.0]), 2, decay)
    expected = np.zeros((4, 2))
    expected[2:, 0], expected[2:, 1] = -0.25 * decay[1], 0.25 * decay[1]
    assert found == pytest.approx(expected, abs=1e-7)
