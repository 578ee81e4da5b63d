"""Values by hand where results are put together: slots, detectors, imported columns, notes, documents."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from reduction.counting.background import measured_background
from reduction.counting.kernels import OFF
from reduction.counting.lost_slots import only_slots
from reduction.counting.phases import Pattern
from reduction.counting.row_parts import GroundState
from reduction.detectors.combine import Weights, combine_rows
from reduction.documents.detectors import LASER_PHASE, DocumentError, detectors_of
from reduction.documents.time_zero import TimeZeroJudge
from reduction.errors import ReductionError
from reduction.imported import spectra
from reduction.imported.agreement import agreements
from reduction.imported.columns import slots_of
from reduction.imported.finished import finished_of
from reduction.imported.scatter import edge_height
from reduction.imported.slots import PhaseRates, combined, rates_of_counts
from reduction.imported.spectra import Slots, spectrum_of
from reduction.references.compared import Compared
from reduction.references.efficiency import slot_efficiency
from reduction.references.notes import NAMED, of_missing
from reduction.settings import Settings
from reduction.spectra.amplitudes import area
from reduction.spectra.drift_notes import of_drift
from reduction.spectra.edge_step import edge_step_fits
from reduction.spectra.spectrum_fields import of_pairs
from reduction.traces.kinetics.fit import notes_of
from tests.reduction.drifting_scans import Case, measured
from tests.reduction.dwells import Scan, decay
from tests.reduction.raw_documents import Bench, Reduced
from tests.reduction.test_detectors import measured as measured_detectors
from tests.reduction.test_detectors import with_faults
from tests.reduction.test_imported import GATES, PATTERN, counted


def named(**values: Any) -> Any:
    return SimpleNamespace(**values)


def test_the_phases_between_which_the_laser_slipped_are_named() -> None:
    counts = np.full((4, 24), 5), np.full((4, 24), 1000)
    laser = np.array([True, False, True, False])
    with pytest.raises(ReductionError, match="slipped from phase 3 to 4,"):
        measured_background(Pattern(24, 4, 3, 6.5e6), *counts, laser, np.array([3, 4, 4, 4]))


def test_slots_that_remain_are_numbered_anew() -> None:
    rates: Any = measured(Case(), 1)
    slots = rates.rate.shape[1]
    pattern = Pattern(24, slots, 0, 6.5e6)
    kept = np.array([True, False, True, True, False])
    found = only_slots(replace(rates, pattern=pattern), kept)
    assert found.pattern is not None and found.pattern.bin_of_slot == (0, -1, 1, 2, -1)
    binned = replace(pattern, bin_of_slot=(4, 3, 2, 1, 0))
    assert only_slots(replace(rates, pattern=binned), kept).pattern.bin_of_slot == (-1, 2, 1, -1, 0)  # type: ignore[union-attr]


@pytest.mark.parametrize(("more", "last"), [(0, "is missing since"), (2, "2 more points are missing")])
def test_three_missing_points_are_explained_and_others_counted(more: int, last: str) -> None:
    points = NAMED + more
    rates: Any = named(dwells=np.zeros((2, points)), faults=dict.fromkeys(range(points), ("no gates",)))
    notes = of_missing(np.arange(float(points)), "keV", np.zeros(points, bool), rates)
    assert len(notes) == 1 + NAMED + (more > 0) and last in notes[-1]


def test_a_ground_state_is_scaled_with_its_dwells() -> None:
    ground = GroundState(
        np.ones((1, 1, 2)), np.ones((1, 1, 3)), np.ones((1, 1, 2, 1)), np.ones((2, 3)), np.ones((2, 3))
    )
    found = ground.scaled(np.full((1, 1), 3.0))
    assert found.mu.max() == found.shift.max() == 3.0 and found.bunch_var.max() == 9.0


def test_counts_before_time_zero_was_moved_have_delays_after_the_new_one() -> None:
    readings = {"laser_delay": 100.0, "t0": 2e-9, "laser_on": 1, "of_rise": 0, "of_light": 0}
    counts = {"i0": 1.0, "i0_time": 1.0, "fpga_counts": [1, 2], "fpga_gates": [10, 10], LASER_PHASE: 0}
    conditions = {"divider": 2.0, "t0": 5e-9, "spacing_ps": 1e5}
    scan = TimeZeroJudge("fpga", 1.0)._scan([{**readings, **counts}], conditions)
    assert scan.setting == pytest.approx([3100.0]) and scan.t0 == pytest.approx(5000.0)


def test_a_dwell_without_flux_does_not_count_in_efficiencies() -> None:
    rows = Scan(decay(0.3)).rows(np.random.default_rng(3))
    flux, mu = rows.flux.copy(), rows.slot_mu.copy()
    column = int(np.flatnonzero(rows.state[4] == OFF)[0])
    flux[4, column], mu[4, column] = 0.0, [9.0, 1.0, 1.0, 1.0, 1.0]
    state = rows.state.copy()
    state[4, column] = -1
    lacking = slot_efficiency(replace(rows, state=state))
    assert slot_efficiency(replace(rows, flux=flux, slot_mu=mu)).value == pytest.approx(lacking.value, abs=1e-12)


def ground(mu: float, size: int = 2) -> GroundState:
    shape = (1, 8, size)
    return GroundState(
        np.full(shape, mu), np.full(shape, mu**2), np.zeros((*shape, 0)), np.ones((size, 2)), np.ones((size, 2))
    )


def test_a_combined_dwell_that_does_not_count_is_empty_and_has_no_variance() -> None:
    one, two = measured_detectors(np.random.default_rng(3), (0.05, 0.05))
    found = combine_rows([one, with_faults(two, (4, slice(0, 4)))], Weights(np.ones(2), np.full(2, 0.5)))
    assert (found.state[4, :4] == -1).all() and not found.slot_var[4, :4].any() and not found.slot_mu[4, :4].any()
    assert found.slot_var[4, 4:] == pytest.approx(one.slot_var[4, 4:] + two.slot_var[4, 4:])


def test_ground_states_of_detectors_are_added_with_their_weights_and_only_if_all_have_one() -> None:
    one, two = measured_detectors(np.random.default_rng(3), (0.05, 0.05))
    both = replace(one, ground=ground(1.0)), replace(two, ground=ground(2.0))
    weights = Weights(np.array([1.0, 3.0]), np.array([0.25, 0.75]))
    found = combine_rows(both, weights).ground
    assert (
        found is not None and found.mu == pytest.approx(1 + 3 * 2.0) and found.bunch_var == pytest.approx(1 + 9 * 4.0)
    )
    assert combine_rows([both[0], two], weights).ground is None


def test_a_point_whose_errors_are_infinite_counts_neither_in_weights_nor_in_the_agreement() -> None:
    hits, gates, _, _ = counted(np.random.default_rng(1), 10)
    detectors = rates_of_counts(hits, gates, np.ones((10, 12)), np.zeros((10, 12)))
    variance = detectors[1].variance.copy()
    variance[3, 5] = np.inf
    faulty = [detectors[0], PhaseRates(detectors[1].rate, variance, detectors[1].flux_variance)]
    left = [each.only(np.arange(10) != 3) for each in detectors]
    assert np.delete(combined(faulty).rate, 3, axis=0) == pytest.approx(combined(left).rate)
    for found, expected in zip(agreements(faulty, PATTERN), agreements(left, PATTERN), strict=True):
        assert (found.dof, found.chi_square) == (expected.dof, pytest.approx(expected.chi_square))


def test_counts_with_an_i0_have_its_noise_and_are_compared_with_the_orbits_before() -> None:
    hits, gates, _, _ = counted(np.random.default_rng(1), 12, detectors=1)
    settings = Settings((1.0, 2.0), (3.0, 4.0), i0_noise=0.02)
    columns = {"hits": hits, "gates": gates, "i0": np.full(12, 1.0 * GATES)}
    how = {"kind": "counts", "errors": "counts"}
    slots, points, notes = slots_of(how, columns, np.arange(12.0), np.ones(12, bool), PATTERN, settings)
    assert points.all() and "in the 2 orbits before the pump" in " ".join(notes)
    steady = slots_of(how, columns, np.arange(12.0), points, PATTERN, replace(settings, i0_noise=1e-9))[0]
    # slot 1 is of bunch 1, and its static rate is a mean of two phases of each bunch, whose flux is common
    found, counting = (each.compared([1]) for each in (slots, steady))
    more = found.local[0, 0, 0, 0] - counting.local[0, 0, 0, 0]
    assert np.sqrt(more) / found.rate[0, 0] == pytest.approx(0.02, rel=1e-3)


def test_a_finished_static_spectrum_has_the_variance_of_its_error() -> None:
    ones = np.ones((3, 1))
    columns = {f"{key}{end}": 0.1 * ones for key in ("on", "off", "transient") for end in ("", "_stddev")}
    columns |= {"static": np.arange(3.0), "static_stddev": np.array([0.1, 0.2, 0.3])}
    found = finished_of("energy", np.arange(3.0), np.ones(3, bool), columns, "counts")
    assert found["rate_covariance"].shape == (2, 1, 1, 3)
    assert found["rate_covariance"][0, 0, 0] == pytest.approx([0.01, 0.04, 0.09])
    assert found["transient_covariance"][0] == pytest.approx(0.01 * np.eye(3))


@pytest.mark.parametrize(("kept", "map_slots"), [(1, False), (2, True)])
def test_slots_of_a_map_are_kept_where_at_least_two_fit(
    monkeypatch: pytest.MonkeyPatch, kept: int, map_slots: bool
) -> None:
    energy = np.linspace(7.0, 7.3, 31)
    rate = np.where(energy < 7.1, 1.0, 2.0)

    def compared(slots: Any) -> Compared:
        number = len(slots)
        local = 1e-6 * np.einsum("ab,st->asbt", np.eye(2), np.eye(number))[..., None] * np.ones(31)
        return Compared(np.tile(rate, (2, number, 1)), local, np.zeros((2, number, 31, 0)))

    monkeypatch.setattr(spectra, "LARGEST", (kept * 31) ** 2)
    slots = Slots(5, compared, rate, np.full(31, 1e-6), "laser off")
    found = spectrum_of(energy, np.ones(31, bool), slots, Settings((7.0, 7.05), (7.1, 7.3)), "")
    assert (spectra.MAP_SLOTS in found) == map_slots and "transient_slot_covariance" not in found


def test_an_edge_is_as_high_as_its_rise_in_the_scatter_of_neighbours() -> None:
    """Forty points with one step: 39 differences, one of them 1."""
    assert edge_height(np.arange(40.0), np.repeat([0.0, 1.0], 20)) == pytest.approx(np.sqrt(39))
    assert edge_height(np.arange(40.0), np.ones(40)) == 0.0


def test_an_area_of_two_points_is_that_of_one_trapezoid() -> None:
    value = np.array([np.nan, 3.0, 1.0])
    assert area(np.array([6.999, 7.0, 7.002]), value, np.zeros((3, 3))).value == pytest.approx(4.0)
    with pytest.raises(ValueError, match="at least two points"):
        area(np.array([6.999, 7.0, 7.002]), np.array([np.nan, 3.0, np.nan]), np.zeros((3, 3)))


@pytest.mark.parametrize(("value", "reached"), [(2.0, True), (5.0, True), (2.1, False), (4.9, False)])
def test_a_parameter_at_either_bound_is_reported(value: float, reached: bool) -> None:
    model = named(names=("log_lifetime_1",), bounds=lambda name: (2.0, 5.0), num_lifetimes=1, dof=0)
    notes = notes_of(model, np.array([value]), np.array([0.1]), 0.0, "")
    assert any("reached its bound" in note for note in notes) == reached


@pytest.mark.parametrize(("rms", "reported"), [(0.031, True), (0.029, False)])
def test_a_drift_is_reported_from_three_errors(rms: float, reported: bool) -> None:
    corrected = named(slope_separated=True, rms=(rms, 0.01), by_monitors=False)
    rows: Any = measured(Case(), 1).rows
    assert bool(of_drift(np.empty(0), rows, None, corrected, None)) == reported  # type: ignore[arg-type]


def test_the_edge_step_is_by_default_that_of_the_last_65_per_cent_above_the_edge() -> None:
    pytest.importorskip("larch")
    energy = np.linspace(7.0, 7.4, 81)
    given = edge_step_fits(energy, 7.1, (7.0, 7.08), (7.1 + 0.35 * 0.3, 7.4))
    assert edge_step_fits(energy, 7.1, (7.0, 7.08)).post_edge == pytest.approx(given.post_edge)


def test_a_detector_sees_slot_0_and_needs_a_limit_above_no_hits() -> None:
    entry = {"kind": "counter", "device": "fpga"}
    (found,) = detectors_of({"detectors": {"apd": entry}})
    assert (found.slot, found.saturation) == (0, 1.0) == (detectors_of({})[0].slot, detectors_of({})[0].saturation)
    with pytest.raises(DocumentError, match="above 0, up to 1, not 0"):
        detectors_of({"detectors": {"apd": {**entry, "saturation": 0}}})


def test_a_run_ends_with_its_own_stop_document() -> None:
    """Another one's, in between, changes nothing."""
    documents = list(Bench().a_pass("a"))
    other = ("stop", {"uid": "z", "run_start": "b", "exit_status": "abort"})
    with_other, without = Reduced(), Reduced()
    found, expected = with_other.take(iter([*documents[:-4], other, *documents[-4:]])), without.take(iter(documents))
    assert len(with_other.stops()) == len(without.stops()) == 1
    np.testing.assert_array_equal(found.static, expected.static)


def test_fields_of_pair_counters_without_any_have_the_shapes_of_those_with() -> None:
    found = of_pairs(None, 3)
    shapes = {"after_effects": (2,), "after_effects_covariance": (2, 2), "after_effects_departure": (3,)}
    assert {name: np.shape(found[name]) for name in shapes} == shapes
