"""The plan of findings: shows or sets, confirms, goes back if that is worse; settings survive an end at any message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from bluesky import RunEngine

from plans.commissioning.energy import find_energy
from plans.commissioning.gate import find_gate
from plans.commissioning.roles import Bench as FindingBench
from plans.commissioning.steady import find_flux
from plans.commissioning.threshold import find_threshold
from plans.commissioning.time_zero import find_time_zero
from plans.protocols import MissingRoleError
from tests.plans.conftest import Documents
from tests.plans.fakes import Bench, FakeCounter, FakeSignal, bench
from tests.plans.interrupt import interrupted_run

CURVE = SimpleNamespace(
    x=np.arange(3.0), y=np.arange(3.0), stddev=np.ones(3), fit_x=np.empty(0), fit=np.empty(0), x_label="x", y_label="y"
)


@dataclass
class Found:
    """A finding as a judge of the tests makes it."""

    value: float = 42.0
    verdict: str = "good"
    settings: Mapping[str, float] = field(default_factory=lambda: {"threshold": 42.0})
    name: str = "threshold"
    stddev: float = 0.5
    unit: str = "mV"
    reason: str = "It is flat."
    numbers: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    curve: Any = field(default_factory=lambda: CURVE)


class Judge:
    """Gives its findings one after the other, the last one again and again; remembers the readings."""

    def __init__(self, *found: Found) -> None:
        self.found, self.rows = list(found), list[Sequence[Mapping[str, Any]]]()

    def __call__(self, rows: Sequence[Mapping[str, Any]], conditions: Mapping[str, float]) -> Found:
        self.rows.append(rows)
        return self.found.pop(0) if len(self.found) > 1 else self.found[0]


class FakeGated(FakeCounter):
    """A counter behind a gate."""

    tick_ns = 4.0


def cold() -> tuple[Bench, FindingBench, FakeSignal]:
    """Soft instruments with a gate and a threshold, which are wrong."""
    soft = bench()
    counter = FakeGated("fpga", soft.notes, soft.shutter)
    for name, value in (("gate_delay", 77), ("gate_width", 6), ("gate_clock", 0)):
        setattr(counter, name, FakeSignal(f"fpga_{name}", soft.notes, value, 0, 1000))
    soft.counters = (counter, soft.counters[1])
    threshold = FakeSignal("apd_threshold", soft.notes, 7.0, 0.0, 1000.0)
    return soft, FindingBench(soft.instruments(), threshold=threshold), threshold  # type: ignore[arg-type]


def settings(soft: Bench, threshold: FakeSignal) -> tuple[Any, ...]:
    return (threshold.value, *(getattr(soft.counters[0], name).value for name in ("gate_delay", "gate_width")))


def outcome(documents: Documents) -> dict[str, Any]:
    (event,) = (doc for doc in documents.all("event") if "finding_name" in doc["data"])
    return dict(event["data"])


def test_a_finding_is_shown_and_everything_is_as_before(engine: RunEngine, documents: Documents) -> None:
    soft, used, threshold = cold()
    judge = Judge(Found())
    result = engine(find_threshold(used, judge, thresholds=[5.0, 10.0, 20.0])).plan_result
    assert result.value == 42.0
    assert settings(soft, threshold) == (7.0, 77, 6)
    assert sorted(row["apd_threshold"] for row in judge.rows[0]) == [5.0, 10.0, 20.0]
    assert max(soft.sets("fpga_gate_width")) * 4.0 > 1e9 / (5 * 1.303459e6)  # as wide as the bunches are apart
    found = outcome(documents)
    assert (found["finding_outcome"], found["finding_before"]) == ("shown", '{"threshold": 7.0}')
    assert np.isnan(found["finding_curve_fit"]).tolist() == [True]  # a catalogue has no empty array
    assert documents.all("start")[0]["hints"] == {"dimensions": [[["apd_threshold"], "primary"]]}


@pytest.mark.parametrize(
    ("found", "words", "kept"),
    [
        ((Found(), Found(42.1)), "set", 42.0),
        ((Found(), Found(verdict="bad")), "went back to the settings before: measured again it is bad", 7.0),
        ((Found(), Found(50.0)), "went back to the settings before: measured again it is 50 mV, and was 42", 7.0),
        ((Found(verdict="look"),), "not set: its verdict is look", 7.0),
        ((Found(settings={"threshold": 2000.0}),), "not set: apd_threshold cannot go to 2000.0", 7.0),
    ],
)
def test_what_is_set_is_confirmed(
    engine: RunEngine, documents: Documents, found: tuple[Found, ...], words: str, kept: float
) -> None:
    soft, used, threshold = cold()
    engine(find_threshold(used, Judge(*found), apply=True, thresholds=[5.0, 10.0]))
    assert outcome(documents)["finding_outcome"].startswith(words)
    assert settings(soft, threshold) == (kept, 77, 6)


def test_the_gate_is_set_in_whole_ticks(engine: RunEngine) -> None:
    """From three passes over the 153 ns between two bunches in ticks of 4 ns, and the width of the gate."""
    soft, used, threshold = cold()
    judge = Judge(Found(name="gate", settings={"gate_delay": 9.0, "gate_width": 5.0}))
    engine(find_gate(used, judge, apply=True))
    assert settings(soft, threshold) == (7.0, 9, 5)
    assert len(judge.rows[0]) == 3 * (39 + 4)


@pytest.mark.parametrize("number", [8, pytest.param(200, marks=pytest.mark.long)])
@pytest.mark.parametrize("apply", [False, True])
def test_ended_at_a_message_drawn_by_lot(apply: bool, number: int) -> None:
    """Settings are those before, or those that were confirmed; the laser shutter is shut, no counter staged."""

    def run(at: int | None) -> tuple[int, tuple[Any, ...]]:
        soft, used, threshold = cold()
        engine = RunEngine({}, call_returns_result=True, context_managers=[])
        plan = find_threshold(used, Judge(Found()), apply=apply, thresholds=[5.0, 10.0])
        count, _ = interrupted_run(engine, plan, lambda index, msg: index == at)
        assert soft.shutter.value == 0 and not any(counter.staged for counter in soft.counters)
        return count, settings(soft, threshold)

    whole, _ = run(None)
    for at in np.random.default_rng(number).choice(whole, min(number, whole), replace=False):
        _, left = run(int(at))
        assert left in ((7.0, 77, 6), (42.0, 77, 6)) if apply else left == (7.0, 77, 6), f"message {at}"


class Onsets:
    """Judges time zero: the onset is where it was told, closer after each look."""

    def __init__(self, middle: float, looks: int) -> None:
        self.middle, self.looks, self.rows = middle, looks, list[Sequence[Mapping[str, Any]]]()

    def light(self, rows: Sequence[Mapping[str, Any]], conditions: Mapping[str, float]) -> Any:
        return None

    def best_delays(
        self, rows: Sequence[Mapping[str, Any]], conditions: Mapping[str, float], number: int
    ) -> list[float]:
        return [-20.0, 0.0, 80.0]

    def onset(self, rows: Sequence[Mapping[str, Any]], conditions: Mapping[str, float]) -> Any:
        self.looks -= 1
        wide = 50.0 if self.looks <= 0 else 5000.0
        low, high = self.middle - wide, self.middle + wide
        return SimpleNamespace(
            low=low, high=high, middle=self.middle, sign=1, is_seen=True, is_certain=True, is_narrow=self.looks <= 0
        )

    def __call__(self, rows: Sequence[Mapping[str, Any]], conditions: Mapping[str, float]) -> Found:
        if not any(row["of_rise"] for row in rows):
            return Found(name="time_zero", stddev=np.inf)
        self.rows.append(rows)
        return Found(name="time_zero", value=169_880.0, stddev=1.0, settings={"time_zero": 169.88e-9})


def test_time_zero_looks_closer_and_then_at_the_rise(engine: RunEngine, documents: Documents) -> None:
    """An onset out of reach is looked at whole laser periods earlier; axes and laser are then as before."""
    soft, used, _ = cold()
    t0 = FakeSignal("t0", soft.notes, 169.78e-9)
    used = replace(used, time_zero=t0)  # type: ignore[arg-type]
    period = 1e12 / 1.303459e6
    judge = Onsets(middle=300_000.0, looks=3)
    engine(find_time_zero(used, judge, apply=True, most_passes=3, dwell=1.0))
    assert t0.value == 169.88e-9 and outcome(documents)["finding_outcome"] == "set"
    first, second, both = judge.rows[0], judge.rows[-2], judge.rows[-1]
    assert sum(row["of_rise"] for row in both) == sum(row["of_rise"] for row in [*first, *second])
    rise = [row["laser_delay"] for row in first if row["of_rise"]]
    assert min(rise) == pytest.approx(300_000.0 - 160.0 - period) and soft.delay.value == 0.0 == soft.shutter.value
    again = [row["laser_delay"] for row in second if row["of_rise"]]
    assert again[0] - rise[0] == pytest.approx(100.0 + 160.0 - 20.0)  # t0 has moved, the sample has not
    assert {row["mono_energy"] for row in first} == {13.472} and soft.energy.value == 13.45


def test_the_foil_is_scanned_in_both_directions(engine: RunEngine) -> None:
    soft, used, _ = cold()
    offset = FakeSignal("calibration_offset", soft.notes, 0.0)
    numbers = {"position_keV": (13.4725, 1e-5)}
    judge = Judge(
        *(
            Found(name="energy", value=1.2, unit="eV", stddev=error, settings={"calibration": 0.0012}, numbers=numbers)
            for error in (0.06, 0.03, 0.01, 0.01)
        )
    )
    with pytest.raises(ValueError, match="find_energy needs a foil"):
        engine(find_energy(used, judge))
    used = replace(used, calibration=offset, foil=soft.ring)  # type: ignore[arg-type]
    engine(find_energy(used, judge, apply=True))
    energies = [row["mono_energy"] for row in judge.rows[0]]
    half = len(energies) // 4
    assert energies[:half] == sorted(energies[:half]) and energies[half : 2 * half] == energies[:half][::-1]
    close = [row["mono_energy"] for row in judge.rows[1]]
    assert (min(close), max(close)) == pytest.approx((13.47, 13.475))
    wide, first, both, judged, *_ = (len(rows) for rows in judge.rows)
    assert wide == 164 and both == judged == 2 * 84  # until the error is below the target
    assert first == both  # the list that the judge got has grown since
    assert offset.value == 0.0012 and soft.energy.value == 13.45


def test_an_instrument_that_fails_leaves_the_settings(engine: RunEngine) -> None:
    soft, used, threshold = cold()
    soft.notes.fails_at = 40
    with pytest.raises(Exception, match="fails"):
        engine(find_threshold(used, Judge(Found()), apply=True, thresholds=[5.0, 10.0, 20.0, 30.0]))
    assert settings(soft, threshold) == (7.0, 77, 6)


def test_what_is_missing_is_named(engine: RunEngine) -> None:
    soft = bench()
    with pytest.raises(MissingRoleError, match="threshold cannot be set"):
        engine(find_threshold(FindingBench(soft.instruments()), Judge(Found())))
    with pytest.raises(ValueError, match="fpga has no gate"):
        engine(find_gate(FindingBench(soft.instruments()), Judge(Found())))
    _, used, _ = cold()
    with pytest.raises(ValueError, match=r"^dwell must be a number above 0 s"):
        engine(find_threshold(used, Judge(Found()), dwell=0.0))
    with pytest.raises(ValueError, match=r"^apply must be True or False"):
        engine(find_gate(used, Judge(Found()), apply="yes"))  # type: ignore[arg-type]


def test_flux_is_compared_behind_filters_where_there_are_some(engine: RunEngine, documents: Documents) -> None:
    soft, used, _ = cold()
    filters = FakeSignal("attenuator", soft.notes, 0.25, 0.0, 6.0)
    judge = Judge(Found(name="flux", value=0.2, unit="photons", settings={}))
    for attenuator, levels in ((None, [0.0]), (filters, [0.0, 0.5, 1.0, 1.5])):
        engine(find_flux(replace(used, attenuator=attenuator), judge, counts=16))  # type: ignore[arg-type]
        assert sorted({row["added_absorbance"] for row in judge.rows[-1]}) == levels
    assert filters.value == 0.25 and max(soft.sets("attenuator")) == 1.75
    assert documents.all("start")[-1]["plan_name"] == "find_flux"


@pytest.mark.parametrize(("verdict", "words", "kept"), [("look", "set", 1.2), ("bad", "went back to", 0.25)])
def test_a_doubt_about_i0_does_not_bring_back_a_flux_that_is_too_high(
    engine: RunEngine, documents: Documents, verdict: str, words: str, kept: float
) -> None:
    """Of the first measurement only what is to be set is judged."""
    soft, used, _ = cold()
    filters = FakeSignal("attenuator", soft.notes, 0.25, 0.0, 6.0)
    bright = Found(name="flux", value=3.0, unit="photons", settings={"attenuator": 1.2})
    judge = Judge(bright, Found(name="flux", value=0.3, unit="photons", settings={}, verdict=verdict))
    engine(find_flux(replace(used, attenuator=filters), judge, apply=True, counts=16))  # type: ignore[arg-type]
    assert outcome(documents)["finding_outcome"].startswith(words)
    assert filters.value == kept
