"""A jet that drifts within a pass: taken out where something is visited twice, with its uncertainty; else a note.

Pulls of 12 to 15 measurements are known to a fifth only: they show errors that are several times too small. The long
test has narrow limits; ``python -m tests.reduction.drifting_scans`` prints the whole table.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from reduction.counting.accumulate import CountingAccumulator
from reduction.drift.correct import _is_repeated, correct_drift
from reduction.drift.model import Visits
from reduction.drift.within_points import steady_drift
from reduction.references.compared import Compared
from reduction.settings import Settings
from reduction.spectra.drift_notes import of_drift
from reduction.spectra.spectrum import reduce_spectrum
from tests.reduction.drifting_scans import (
    ALTERNATING,
    DWELL,
    ENERGY,
    GAP,
    PATTERN,
    SETTINGS,
    STATIC,
    WITH_MONITORS,
    Case,
    dwells_of,
    measured,
    pulls,
    spectrum_of,
)
from tests.reduction.raw_documents import GRID, Bench, Reduced

ALL = np.ones(ENERGY.size, np.bool_)


def width(found: Any) -> float:
    return float(np.sqrt((found**2).mean()))


@pytest.mark.parametrize(
    "case",
    [Case("linear", 0.1, 0.01), Case("linear", 0.1, 0.003, passes=3, order="alternating", visits=0)],
    ids=["monitors", "alternating"],
)
def test_pulls_of_a_strong_drift(case: Case) -> None:
    """Uncorrected they are ten times as wide as they should be."""
    static, transient = pulls(case, 12)
    assert 0.5 < width(static) < 1.7
    assert 0.5 < width(transient) < 1.7
    assert width(pulls(case, 3, drift="off")[0]) > 5


@pytest.mark.long
@pytest.mark.parametrize("case", [*WITH_MONITORS, *ALTERNATING], ids=lambda case: case.name)
def test_pulls_of_every_drift(case: Case) -> None:
    """The four energies share an edge integral, so 120 measurements count as about 200 independent pulls."""
    for found in pulls(case, 120):
        assert abs(found.mean()) < 0.35
        assert 0.7 < width(found) < 1.25


def test_the_curve_is_that_of_the_thickness() -> None:
    """1 + 0.17 x within a pass, to some tenths of a percent; the sign is that of the draw."""
    rates = measured(Case("linear", 0.1), 3)
    assert rates.rows is not None
    found = correct_drift(rates.rows, ALL, rates.monitors, SETTINGS.i0_noise)
    assert found is not None and found.by_monitors and found.slope_separated
    times = dwells_of(Case(), np.random.default_rng(0)).time
    position = 2 * (found.time[0] - times[0]) / np.ptp(times) - 1
    shape = np.exp(found.curve[0] - found.curve[0].mean())
    slope, level = np.polyfit(position, shape, 1)
    assert abs(slope / level) == pytest.approx(np.sqrt(3) * 0.1, rel=0.05)
    assert np.abs(shape / (level + slope * position) - 1).max() < 6e-3
    assert 1e-4 < found.stddev.max() < 6e-3


def test_a_single_pass_without_monitors_keeps_its_numbers_and_has_a_note() -> None:
    rates = measured(Case("linear", 0.1, visits=0), 1)
    assert rates.rows is not None
    with_note = reduce_spectrum(ENERGY, rates, SETTINGS)
    without_times = reduce_spectrum(ENERGY, replace(rates, rows=replace(rates.rows, time=None)), SETTINGS)
    off = reduce_spectrum(ENERGY, rates, replace(SETTINGS, drift="off"))
    for other in (without_times, off):
        assert "Drift" not in str(other.notes)
        for name in ("static", "static_stddev", "transient", "transient_covariance"):
            np.testing.assert_array_equal(getattr(with_note, name), getattr(other, name))
    assert "Drift of the sample within the pass is not in the errors. From the dwells within points" in with_note.notes
    assert "monitor_energies" in str(with_note.notes)
    assert np.isnan(with_note.drift).all()
    limit = float(str(with_note.notes).split("static spectrum by up to ")[1].split(" ")[0])
    assert np.abs(with_note.static - STATIC).max() < limit < 4 * np.abs(with_note.static - STATIC).max()


def test_a_scan_without_the_laser_has_the_note_too() -> None:
    rates = measured(Case("linear", 0.1, visits=0), 1)
    assert rates.rows is not None
    rows = replace(rates.rows, state=np.where(rates.rows.state == 1, -1, rates.rows.state).astype(np.int8))
    slots, points = rows.slot_mu.shape[2], ENERGY.size
    rate = np.full((2, slots, points), np.nan)
    rate[0] = STATIC
    local = 1e-8 * np.ones((2, slots, 2, slots, points))
    (note,) = of_drift(ENERGY, rows, Compared(rate, local, np.zeros((2, slots, points, 0))), None, SETTINGS)
    assert note.startswith("Drift of the sample within the pass is not in the errors")
    assert "scales the transient" not in note


def test_the_steady_drift_within_points_by_hand() -> None:
    """Each point's dwells rise by a known part of the whole: 20 % over the pass, without noise."""
    rates = measured(Case(visits=0), 1)
    assert rates.rows is not None and rates.rows.time is not None
    time = rates.rows.time
    rows = replace(rates.rows, flux=np.ones_like(time))
    level = np.exp(0.2 * (time - time.min()) / np.ptp(time)) * np.where(rows.state == 1, 0.3, 0.2)
    found = steady_drift(replace(rows, slot_mu=np.repeat(level[..., None], rows.num_slots, axis=2)))
    assert found is not None
    assert found.change == pytest.approx(0.2, rel=1e-9)
    assert found.stddev == pytest.approx(0.0, abs=1e-9)
    once = replace(rows, state=np.where(np.arange(PATTERN.size) < 2, rows.state, -1).astype(np.int8))
    assert steady_drift(once) is None  # one dwell in each state
    assert steady_drift(replace(rows, time=None)) is None
    assert time[0, 1] - time[0, 0] == pytest.approx(DWELL + GAP)


