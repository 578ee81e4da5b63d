"""Background by bunch and slot, with its error: pulls over many background runs and scans, drawn by plain numpy."""

from __future__ import annotations

import numpy as np
import pytest

from reduction.counting.accumulate import CountingAccumulator
from reduction.counting.background import background_shifts, measured_background
from reduction.counting.dwell import Dwell
from reduction.counting.phases import Pattern
from reduction.errors import ReductionError
from reduction.references.relative import relative_transients
from reduction.references.slot_table import SlotTable
from reduction.settings import Settings

REPEATS = 400
GATES = 3000
MU, LIGHT, DARK = 0.1, 0.02, 0.003
"""Photons a pulse: from the sample, of the laser alone in slot 0, dark everywhere."""
WIDTH = 4 / np.sqrt(2 * REPEATS)
"""Four standard deviations of the width of so many pulls."""
MIDDLE = 4 / np.sqrt(REPEATS)
SETTINGS = Settings((13.449, 13.461), (13.464, 13.506), reference="paper", i0_noise=0.0)


def drawn(rng, pattern, mu, laser, laser_phase, gates=GATES):
    """Hits of one dwell: `mu` from the sample, dark, and light of the laser in slot 0."""
    slot = (np.arange(pattern.num_phases) - laser_phase) % pattern.divider
    total = mu + DARK + laser * LIGHT * (slot == 0)
    return rng.binomial(gates, -np.expm1(-total))


def background(rng, pattern, phases, gates=GATES):
    """That of dwells off and on, at each laser phase twice."""
    at = np.repeat(phases, 4)
    laser = np.tile([False, True, True, False], len(phases))
    hits = [drawn(rng, pattern, 0.0, on, phase, gates) for on, phase in zip(laser, at, strict=True)]
    full = np.full((at.size, pattern.num_phases), gates)
    return measured_background(pattern, np.array(hits), full, laser, at)


def scan(rng, pattern, known, phases, points=1):
    """A scan of dwells on, off, off, on at each point; `phases` are those of the laser in each dwell."""
    sums = CountingAccumulator(pattern, points, 0.0, background=known)
    full = np.full(pattern.num_phases, GATES)
    for point in range(points):
        for segment, (laser, phase) in enumerate(zip((True, False, False, True), phases, strict=True)):
            hits = drawn(rng, pattern, MU, laser, phase)
            sums.add(Dwell("a", point, segment, 0, laser, "good", 1.0, hits, full, phase))
    return sums.result()


@pytest.mark.parametrize(("taken", "scanned"), [((3,), (3, 3, 3, 3)), ((3,), (4, 4, 4, 4)), ((3, 7), (3, 4, 4, 4))])
def test_slot_0_is_right_whatever_the_phase_of_the_laser(taken, scanned):
    """Also where the laser slipped in the middle of the background run, or between two dwells of the scan."""
    pattern = Pattern(24, 5, 3, 6.5e6)
    pulls, joint = [], []
    for seed in range(REPEATS):
        rng = np.random.default_rng(seed)
        found = scan(rng, pattern, background(rng, pattern, taken), scanned, points=2)
        stddev = np.sqrt(np.diagonal(found.covariance[..., 0], axis1=1, axis2=2))
        pulls.append((found.rate[..., 0] - MU) / stddev)
        # both points together: the background's error does not average down
        relative = relative_transients(found, SETTINGS, SlotTable.of(5), None)
        joint.append(relative.transient[0].sum() / np.sqrt(relative.covariance[0].sum()))
    assert np.abs(np.mean(pulls, axis=0)).max() < MIDDLE
    np.testing.assert_allclose(np.std(pulls, axis=0), 1, atol=WIDTH)
    assert abs(np.mean(joint)) < MIDDLE and abs(np.std(joint) - 1) < WIDTH


def test_the_error_of_a_short_background_is_most_of_the_error():
    """Standard deviation by hand: of 24 phases with their binomial counts, and of the background once."""
    pattern = Pattern(24, 5, 0, 6.5e6)
    rng = np.random.default_rng(1)
    short = background(rng, pattern, (0,), gates=200)
    full = np.full(120, GATES)
    hits = np.full(120, round(-np.expm1(-0.12) * GATES))
    sums = CountingAccumulator(pattern, 1, 0.0, background=short)
    for number in range(50):
        update = sums.add(Dwell(str(number), 0, 0, 0, True, "good", 1.0, hits, full, 0))
    of_counts = hits[0] / (GATES * (GATES - hits[0])) / 24 / 50
    of_background = (short.stddev[1, ::5] ** 2).sum() / 24**2
    assert of_background > 5 * of_counts
    assert update.covariance[1, 0, 0] == pytest.approx(of_counts + of_background, rel=1e-9)
    assert sums.result().covariance[1, 0, 0, 0] == pytest.approx(of_counts + of_background, rel=1e-9)


def test_where_slots_have_other_bunches_a_dwell_has_no_background():
    pattern = Pattern(24, 4, 2, 6.5e6)
    rng = np.random.default_rng(2)
    known = background(rng, pattern, (2,))
    assert known.phases(pattern, 6).tolist() == list(range(24))
    sums = CountingAccumulator(pattern, 1, 0.0, background=known)
    full = np.full(24, GATES)
    update = sums.add(Dwell("a", 0, 0, 0, True, "good", 1.0, drawn(rng, pattern, MU, 1, 3), full, 3))
    assert update.fault == (
        "laser at phase 3, background taken at 2: each slot sees other bunches; take a background run at this phase"
    )
    assert sums.add(Dwell("a", 0, 0, 1, True, "good", 1.0, drawn(rng, pattern, MU, 1, 2), full, 2)).fault is None
    with pytest.raises(ReductionError, match="the laser slipped from phase 2 to 3"):
        background(rng, pattern, (2, 3))


def test_a_dwell_of_a_background_run_in_which_the_laser_slipped_does_not_count():
    pattern = Pattern(24, 5, 0, 6.5e6)
    hits = np.ones((3, 120), np.int64)
    hits[1] = 10**6  # nonsense
    full = np.full((3, 120), 10**6)
    found = measured_background(pattern, hits, full, np.array([False, True, True]), np.array([0, 1, 1]))
    assert found.photons[1].max() < 1e-5
    with pytest.raises(ReductionError, match="no good dwell with the laser on"):
        measured_background(pattern, hits[:2], full[:2], np.array([False, True]), np.array([0, 1]))


def test_shifts_by_the_background_go_to_dwells_of_its_own_laser_state():
    """Two slots; one dwell with the laser off, one with it on, one that does not count."""
    common = np.array([[4.0, 9.0], [16.0, 25.0]])
    shifts = background_shifts(common, np.array([[0, 1, -1]], np.int8))
    expected = np.zeros((1, 3, 2, 4))
    expected[0, 0, [0, 1], [0, 1]] = 2, 3
    expected[0, 1, [0, 1], [2, 3]] = 4, 5
    np.testing.assert_array_equal(shifts, expected)
