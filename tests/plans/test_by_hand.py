"""Limits of arguments, and numbers of compiled scans: each by hand, or from numpy and scipy."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from bluesky.run_engine import RunEngine
from scipy.optimize import minimize_scalar

from plans.commissioning.laser import pumped
from plans.commissioning.roles import Bench as FindingBench
from plans.compilation.arguments import check_count, check_number, check_passes_and_dwell
from plans.compilation.compiled_scan import DwellSettings
from plans.compilation.edge_grid import DEFAULT_REGIONS, EV2_PER_K2, _relative_points, relative_grid
from plans.compilation.edges import check_windows, coarse
from plans.compilation.estimate import Duration, pass_durations
from plans.compilation.grid import MOST_POINTS, checked_grid, delay_grid
from plans.compilation.monitors import checked_monitors
from plans.compilation.options import checked_dwell_settings
from plans.compilation.positions import Move, Position, moves_to
from plans.compilation.quality import Check, assess
from plans.compilation.stopping_rule import least_error, refuse_impossible
from plans.execution.failures import InstrumentError, wait_by_name
from plans.execution.fill_pattern import check_fill_pattern, possible_reference
from plans.execution.point import SteadyPhase, counted
from plans.execution.point_rules import PointRules
from plans.execution.wait_for_counts import wait_for_counts
from plans.execution.watching import windows_of
from plans.protocols import MoveTimes, Supervision
from plans.scans.background import compiled_background_scan
from plans.scans.delay import compiled_delay_scan
from plans.scans.energy import compiled_energy_scan
from plans.scans.fluence import compiled_fluence_scan
from plans.scans.temperature import _image
from plans.watch import Tolerances
from tests.plans.fakes import Bench, bench

PAIR = [13.46, 13.47]


def fluence_scan_from(first: float) -> Any:
    return compiled_fluence_scan(fluences=[first, 13.0])


LIMITS: list[tuple[Callable[[Any], Any], Any, Any]] = [
    (lambda n: check_count("passes", n, 10), 1, 0),
    (lambda n: check_count("passes", n, 10), 10, 11),
    (lambda n: check_passes_and_dwell(n, 1.0), 10_000, 10_001),
    (lambda dwell: check_passes_and_dwell(1, dwell), 1e-9, 0),
    (lambda energy: check_number("energy", energy, "keV"), 499.9, 500.0),
    (lambda delay: check_number("delay", delay, "ps"), 1e-3, 0.99e-3),
    (lambda delay: check_number("delay", delay, "ps"), 0.0, -1e-12),
    (lambda n: checked_grid(np.arange(n, dtype=float), "delays", "ps"), MOST_POINTS, MOST_POINTS + 1),
    (lambda n: delay_grid(logarithmic=n), 1, 0),
    (lambda step: delay_grid(step=step), 1.0, 0.0),
    (lambda end: delay_grid(linear_to=end), 1.0, 0.0),
    (lambda end: delay_grid(last=end), 501.0, 500.0),
    (lambda share: checked_monitors([13.455], share), 0.5, 0.51),
    (lambda share: checked_monitors([13.455], share), 1e-3, 0),
    (lambda n: checked_monitors(PAIR[:1] * (n == 0) + [13.4 + 0.01 * i for i in range(n)], None), 2, 3),
    (lambda fluence: checked_dwell_settings(1.0, 1, {"fluence": fluence}), 0.0, -1e-9),
    (lambda fluence: checked_dwell_settings(1.0, 1, {"fluence": fluence}), 0.5, float("nan")),
    (lambda n: checked_dwell_settings(1.0, 1, {"attempts": n}), 1000, 1001),
    (lambda longest: checked_dwell_settings(1.0, 1, {"target": 1e-3, "longest": longest}), 4.0, 3.999),
    (lambda longest: checked_dwell_settings(1.0, 1, {"target": 1e-3, "longest": longest}), 40_000.0, 40_001.0),
    (lambda target: checked_dwell_settings(1.0, 1, {"target": target}), 1e-9, 0),
    (fluence_scan_from, 0.0, -0.1),
    (lambda n: compiled_background_scan(repeats=n), 1, 0),
    (lambda n: compiled_background_scan(dwell=0.01, repeats=n), 10_000, 10_001),
    (lambda passes: compiled_energy_scan(energies=PAIR, passes=passes, dwell=1e-3, target=1e-3, longest=40.0), 10, 0),
    (lambda start: check_windows(13.46, start), 13.46, 13.459),
    (lambda places: check_fill_pattern(4, 2, places), [0, 0.25, 0.5, 0.75 + 5e-7], [0, 0.25, 0.5, 0.75 + 2e-6]),
    (lambda places: check_fill_pattern(3, 3, places), [0, 0.1, 0.5], [0, 0.1]),
    (lambda at: checked_dwell_settings(1.0, 1, {"pattern": at}), [1, 0], [1, 2]),
]  # fmt: skip


@pytest.mark.parametrize(("check", "good", "bad"), LIMITS)
def test_the_last_good_value_is_taken_and_the_first_bad_one_refused(
    check: Callable[[Any], Any], good: Any, bad: Any
) -> None:
    check(good)
    with pytest.raises(ValueError, match=r"must|needs|ascends|points|cannot|shows|does not suit"):
        check(bad)


def test_defaults_are_those_of_the_documentation() -> None:
    """Of the docstrings of the plans and of their options; fluences from 0.5 to 12.4 mJ/cm2, the range of the paper."""
    (one,) = compiled_energy_scan().passes
    found = {key: one.start[key] for key in ("pattern", "dwell", "attempts", "passes", "order", "pump_delay")}
    assert found == {
        "pattern": [1, 0, 0, 1], "dwell": 1.5, "attempts": 3, "passes": 1, "order": "ascending", "pump_delay": 100.0
    }  # fmt: skip
    assert Supervision().shutter_tries == 3
    assert not {"series", "members"} & set(one.start)  # it is the only member
    assert checked_dwell_settings(1.0, 1, {"target": 1e-3}).longest == 60.0
    delays = compiled_delay_scan().passes[0].start
    assert (delays["dwell"], len(delays["grid"])) == (1.5, 33 + 20)  # 25 ps from -300 to 500 ps, and 20 to 130 ns
    scan = compiled_fluence_scan().passes[0].start
    assert (scan["dwell"], scan["pump_delay"], scan["passes"], len(scan["grid"])) == (1.5, 100.0, 1, 16)
    assert (scan["grid"][0], scan["grid"][-1]) == (0.5, 12.4)
    assert np.diff(scan["grid"]).min() >= 0.4 - 1e-9 and np.diff(scan["grid"]).max() <= 1.0
    background = compiled_background_scan().passes[0]
    assert (background.start["dwell"], background.start["num_events"], background.xray) == (10.0, 12, False)
    assert (background.start["passes"], background.start["scan_index"], background.start["num_points"]) == (1, 0, 1)


def test_seconds_and_patterns_of_a_point() -> None:
    settings = DwellSettings((1, 0, 0, 1, 1), 0.1, 3, longest=1.5)
    assert (settings.cycle, settings.cycles) == (pytest.approx(0.5), 3)  # 1.5 / 0.5 is a little less than 3 in floats
    assert settings.seconds_on == pytest.approx(3 * 0.3)
    assert DwellSettings((1, 0), 1.0, 3, longest=1.0).cycles == 1
    (one,) = compiled_energy_scan(energies=PAIR, target=1e-2, longest=12.0, dwell=1.0, monitor_energies=13.455).passes
    assert one.start["num_events"] == 2 * 3 * 4
    assert (len(one.points), one.monitor_dwells, one.dwells()) == (2, 3, 27)


def test_monitor_energies_are_evenly_spread_and_take_their_share() -> None:
    """Of 19 points with four dwells a share of 5 % is 4 dwells; half of the time of 3 points 12, at 4 places."""
    positions = [Position(index, 13.45 + 0.001 * index, 100.0) for index in range(19)]
    settings = DwellSettings((1, 0, 0, 1), 1.5, 3, 6.0)
    few, many = checked_monitors([13.485, 13.455], None), checked_monitors(13.455, 0.5)
    assert few is not None and many is not None
    order, dwells = few.woven(positions, settings)
    assert [at for at, each in enumerate(order) if each.monitor] == [0, 7, 15, 22]
    assert [each.energy for each in order if each.monitor] == [13.455, 13.485, 13.455, 13.485]
    assert [each.point_index for each in order if each.monitor] == [0, 1, 0, 1]
    assert [each for each in order if not each.monitor] == positions
    assert (dwells.pattern, dwells.dwell, dwells.attempts, dwells.longest) == ((0,), 1.5, 3, 1.5)
    order, dwells = many.woven(positions[:3], settings)
    assert [each.monitor for each in order] == [True, False] * 3 + [True]
    assert (dwells.pattern, dwells.longest) == ((0, 0, 0), 4.5)


def test_times_of_a_pass_by_hand() -> None:
    """Laser 0 to 1, 1 to 0, 0 to 1 at the first point, two moves at the second, and shut at the end."""
    times = replace(MoveTimes(), delay=0.3, fluence=0.5, xray_shutter=0.7)
    compiled = compiled_energy_scan(energies=PAIR, dwell=1.0, fluence=4.0)
    found = pass_durations(compiled, times, 2.0, Position(0, 13.55, 0.0, 2.0))[0]
    assert found.dwells == pytest.approx(8.0)
    assert found.shutters == pytest.approx(6 * 0.05)
    energy = (0.091 + 0.001 + 0.01) / 0.02 + 3 * 0.1
    assert found.axes == pytest.approx(energy + 0.3 + (2.0 / 8.0 + 0.5))
    assert found.messages == pytest.approx(2 * (0.15 + 8 * 0.02 + 5 * 0.005))
    assert found.total == pytest.approx(found.dwells + found.axes + found.shutters + found.messages)
    assert Duration(1, 2, 3, 4) + Duration(10, 20, 30, 40) == Duration(11, 22, 33, 44)
    dark = pass_durations(compiled_background_scan(dwell=1.0, repeats=1), times)[0]
    assert dark.shutters == pytest.approx(2 * 0.7 + 4 * 0.05)  # on, off, on, and shut at the end


def test_the_least_error_of_a_gate_is_the_minimum_over_all_rates() -> None:
    best = minimize_scalar(lambda mu: np.expm1(mu) / mu**2, bounds=(0.1, 5), method="bounded")
    assert least_error(3.0, 2e6) == pytest.approx(np.sqrt(best.fun / 6e6), rel=1e-3)
    refuse_impossible(least_error(3.0, 2e6), 3.0, 2e6)
    with pytest.raises(ValueError, match="is impossible"):
        refuse_impossible(0.999 * least_error(3.0, 2e6), 3.0, 2e6)


def test_a_counter_that_counts_outside_of_an_event_has_its_dwell_on_the_wall_clock_to_answer() -> None:
    """40 s of a clock that runs ten times as fast, and 15 s on top."""
    check, counter = SimpleNamespace(passes=lambda _: True), SimpleNamespace(name="fpga")
    assessment: Any = SimpleNamespace(checks_to_wait_for=lambda: (check,), is_read_from=lambda *_: True)
    instruments: Any = SimpleNamespace(counters=(counter,), laser_shutter=None, clock_rate=10.0)
    supervision: Any = SimpleNamespace(restore_xrays=None)
    plan = wait_for_counts(instruments, supervision, assessment, 40.0)
    messages = [next(plan)]
    with suppress(StopIteration):
        while True:
            messages.append(plan.send({} if messages[-1].command == "read" else None))
    (wait,) = (each for each in messages if each.command == "wait")
    assert wait.kwargs["timeout"] == 4.0 + 15.0


@pytest.mark.parametrize(("done", "named"), [((True, False), "^fpga did"), ((True, True), "^i0 and fpga did")])
def test_a_wait_that_takes_too_long_names_what_is_late(done: tuple[bool, bool], named: str) -> None:
    statuses: Any = {name: SimpleNamespace(done=each) for name, each in zip(("i0", "fpga"), done, strict=True)}
    plan = wait_by_name("group", statuses, 2.0)
    next(plan)
    with pytest.raises(InstrumentError, match=named):
        plan.throw(TimeoutError())


def test_an_energy_that_is_where_it_should_be_does_not_move() -> None:
    where = Position(0, energy=13.47, delay=100.0)
    assert moves_to(Position(1, energy=13.47, delay=200.0), where) == (Move("delay", 200.0),)
    assert moves_to(Position(1, delay=100.0), where) == ()


def test_without_bunch_timing_a_laser_period_is_one_turn() -> None:
    with pytest.raises(ValueError, match=r"takes a laser period of two turns or more \(1 here\)"):
        next(possible_reference(None, None, always_on=True))


def test_windows_of_axes_and_limits_of_checks_include_their_ends() -> None:
    found = windows_of(Position(0, 13.47, 100.0, 4.0), Tolerances())
    assert found["energy"] == pytest.approx((13.46994, 13.47006), abs=1e-9)
    assert found["delay"] == (94.0, 106.0)
    assert found["fluence"] == pytest.approx((3.8, 4.2))
    assert Tolerances().window("fluence", 0.1) == pytest.approx((0.09, 0.11))  # 5 % of 0.2
    check = Check("i0", 2.0, 3.0, "low", per="i0_time")
    assert [check.passes({"i0": value, "i0_time": 2.0}) for value in (3.9, 4.0, 6.0, 6.1)] == [False, True, True, False]
    assert not check.passes({"i0": 1.0, "i0_time": 0.0})
    on, off = (Check("x", 0, 1, "", laser_on_only=a, laser_off_only=not a) for a in (True, False))
    assert [each.applies_to(state) for each in (on, off) for state in (True, False)] == [True, False, False, True]


@pytest.mark.parametrize(
    ("hits", "gates", "quality"),
    [
        ([5, 5], [5, 5], "saturated: a hit in every gate"),
        ([5, 4], [5, 5], "good"),
        ([0, 0], [1, 0], "good"),
        ([0, 0], [0, 0], "no gate opened"),
    ],
)
def test_a_counter_is_unusable_where_every_gate_has_a_hit_or_none_opened(
    hits: list[int], gates: list[int], quality: str
) -> None:
    readings = {"fpga_counts": np.array(hits), "fpga_gates": np.array(gates)}
    assert assess(readings, (), True) == quality
    other = {"apd2_counts": np.array([1, 1]), "apd2_gates": np.array([5, 5])}
    assert assess({**readings, **other}, (), True, ("fpga", "apd2")) == "good"


def test_the_laser_in_the_next_dwell_and_whether_a_point_needs_more() -> None:
    settings = DwellSettings((1, 0), 1.0, 3, longest=4.0)
    assert [PointRules(settings).next_laser_state(segment) for segment in range(4)] == [0, 1, 0, None]
    ruled = PointRules(settings, stopping_rule=lambda point: {0: None, 1: 0.0, 2: 0.01, 3: -1.0}[point])
    assert [ruled.next_laser_state(segment) for segment in range(4)] == [0, None, 0, None]
    assert [ruled.needs_more(point) for point in range(4)] == [True, False, True, False]
    assert not PointRules(settings).needs_more(0)


def test_a_counter_has_counted_for_the_dwell_within_one_per_cent(soft: Bench) -> None:
    soft.counters[0].counted_key = "fpga_elapsed"
    (check,) = counted(soft.counters, 2.0)
    assert (check.key, check.low, check.high) == ("fpga_elapsed", pytest.approx(1.98), pytest.approx(2.02))
    phase = SteadyPhase()
    phase.note({"laser_phase": float("nan")})
    assert phase.checks() == ()
    phase.note({"laser_phase": 3})
    assert [(each.low, each.high) for each in phase.checks()] == [(3.0, 3.0)]


def test_a_grid_relative_to_an_edge() -> None:
    """Half a core-hole width, to 0.05 eV; wave numbers by E = hbar^2 k^2 / 2 m, 3.81 eV at 1 per angstrom."""
    fine = relative_grid([(-1.3, 1.3, None)], 7.0, 1.3)
    np.testing.assert_allclose(fine, 7.0 + 1e-3 * np.array([-1.3, -0.65, 0, 0.65, 1.3]), atol=1e-9)
    assert np.diff(relative_grid([(0.0, 5.0, None)], 7.0, 9.0)).max() == pytest.approx(1e-3)
    assert np.diff(relative_grid([(0.0, 5.0, None)], 7.0, 0.1)).max() == pytest.approx(0.25e-3)
    waves = relative_grid([(3.81 * 9, 3.81 * 16, "0.5k")], 7.0, 1.0)
    np.testing.assert_allclose(waves, 7.0 + 3.81e-3 * np.array([9, 12.25, 16]), atol=2e-6)
    default = 1e3 * (relative_grid(DEFAULT_REGIONS, 7.0, 1.0) - 7.0)
    assert default[:11] == pytest.approx([-50, -45, -40, -35, -30, -25, -20, -18, -16, -14, -12])
    assert default[11:13] == pytest.approx([-10, -9.5]) and default[-1] == pytest.approx(100.0)
    assert np.diff(default[11:92]) == pytest.approx(0.5) and default[91] == pytest.approx(30.0)
    assert np.diff(np.sqrt(default[91:-1] / 3.80998)) == pytest.approx(0.1, abs=1e-4)
    step = 1e-3 * np.arange(-20.0, 30.0, 2.0)
    assert coarse(7.0 + step, 7.0, 2.0, (6.99, 7.02)) == ""
    assert "steps of up to 2 eV" in coarse(7.0 + step, 7.0, 1.9, (6.99, 7.02))
    assert "no points at E0" in coarse(7.1 + step, 7.0, 2.0, (7.09, 7.12))
    assert "1 points in the integral window" in coarse(7.0 + step, 7.0, 2.0, (6.9999, 7.001))


@pytest.mark.parametrize("scale", [1.0, EV2_PER_K2])
def test_a_region_whose_last_step_ends_at_its_end_has_that_once(scale: float) -> None:
    """Energies from 1 to 9 eV in steps of 2 eV, or wave numbers from 1 to 3 in steps of a half, in 1/A."""
    step, expected = (2.0, [1.0, 3, 5, 7, 9]) if scale == 1 else ("0.5k", [1.0, 2.25, 4, 6.25, 9])
    assert _relative_points(scale, 9 * scale, step) == pytest.approx(scale * np.array(expected))


def test_slots_are_those_of_a_laser_that_pumps_at_most_every_second_bunch() -> None:
    engine = RunEngine({}, context_managers=[])
    engine(pumped(FindingBench(bench(divider=2).instruments()), "Br_K", None))
    with pytest.raises(ValueError, match="pumps every second bunch or fewer"):
        engine(pumped(FindingBench(bench(divider=1).instruments()), "Br_K", None))


def test_an_image_is_the_first_point_at_its_temperature() -> None:
    found = _image(13.0, 2.0, {"temperature": 350.0})
    assert found.positions == [Position(0, 13.0, temperature=350.0)]