def test_passes_in_one_direction_have_what_differs_in_their_errors_and_a_note_of_what_repeats() -> None:
    found = spectrum_of(Case("linear", 0.1, 0.01, passes=3, visits=0), 1)
    assert "All passes go in one direction: a drift that repeats in each of them is not in the errors" in found.notes
    case = Case("walk", 0.05, passes=3, visits=0)
    honest, before = spectrum_of(case, 2), spectrum_of(case, 2, drift="off")
    assert np.median(honest.static_stddev[3:] / before.static_stddev[3:]) > 3
    np.testing.assert_allclose(honest.static, before.static, atol=0.05)


@pytest.mark.parametrize(
    "change",
    [{"drift": "off"}, {"procedure": "paper"}],
)
def test_nothing_is_taken_out_where_it_is_not_wanted(change: dict[str, Any]) -> None:
    found = spectrum_of(Case("linear", 0.1), 1, **change)
    assert np.isnan(found.drift).all() and "rift" not in str(found.notes)
    assert np.abs(found.static - STATIC).max() > 0.1
    with pytest.raises(ValueError, match=r"^drift must be one of auto, off, not 'on'"):
        Settings((1.0, 2.0), (3.0, 4.0), drift="on")


def test_halves_of_a_pass_that_share_no_point_are_not_compared() -> None:
    """A pass that was interrupted and resumed: nothing relates the thickness of one half to that of the other."""
    rates = measured(Case("linear", 0.1, passes=2, visits=0), 1)
    assert rates.rows is not None
    first = (np.arange(ENERGY.size) < 10)[:, None]
    state = np.where(first == (rates.rows.pass_index == 0), rates.rows.state, -1).astype(np.int8)
    assert correct_drift(replace(rates.rows, state=state), ALL, None, 1e-3) is None


def test_a_pass_without_dwells_or_without_a_whole_point_changes_nothing() -> None:
    """Three alternating passes; of a fourth nothing counts, or one laser-off dwell only."""
    rates = measured(Case("linear", 0.1, passes=4, order="alternating", visits=0), 1)
    assert rates.rows is not None
    last = rates.rows.pass_index == 3
    for kept in (False, True):
        state = np.where(last, -1, rates.rows.state).astype(np.int8)
        state[10, -2] = 0 if kept else -1
        rows = replace(rates.rows, state=state)
        found = correct_drift(rows, ALL, None, 1e-3)
        assert found is not None and found.curve.shape == (3, ENERGY.size)
        level = found.rows.slot_mu[10, rows.state[10] == 0].mean(axis=1)
        np.testing.assert_allclose(level, level[0], rtol=0.15)
        assert "drifts by" in str(reduce_spectrum(ENERGY, replace(rates, rows=rows), SETTINGS).notes)
    nothing = np.where(last, rates.rows.state, -1).astype(np.int8)
    nothing[:, last] = np.where(np.arange(4) == 1, 0, -1)  # one laser-off dwell of each point
    assert steady_drift(replace(rates.rows, state=nothing)) is None


