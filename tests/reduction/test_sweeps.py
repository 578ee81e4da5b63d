"""Frames of sweeps on a grid: the spectrum is that of a step scan, its covariance is exact, lost frames are no harm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from plans.compilation.edges import find_edges
from reduction.counting.accumulate import CountingAccumulator
from reduction.counting.dwell import Dwell
from reduction.counting.kernels import EMPTY
from reduction.counting.pairs import Pairs
from reduction.counting.phases import Pattern
from reduction.counting.rows import DwellRows, point_rates, rows_of_counts
from reduction.counting.sweeps import Shares, half_widths, on_grid, shares_on_grid
from reduction.diagnostics.exclusions import Exclusions
from reduction.documents.raw import RawRun
from reduction.live.sweeps import SweepStore, rates_on_grid
from reduction.settings import Settings
from reduction.spectra.spectrum import Spectrum, reduce_spectrum
from sim_ioc.physics.photons import sample_pairs

EDGE = find_edges("Br_K")[0]
GRID = EDGE.grid()
FRAMES_A_STEP = 6
SLOTS = 5
GATES = 400_000
FLUX = 0.15
DECAY = np.array([1.0, 0.33, 0.12, 0.045, 0.017])
"""Transient of each slot in that of the first."""


def static(energy):
    """An edge with a white line 3 eV wide, photons a pulse."""
    ev = 1e3 * (energy - 13.472)
    return 0.06 + 0.06 * (0.5 + np.arctan((ev + 2.0) / 1.2) / np.pi) + 0.04 * np.exp(-((ev / 1.8) ** 2))


def transient(energy):
    """Of the first slot, relative."""
    ev = 1e3 * (energy - 13.472)
    return 0.02 * (
        np.exp(-(((ev + 4.5) / 1.2) ** 2)) - np.exp(-((ev / 1.3) ** 2)) + 0.5 * np.exp(-(((ev - 4.5) / 2) ** 2))
    )


def photons(energy, laser_on):
    """Photons a pulse of each slot, shape (..., S)."""
    return static(energy)[..., None] * (1 + laser_on * transient(energy)[..., None] * DECAY)


def bounds():
    """Energies at which frames begin and end: the same number between each two points, half a step beyond the ends."""
    ends = np.concatenate([[GRID[0] - np.diff(GRID)[0] / 2], GRID, [GRID[-1] + np.diff(GRID)[-1] / 2]])
    times = np.concatenate([[-0.5], np.arange(GRID.size), [GRID.size - 0.5]])
    at = np.arange(-0.5, GRID.size - 0.5 + 1e-9, 1 / FRAMES_A_STEP)
    return np.interp(at, times, ends)


EDGES = bounds()
BEGIN, END = EDGES[:-1], EDGES[1:]
WITHIN = BEGIN[:, None] + (END - BEGIN)[:, None] * (np.arange(8) + 0.5) / 8
"""Energies within the frames."""


def mean_photons(laser_on):
    """Of each frame, without noise."""
    return photons(WITHIN, laser_on).mean(axis=1)


TRUE = np.stack([mean_photons(laser) for laser in (0, 1)])


def frames(rng, laser_on=(1, 0), noise=0.0):
    """Rows of the frames of sweeps: binomial hits, one phase a slot, and noise of I0."""
    mu = np.moveaxis(TRUE[list(laser_on)], 0, 1)
    hits = rng.binomial(GATES, -np.expm1(-mu))
    flux = FLUX * (1 + noise * rng.standard_normal(mu.shape[:2]))
    state, passes = np.array(laser_on, bool), np.zeros(len(laser_on), np.int64)
    return rows_of_counts(hits, np.full(hits.shape, GATES), flux, state, passes, np.arange(SLOTS))


def binned(rows: DwellRows, begin=BEGIN, end=END, grid=GRID) -> DwellRows:
    """Rows of frames, all of them sweeps with these energies, on the grid."""
    exposure = np.where(rows.state != EMPTY, rows.exposure, 0.0)
    return on_grid(rows, [shares_on_grid(begin, end, each, grid) for each in exposure.T])


def weights_of(shares: Shares, frames: int):
    """Weights of all frames in each point, shape (N, F)."""
    weights = np.zeros((shares.first.size, frames))
    for point, (first, own) in enumerate(zip(shares.first, shares.weight, strict=True)):
        mine = shares.frames[first : first + own.size]
        weights[point, mine] = own[: mine.size]
    return weights


def settings(reference):
    return Settings.from_mapping(
        {"pre_edge": EDGE.pre_edge, "integral": EDGE.integral, "reference": reference, "i0_noise": 1e-9, "drift": "off"}
    )


def spectrum_of(rows: DwellRows, reference: str) -> Spectrum:
    rates = point_rates(rows, 1e-9, np.zeros(1, np.int64))
    return reduce_spectrum(GRID, rates, settings(reference))


def expected(reference) -> Spectrum:
    """By a step scan without noise."""
    mu = np.stack([photons(GRID, laser) for laser in (1, 0)], axis=1)
    rows = DwellRows(
        np.zeros(2, np.int64),
        np.tile(np.array([1, 0], np.int8), (GRID.size, 1)),
        np.full(mu.shape[:2], 1e9),
        np.full(mu.shape[:2], FLUX),
        mu,
        mu * 1e-12,
        np.zeros((*mu.shape, 0)),
    )
    return spectrum_of(rows, reference)


def deviations(reference, repeats, noise=0.0):
    """Transients of the first slot minus the true one in many sweeps, and the covariance that they claim."""
    rng, true = np.random.default_rng(7), expected(reference).transient[0]
    found = [spectrum_of(binned(frames(rng, noise=noise)), reference) for _ in range(repeats)]
    return np.array([each.transient[0] - true for each in found]), np.array(
        [each.covariance.between(0, 0) for each in found]
    )


def pulls_and_sums(reference, repeats):
    """Pulls of all points, and those of sums over neighbours with random weights."""
    deviation, covariance = deviations(reference, repeats)
    pulls = deviation / np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    weights = np.cumsum(np.random.default_rng(3).standard_normal((repeats, 30, GRID.size)), axis=2)
    weights -= weights.mean(axis=2, keepdims=True)
    spread = np.sqrt(np.einsum("kai,kij,kaj->ka", weights, covariance, weights))
    return pulls, np.einsum("kai,ki->ka", weights, deviation) / spread


@pytest.mark.parametrize("reference", ["slots", "combined"])
def test_the_transient_is_that_of_a_step_scan(reference):
    pulls, _ = pulls_and_sums(reference, 6)
    assert pulls.std() == pytest.approx(1, abs=0.1)
    assert abs(pulls.mean(axis=0)).max() * np.sqrt(6) < 4.2  # of 124 points


@pytest.mark.long
@pytest.mark.parametrize("reference", ["paper", "slots", "combined"])
def test_the_pulls_of_many_sweeps(reference):
    pulls, sums = pulls_and_sums(reference, 100)
    for name, each in (("pulls", pulls), ("sums", sums)):
        of_sweep = (each**2).mean(axis=1)  # those of one sweep are alike
        width, error = np.sqrt(of_sweep.mean()), of_sweep.std(ddof=1) / np.sqrt(len(of_sweep)) / 2
        assert width == pytest.approx(1, abs=3.5 * error), name
        assert error < {"pulls": 0.015, "sums": 0.06}[name]
    assert abs(pulls.mean(axis=0)).max() * np.sqrt(100) < 4.5


def test_weights_give_the_value_at_the_point():
    """Of a cubic averaged over each frame, at every point and also without some of the frames."""
    exposure = np.where(np.arange(BEGIN.size) % 17 == 3, 0.0, 1.0)
    weights = weights_of(shares_on_grid(BEGIN, END, exposure, GRID), BEGIN.size)
    middle, width = (BEGIN + END) / 2 - GRID[60], END - BEGIN
    averages = 1 + 2e3 * middle + 3e6 * (middle**2 + width**2 / 12) + 1e8 * (middle**3 + middle * width**2 / 4)
    at = GRID - GRID[60]
    found, expected = weights @ averages, 1 + 2e3 * at + 3e6 * at**2 + 1e8 * at**3
    assert found[10:-3] == pytest.approx(expected[10:-3])
    assert found == pytest.approx(expected, abs=0.1)  # at an end and between regions, without one of few frames
    assert weights.any(axis=1).all()


def test_shares_are_computed_once():
    """And again for the sweep whose frames have changed."""
    store, exposure = SweepStore({("a", 0): (BEGIN, END), ("a", 1): (BEGIN, END)}), np.ones((BEGIN.size, 2))
    first = store.shares(exposure, GRID)
    again = store.shares(exposure, GRID)
    assert [each is other for each, other in zip(first, again, strict=True)] == [True, True]
    exposure[300, 1] = 0.0
    again = store.shares(exposure, GRID)
    assert [each is other for each, other in zip(first, again, strict=True)] == [True, False]
    assert weights_of(again[1], BEGIN.size)[:, 300].any() == 0


def test_neighbours_are_correlated_as_they_scatter():
    """In 6000 sweeps over eight points, the frames of which are few."""
    grid = 13.47 + 5e-4 * np.arange(8)
    ends = np.arange(13.47 - 2.5e-4, 13.47375, 5e-4 / 2.6)
    begin, end, sweeps_taken = ends[:-1], ends[1:], 6000
    rng = np.random.default_rng(11)
    hits = rng.binomial(GATES, -np.expm1(-static((begin + end) / 2)), (sweeps_taken, begin.size)).T[..., None]
    flux, none = np.full(hits.shape[:2], FLUX), np.zeros(sweeps_taken, np.int64)
    counted = rows_of_counts(hits, np.full(hits.shape, GATES), flux, none.astype(bool), none, none[:1])
    found = binned(counted, begin, end, grid)
    scatter = np.corrcoef(found.slot_mu[:, :, 0])
    for distance, claimed in enumerate(found.neighbours.counting[:, :, 0, 0], start=1):
        assert np.diag(scatter, distance) == pytest.approx(claimed[:-distance], abs=4.5 / np.sqrt(sweeps_taken))
    assert np.abs(found.neighbours.counting[:, :, 0, 0]).max() > 0.05
    assert (found.slot_mu[:, :, 0].std(axis=1) / np.sqrt(found.slot_var[:, 0, 0])) == pytest.approx(1, abs=0.04)


def test_a_point_without_frames_is_lost_and_its_neighbours_are_not():
    """Frames around one point are lost: it does not count, and the others have the errors of what they have."""
    rng = np.random.default_rng(5)
    away = np.abs((BEGIN + END) / 2 - GRID[50])
    rows, lost = frames(rng), away < half_widths(GRID)[50]
    rows.state[lost, 0] = -1
    found = binned(rows)
    assert set(np.flatnonzero(found.state[:, 0] < 0)) == {49, 50, 51}  # of these two, all frames are on one side
    assert (found.state[:, 1] >= 0).all()
    assert found.slot_var[48, 0, 0] == pytest.approx(found.slot_var[48, 1, 0], rel=0.1)
    store = SweepStore({("a", 0): (BEGIN, END), ("a", 1): (BEGIN, END)})
    (note,) = store.lost(store.shares(np.where(rows.state != EMPTY, rows.exposure, 0.0), GRID), ("a",), GRID)
    listed = ", ".join(f"{energy:.7g}" for energy in GRID[49:52])
    assert note.startswith(f"Sweep 1 of pass 1 has no value at {listed} keV: too many frames are lost there.")
    transient = spectrum_of(found, "slots").transient[0]
    assert set(np.flatnonzero(np.isnan(transient))) == {49, 50, 51}


def test_the_drift_of_passes_of_two_sweeps_is_taken_out():
    """The thickness changes by 6 % within each sweep of a pass, upwards in one pass and downwards in the next."""
    rng, passes = np.random.default_rng(4), 4
    position = np.linspace(-1, 1, BEGIN.size)[:, None]
    pass_index = np.repeat(np.arange(passes), 2)
    thickness = 1 + 0.03 * position * (1 - 2 * (pass_index % 2))
    state = np.tile([True, False], passes)
    mu = np.moveaxis(TRUE[state.astype(int)], 0, 1) * thickness[..., None]
    hits = rng.binomial(GATES, -np.expm1(-mu))
    rows = rows_of_counts(
        hits, np.full(hits.shape, GATES), np.full(mu.shape[:2], FLUX), state, pass_index, np.arange(SLOTS)
    )
    rows = replace(rows, time=60.0 * (np.arange(2 * passes) + (1 + position) / 2))
    rates = point_rates(binned(rows), 1e-9, np.zeros(1, np.int64))
    found = reduce_spectrum(GRID, rates, replace(settings("slots"), drift="auto"))
    pull = (found.static - expected("slots").static) / found.static_stddev
    assert (pull**2).mean() < 1.5
    rises = found.drift[:, -1] - found.drift[:, 0]  # with a slope of all sweeps, which is not determined
    assert np.diff(rises) == pytest.approx([-0.12, 0.12, -0.12], abs=0.006)
    assert "pattern=(1, 0, 0, 1)" in found.notes


@pytest.mark.long
@pytest.mark.parametrize("corrected", [True, False])
def test_after_effects_are_corrected_by_the_pairs_of_the_frames(corrected):
    """Blinding and afterpulses let slot 0 leak into slot 1; pairs of lag 1 show them, and remove them."""
    bright = 4 * TRUE  # photons a pulse: laser, frame, slot
    counts = sample_pairs(np.random.default_rng(2), bright, np.full(bright.shape[:2], 40 * GATES), 0.02, 0.5)
    pattern, store = Pattern(1, SLOTS, 0, 6.5e6), SweepStore()
    sums = CountingAccumulator(pattern, BEGIN.size, 1e-9, after_effects=corrected)
    for segment, laser in enumerate((1, 0)):
        store.energies["a", segment] = BEGIN, END
        for frame in range(BEGIN.size):
            of_pairs = (counts.pair_gates, counts.pair_counts, counts.prev_hits, counts.coinc)
            pairs = Pairs(*(each[laser, frame, :1] for each in of_pairs))
            hits, gates = counts.counts[laser, frame], counts.gates[laser, frame]
            sums.add(Dwell("a", frame, segment, 0, bool(laser), "good", FLUX, hits, gates, 0, pairs))
    chosen = settings("slots")
    run = RawRun("a", "set", "mono_energy", GRID, 2, chosen, {}, frames=BEGIN.size, per_step=FRAMES_A_STEP)
    found = reduce_spectrum(GRID, rates_on_grid(sums, store, run, pattern, Exclusions()), chosen)
    pull = (found.transient[1] - expected("slots").transient[1]) / found.transient_stddev[1]
    assert found.after_effects_departure.shape == GRID.shape
    q = -np.expm1(-4 * static(GRID[-1]))
    of_chain = (0.02 + 0.5 * q) * (1 - 0.02 + 0.5 * q) / q - 1  # hits p = q + p (0.02 - 0.5 q)
    assert found.after_effects_departure[-1] == pytest.approx(of_chain, abs=5e-3)
    if corrected:
        assert (pull**2).mean() == pytest.approx(1, abs=6 * np.sqrt(2 / GRID.size))
        assert found.after_effects == pytest.approx([0.02, 0.5], abs=0.003)
    else:
        assert (pull**2).mean() > 4
        assert "A hit changes the next gate" in found.notes
