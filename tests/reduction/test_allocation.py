"""Time of points from the predicted covariance: errors, shares, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

from reduction.allocation import predicted as predicted_module
from reduction.allocation.allocate import allocate
from reduction.allocation.expected import expected_comparison as compare
from reduction.allocation.functions import of_function
from reduction.allocation.names import TargetError, parse_quantity
from reduction.allocation.predicted import predicted
from reduction.allocation.problem import Problem, TimeCosts
from reduction.allocation.quantities import built
from reduction.allocation.shares import OtherModel
from reduction.allocation.solve import least_cycles
from reduction.allocation.wanted import KNOWN, Target
from reduction.allocation.whole import cycles_of_pass
from reduction.counting.rows import point_rates, rows_of_counts
from reduction.errors import ReductionError
from reduction.spectra.ratios import comparison_parameter
from reduction.spectra.spectrum import reduce_spectrum
from tests.reduction.expected_grids import COMPARISON, ENERGY, delay_grid, energy_grid, fluence_grid

PATTERN = (1, 0, 0, 1)
COSTS = TimeCosts(move=1.0, shutter=0.05, message=0.02, passes=4)


def drawn_ratio(grid, rng):
    """C of one measurement of the grid, one cycle a point and a phase a slot, by the reduction."""
    states = np.array(PATTERN, bool)
    gates = np.full((ENERGY.size, 4, 5), round(grid.gates * grid.dwell * grid.phases[0]))
    jet = 1 + grid.noise * rng.standard_normal((ENERGY.size, 4, 1))
    photons = np.moveaxis(grid.photons, 2, 0)[:, states.astype(int)] * jet
    hits = rng.binomial(gates, -np.expm1(-photons))
    rows = rows_of_counts(hits, gates, np.ones(jet.shape[:2]), states, np.zeros(4, int), np.arange(5))
    rates = point_rates(rows, 1e-3, np.zeros(24, int))
    found = reduce_spectrum(ENERGY, rates, grid.settings, grid.slot_delays)
    ratio = comparison_parameter(ENERGY, found.transient[0], found.transient_covariance[0], *COMPARISON)
    return ratio.value


@pytest.mark.parametrize(
    ("reference", "number"), [("combined", 50), pytest.param("paper", 300, marks=pytest.mark.long)]
)
def test_predicted_errors_are_those_of_drawn_measurements(reference, number):
    """The scatter of 50 is known to 10 %, from percentiles to 15 %."""
    grid, rng = energy_grid(reference=reference), np.random.default_rng(11)
    ahead = predicted(grid, PATTERN, np.ones(ENERGY.size))
    (quantity,) = built("C(slot=0)", [ahead], KNOWN)
    weights = quantity.linearised([ahead]).weights[0]
    error = float(np.sqrt(ahead.variance(weights[None]).total[0]))
    found = np.array([drawn_ratio(grid, rng) for _ in range(number)])
    middle = np.percentile(found, [15.9, 84.1])  # a ratio has long tails
    assert np.diff(middle)[0] / 2 / error == pytest.approx(1, abs=6 * 1.06 / np.sqrt(2 * number))


def test_predicted_variance_is_the_covariance_of_the_reduction():
    """Weights of rates, and the whole covariance matrix, are two ways to the same number."""
    grid = predicted(energy_grid(), PATTERN, np.linspace(1, 5, ENERGY.size))
    weights = np.zeros((1, *grid.transient.shape))
    weights[0, 1] = np.sin(np.arange(ENERGY.size))
    whole = weights[0, 1] @ grid.covariance(1) @ weights[0, 1]
    assert grid.variance(weights).total[0] == pytest.approx(whole, rel=1e-9)


def test_shares_of_one_sum_are_those_of_neyman():
    parts, cost = np.array([[4.0, 1.0, 9.0]]), np.array([1.0, 1.0, 4.0])
    found = least_cycles(parts, np.array([2.0]), cost, np.full(3, 1e-9))
    share = np.sqrt(parts[0] / cost)
    assert found / found.sum() == pytest.approx(share / share.sum(), rel=1e-5)
    assert (parts[0] / found).sum() == pytest.approx(2.0, rel=1e-5)


def test_several_targets_take_no_longer_than_another_solver_finds():
    rng = np.random.default_rng(5)
    parts, cost, least = rng.random((3, 6)) ** 2, 0.5 + rng.random(6), np.full(6, 0.2)
    budget = np.array([0.3, 0.2, 0.5])
    found = least_cycles(parts, budget, cost, least)
    limit = {"type": "ineq", "fun": lambda log: 1 - (parts / np.exp(log)).sum(axis=1) / budget}
    other = minimize(
        lambda log: cost @ np.exp(log), np.full(6, 3.0), constraints=limit, bounds=[(np.log(0.2), None)] * 6
    )
    assert ((parts / found).sum(axis=1) <= budget * (1 + 1e-5)).all()
    assert cost @ found == pytest.approx(other.fun, rel=1e-3)


@pytest.mark.parametrize(
    ("grid", "quantity", "wanted", "gain"),
    [
        (energy_grid(), "C(slot=0)", "2 %", 3.0),
        pytest.param(energy_grid(), "amplitude(slot=0)", "1 %", 1.5, marks=pytest.mark.long),
        pytest.param(energy_grid(), "transient(slot=1, energy=13.472)", "5 sigma", 1.5, marks=pytest.mark.long),
        (delay_grid(), "lifetime(2)", "15 %", 1.5),
        pytest.param(delay_grid(), "t0", "3 ps", 1.5, marks=pytest.mark.long),
        (fluence_grid(), "saturation", "10 %", 1.5),
    ],
)
def test_the_wanted_error_is_reached_sooner_than_on_the_even_grid(grid, quantity, wanted, gain):
    found = allocate([grid], [Target(quantity, wanted)], COSTS)
    (target,) = found.targets
    assert target.stddev == pytest.approx(target.wanted, rel=0.01)
    assert found.even_seconds / found.seconds > gain
    assert found.cycles[0].min() >= 1


def test_with_another_model_it_takes_at_most_a_fifth_longer():
    grid, others = energy_grid(), [[energy_grid(shift=shift)] for shift in (-0.003, 0.003)]
    bold = allocate([grid], [Target("amplitude(slot=0)", "1 %")], COSTS)
    safe = allocate([grid], [Target("amplitude(slot=0)", "1 %")], COSTS, others)
    assert np.isnan(bold.worst)
    assert safe.worst <= 1.2
    assert bold.seconds <= safe.seconds <= 1.005 * bold.even_seconds  # times are searched to half a per cent


def test_a_target_with_more_weight_comes_out_better():
    """Of two targets only the weighted mean of the squared errors counts: weights of 9 and 1, and the reverse."""
    names = ("C(slot=0)", "transient(slot=0, energy=13.485)")

    def errors(*weights):
        wanted = (f"{error}, weight {weight}" for error, weight in zip(("2 %", "1e-3"), weights, strict=True))
        found = allocate([energy_grid()], list(map(Target, names, wanted)), COSTS, patterns=[PATTERN])
        relative = np.array([one.stddev / one.wanted for one in found.targets]) ** 2
        assert np.average(relative, weights=weights) == pytest.approx(1, abs=0.01)
        return relative

    first, second = errors(9, 1), errors(1, 9)
    assert first[0] < second[0] and first[0] / first[1] < 0.5 * second[0] / second[1]


def test_slots_that_are_references_on_the_even_grid_stay_so_with_another_model():
    """A transient of the other sign: the level of the last slot stays known, and the error takes no step."""
    late, other = energy_grid(10_100.0), energy_grid(10_100.0, size=-0.05)
    found = allocate([late], [Target("area(slot=1)", "20 %")], COSTS, patterns=[PATTERN])
    even = np.full(ENERGY.size, found.targets[0].even)
    wrong = OtherModel.of(Problem.of([other], PATTERN, [Target("area(slot=1)", "20 %")]), even)
    assert wrong.worst(found.cycles[0], np.ones(ENERGY.size)) < 1.3


def test_a_large_measurement_is_allocated_with_few_predictions(monkeypatch):
    """Fifty delays of two hundred energies each, of which two are asked for: no other is predicted."""
    energy = np.concatenate([np.linspace(13.450, 13.4595, 20), np.linspace(13.464, 13.57, 180)])
    grids = [energy_grid(delay=delay, energy=energy) for delay in np.arange(100.0, 5100.0, 100.0)]
    seen = []
    monkeypatch.setattr(predicted_module, "expected_comparison", lambda *given: seen.append(given) or compare(*given))
    targets = [Target(f"transient(slot=0, energy=13.472, delay={delay} ps)", 1e-3) for delay in (100, 3000)]
    found = allocate(grids, targets, COSTS, patterns=[PATTERN])
    assert len(found.cycles) == 50 and max(one.stddev / one.wanted for one in found.targets) <= 1.01
    assert len({id(grid) for grid, *_ in seen}) == 2 and len(seen) < 60


def test_a_function_of_the_result_is_a_quantity():
    def mean_of_slot_0(energy, transient):
        return float(transient[0][(energy > 13.4705) & (energy < 13.4725)].mean())

    known = {**KNOWN, "mean": of_function("mean", mean_of_slot_0)}
    mine = allocate([energy_grid()], [Target("mean", "2 %")], COSTS, known=known)
    assert mine.targets[0].stddev == pytest.approx(mine.targets[0].wanted, rel=0.01)
    assert mine.targets[0].value == pytest.approx(-0.03, abs=0.02)


def test_two_grids_share_the_time_of_a_ratio():
    """The weaker transient needs more of it."""
    late, early = energy_grid(10_100.0), energy_grid(100.0)
    found = allocate([late, early], [Target("amplitude_ratio(10.1 ns, 100 ps)", "5 %")], COSTS)
    assert found.cycles[0].sum() > 1.5 * found.cycles[1].sum()
    assert found.targets[0].value == pytest.approx(0.19 * np.exp(-10.1 / 155) / 0.64, rel=0.05)


@pytest.mark.parametrize(
    ("text", "wanted", "words"),
    [
        ("C(slot=9)", 0.1, "whole number from 0 to 4"),
        ("__import__('os')", 0.1, "neither a number nor a word"),
        ("curvature(slot=0)", 0.1, "known are C, amplitude"),
        ("C(slit=0)", 0.1, "unknown slit"),
        ("transient(slot=0, energy=12 keV)", 0.1, "13.45 to 13.57"),
        ("lifetime(2)", "15 %", "delay scan"),
        ("C(slot=0)", "-3 %", "above 0"),
        ("C(slot=0)", "3 parsec", "unit"),
        ("C(slot=0)", "3 %, weight 0", "a weight must be"),
        ("C(slot=0)", True, "interval"),
        ("theory_amplitude(slot=0)", "3 %", "no theory is expected"),
        ("C(slot=0)", 1e-9, r"C\(slot=0\): an error of 1e-09 is out of reach: .* remains after a year"),
        ("transient(slot=4, energy=13.4505)", "1 sigma", "out of reach"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(text, wanted, words):
    with pytest.raises(TargetError, match=words):
        allocate([energy_grid()], [Target(text, wanted)], COSTS)


def test_an_error_below_the_floor_is_refused_with_the_floor():
    """Of the level of a trace, an unknown background of 1e-3 in 0.2 photons leaves 0.5 % of its 3 %."""
    grid = replace(delay_grid(), background_stddev=np.full((2, 5), 1e-3))
    known = {"level": of_function("level", lambda delay, transient: float(transient[0][12:].mean()), "laser_delay")}
    with pytest.raises(TargetError, match=r"level: an error of .* out of reach: .* remains however long"):
        allocate([grid], [Target("level", 1e-6)], COSTS, known=known)


def test_a_quantity_with_two_errors_is_refused():
    with pytest.raises(TargetError, match="given twice"):
        allocate([energy_grid()], [Target("C(slot=0)", 0.1), Target("C( slot=0 )", 0.2)], COSTS)


def test_a_point_that_saturates_is_named():
    with pytest.raises(ReductionError, match=r"C\(slot=0\): .* fill every gate"):
        allocate([energy_grid(mu=40.0)], [Target("C(slot=0)", "3 %")], COSTS)


def test_a_slot_that_is_its_own_reference_is_refused_by_the_quantity():
    with pytest.raises(ReductionError, match=r"area\(slot=4\): .* only reference has no transient"):
        allocate([energy_grid(reference="slots")], [Target("area(slot=4)", 1e-3)], COSTS)


def test_a_grid_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(TargetError, match=r"lifetime\(2\): needs a delay scan; there is an energy scan \(edge=Br_K"):
        allocate([energy_grid()], [Target("lifetime(2)", "10 %")], COSTS)
    two = [energy_grid(delay) for delay in (100.0, 10_100.0)]
    with pytest.raises(TargetError, match=r"C\(slot=0\): needs edge= or delay= to name one; there is an energy scan"):
        allocate(two, [Target("C(slot=0)", "10 %")], COSTS)
    with pytest.raises(TargetError, match=r"needs an energy scan with that edge= and delay=; there is"):
        allocate(two, [Target("C(slot=0, delay=1 ns)", "10 %")], COSTS)


def test_texts_are_taken_apart():
    call = parse_quantity("amplitude_ratio(10.1 ns, 100 ps, edge=Br_K)")
    assert call.arguments == (10_100.0, 100.0)
    assert call.options == {"edge": "Br_K"}


def test_whole_cycles_add_up_to_what_is_wanted():
    wanted, done = np.array([0.3, 1.0, 7.6, 20.2]), np.zeros(4, int)
    for left in (4, 3, 2, 1):
        done = done + cycles_of_pass(wanted, done, left)
    assert done.tolist() == [1, 1, 8, 20]
