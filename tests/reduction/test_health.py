"""Health of a pass: false alarms on clean passes of a forward model of its own, and detection of planted faults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from reduction.diagnostics.health import PassWindow, health, mean_rates

POINTS, SLOTS, PHASES, GATES = 12, 5, 60, 20_000
PATTERN = (False, True, True, False)
CLEAN = 1000
"""Clean passes; fewer than one in 500 may have a reason."""
PLANTED = 20


def jet(rng: np.random.Generator, dwells: int, rms: float) -> np.ndarray:
    """Thickness with a spectrum of about 1/f: steps of a few time constants."""
    total = np.zeros(dwells)
    for time_constant in (1.0, 4.0, 16.0, 64.0):
        keep = np.exp(-1.0 / time_constant)
        noise = rng.normal(size=dwells) * np.sqrt(1 - keep**2)
        value = rng.normal()
        for dwell in range(dwells):
            value = keep * value + noise[dwell]
            total[dwell] += value
    return np.asarray(1.0 + rms * total / 2.0)


def one_pass(
    rng: np.random.Generator,
    thickness: float = 1.0,
    plant: Callable[[dict[str, Any]], None] | None = None,
    **before: Any,
) -> PassWindow:
    """A pass: an edge, a transient of 5 % in slot 0 that decays by slots, unequal bunches, a decaying ring, a jet."""
    dwells = POINTS * len(PATTERN)
    state: dict[str, Any] = {
        "point": np.repeat(np.arange(POINTS), len(PATTERN)), "laser_on": np.tile(PATTERN, POINTS), "rng": rng,
        "good": np.ones(dwells, bool), "slot": np.arange(PHASES) % SLOTS, "seen_by_i0": np.ones(dwells),
        "jet": thickness * jet(rng, dwells, 0.01), "flux": np.exp(-np.arange(dwells) * 2e-5),
        "transient": 0.05 * np.exp(-np.arange(SLOTS)), "leak": np.zeros((dwells, SLOTS)), "gain": 1.0,
    }  # fmt: skip
    if plant is not None:
        plant(state)
    edge = 0.05 + 0.15 / (1 + np.exp(-(state["point"] - 5.0)))
    bunches = 1 + 0.05 * np.random.default_rng(7).normal(size=PHASES)
    pumped = 1 + state["laser_on"][:, None] * state["transient"][state["slot"]] + state["leak"][:, state["slot"]]
    mu = state["gain"] * (state["flux"] * state["jet"] * edge)[:, None] * bunches * pumped
    gates = np.full((dwells, PHASES), GATES)
    hits = rng.binomial(gates, -np.expm1(-mu))
    i0 = 1e6 * state["flux"] * state["seen_by_i0"] * (1 + 1e-3 * rng.normal(size=dwells))
    return PassWindow(state["point"], state["laser_on"], state["good"], i0, hits, gates, state["slot"], **before)


def pair(seed: int, plant: Callable[[dict[str, Any]], None] | None = None) -> PassWindow:
    """A pass after a clean one, of another thickness of the jet by 7 % rms."""
    rng = np.random.default_rng(seed)
    first = one_pass(rng, 1 + 0.07 * rng.normal())
    return one_pass(rng, 1 + 0.07 * rng.normal(), plant, before=mean_rates(first))


def test_clean_passes_are_good() -> None:
    found = [str(health(pair(seed))) for seed in range(CLEAN)]
    assert sum(each != "good" for each in found) <= CLEAN / 500, sorted({each for each in found if each != "good"})


def rejects(state: dict[str, Any]) -> None:
    state["good"][::3] = False


def collapses(state: dict[str, Any]) -> None:
    state["gain"] = 0.1


def thins_out(state: dict[str, Any]) -> None:
    state["jet"] *= np.linspace(1.4, 0.6, state["jet"].size)


def flickers(state: dict[str, Any]) -> None:
    state["jet"] *= 1 + 0.1 * state["rng"].normal(size=state["jet"].size)


def i0_sees_something_else(state: dict[str, Any]) -> None:
    state["seen_by_i0"] *= 1 + 0.03 * state["rng"].normal(size=state["flux"].size)


def leaks(state: dict[str, Any]) -> None:
    """The laser shutter is late: the last dwell of each pattern has some laser, although it is off."""
    state["leak"][3::4, 0] = 0.04


def is_on_the_next_bunch(state: dict[str, Any]) -> None:
    state["transient"] = np.roll(state["transient"], 2)


def floods(state: dict[str, Any]) -> None:
    state["gain"] = 200.0


@pytest.mark.parametrize(
    ("plant", "verdict", "says"),
    [
        (rejects, "look", "33 % of the dwells were rejected"), (collapses, "bad", "of that of the pass before"),
        (thins_out, "look", "within the pass"), (flickers, "look", "beyond counting"),
        (i0_sees_something_else, "look", "I0 to the power"), (leaks, "look", "slot 0 differs between dwells without"),
        (is_on_the_next_bunch, "bad", "changes slot 2, not slot 0"), (floods, "bad", "saturated"),
    ],
)  # fmt: skip
def test_planted_faults_are_found(plant: Callable[[dict[str, Any]], None], verdict: str, says: str) -> None:
    found = [health(pair(seed, plant)) for seed in range(PLANTED)]
    assert all(each.verdict == verdict and says in str(each) for each in found), [str(each) for each in found][:3]


def test_a_beam_that_flickers_is_divided_away() -> None:
    """I0 sees what the sample sees: a flux that varies by 20 % is no reason."""

    def flicker(state: dict[str, Any]) -> None:
        state["flux"] *= 1 + 0.2 * np.clip(state["rng"].normal(size=state["flux"].size), -2, 2)

    assert {health(pair(seed, flicker)).verdict for seed in range(PLANTED)} == {"good"}


def test_nothing_is_tested_where_there_is_too_little() -> None:
    whole = pair(1)
    keep = slice(0, 8)
    short = PassWindow(
        whole.point[keep], whole.laser_on[keep], whole.good[keep], whole.i0[keep], whole.hits[keep], whole.gates[keep],
        whole.slot,
    )  # fmt: skip
    assert health(short).verdict == "good"
    empty = PassWindow(
        *(each[:0] for each in (whole.point, whole.laser_on, whole.good, whole.i0, whole.hits, whole.gates)), whole.slot
    )
    assert str(health(empty)) == "good"


@pytest.mark.parametrize(("rejected", "verdict"), [(1, "good"), (5, "look"), (6, "bad")])
def test_a_limit_itself_is_not_beyond_it(rejected: int, verdict: str) -> None:
    """Ten dwells: more than a tenth rejected is worth a look, more than a half is bad."""
    good = np.arange(10) >= rejected
    state = np.tile([False, True], 5)
    counts = np.full((10, 1), 100)
    window = PassWindow(np.arange(10), state, good, np.ones(10), counts, 10 * counts, np.zeros(1, int))
    assert health(window).verdict == verdict