def monitored(bench: Bench, uid: str, thickness: Any, **start: Any) -> Any:
    """Documents of a pass, with a monitor dwell before each point and a thickness for each moment."""
    plain = bench.mu
    moment, monitors = 0, 0
    descriptor: dict[str, Any] = {}
    for name, doc in bench.a_pass(uid, time=1000.0, clock_rate=10.0, **start):
        if name == "descriptor":
            descriptor = {**doc, "uid": f"{uid}-m", "name": "monitor"}
            yield "descriptor", descriptor
        if name == "event":
            if doc["data"]["segment"] == 0:
                moment, monitors = moment + 1, monitors + 1
                bench.mu = plain * thickness(moment)
                data = bench.dwell(0, 0, 0, 0, 13.46) | {"point_index": 0}
                yield "event", {"descriptor": f"{uid}-m", "seq_num": monitors, "data": data, "time": 1000.0 + moment}
            moment += 1
            bench.mu = plain * thickness(moment)
            data = bench.dwell(*(doc["data"][key] for key in ("point_index", "segment", "laser_on")), 0, 0.0)
            yield name, {**doc, "data": data | {"mono_energy": doc["data"]["mono_energy"]}, "time": 1000.0 + moment}
        else:
            yield name, doc
    bench.mu = plain


def test_monitor_dwells_of_documents_reach_the_result_live_and_merged() -> None:
    """Thickness 1 + 0.004 per second of the clock, which runs ten times as fast as the beamline's."""
    bench = Bench(gates=200_000)
    live = Reduced()
    result: Any = live.take(monitored(bench, "one", lambda moment: 1 + 0.004 * moment))
    assert live.stops()[-1]["exit_status"] == "success"
    assert result.drift.shape == (1, len(GRID))
    growth = np.polyfit(result.drift_time[0], np.exp(result.drift[0] - result.drift[0, 0]), 1)
    assert growth[0] * 10 == pytest.approx(0.004 * growth[1], rel=0.15)
    again: Any = Reduced().take(monitored(Bench(gates=200_000), "one", lambda moment: 1 + 0.004 * moment))
    np.testing.assert_array_equal(again.static, result.static)
    spectra = [doc["data"] for name, doc in live.published if name == "event" and "drift" in doc["data"]]
    np.testing.assert_array_equal(spectra[-1]["drift"], result.drift)
    sums = live.reducer._set.counters.first  # type: ignore[union-attr]
    merged = CountingAccumulator(sums.pattern, sums.num_points, sums.i0_noise)
    merged.merge(sums)
    monitors, mine = merged.result().monitors, sums.result().monitors
    assert monitors is not None and mine is not None
    np.testing.assert_array_equal(monitors.slot_mu, mine.slot_mu)
    np.testing.assert_array_equal(monitors.time, mine.time)


def test_a_bad_monitor_dwell_is_left_out() -> None:
    bench = Bench(gates=200_000)

    def documents(quality: str) -> Any:
        for name, doc in monitored(bench, "one", lambda moment: 1 + 0.004 * moment):
            if name == "event" and doc["descriptor"] == "one-m" and doc["seq_num"] == 3:
                doc["data"] |= {"quality": quality, "i0": 5e5}  # half of the I0 that there was
            yield name, doc

    good, bad = Reduced().take(documents("good")), Reduced().take(documents("beam lost"))
    assert np.median(bad.static_stddev / good.static_stddev) < 0.5  # type: ignore[union-attr]


@pytest.mark.parametrize(("points", "repeated"), [(3, False), (4, True)])
def test_repeats_need_three_degrees_of_freedom(points: int, repeated: bool) -> None:
    """Two passes over a few points: twice as many visits, and a level of each point and of one pass."""
    effect = np.tile(np.arange(points), 2)
    values = np.ones(2 * points)
    visits = Visits(np.repeat([0, 1], points), effect, np.arange(2.0 * points), values, values, values)
    assert _is_repeated(visits) == repeated
