"""Health of a measurement: a verdict for one pass, with reasons, each a pure function of the pass's dwells.

The limits leave room for what a jet and a ring do anyway: a few per cent between dwells, tens of per cent between
passes. They find what somebody should look at, not what counting statistics resolve.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import erfc, sqrt
from typing import Literal

import numpy as np

Verdict = Literal["good", "look", "bad"]
Place = tuple[int, bool]
"""A point and whether the laser was on."""

BAD_LOOK, BAD_BAD = 0.1, 0.5
"""Fraction of rejected dwells."""
SATURATED_LOOK, SATURATED_BAD = 0.02, 0.2
"""Fraction of dwells with a phase in which each opened gate has a hit."""
RATE_LOOK, RATE_BAD = np.log(1.8), np.log(4.0)
"""Change of the rate since the pass before, logarithm; thicknesses of jets differ by 10 % rms."""
SCATTER_LOOK, SCATTER_BAD = 0.05, 0.2
"""Scatter of the rate between dwells of a point beyond counting; a good jet has 0.01."""
DRIFT_LOOK = np.log(1.5)
"""Change within a pass, compared with the pass before, logarithm."""
CHANCE = 1e-5
"""Largest p-value of a correlation, null test or wrong slot."""
SLOPE_LOOK = 0.3
"""Smallest dependence of the rate on I0, as a power, that matters."""
SEEN_BY_I0 = 0.01
"""Smallest relative variation of I0 between dwells of a point that tells more than its noise."""
FEWEST = 5
"""Points below which nothing is tested."""


@dataclass(frozen=True)
class PassWindow:
    """Dwells of one pass, in the order of time.

    Attributes
    ----------
    point : ndarray of int, shape (dwells,)
    laser_on : ndarray of bool, shape (dwells,)
    good : ndarray of bool, shape (dwells,)
        Not rejected.
    i0 : ndarray, shape (dwells,)
        I0 counts, dark subtracted.
    hits, gates : ndarray of int, shape (dwells, phases)
    slot : ndarray of int, shape (phases,)
        Pump slot of each phase; all 0 without the laser.
    after_pump : bool
        Whether slot 0 is probed after its pump.
    before : mapping
        Mean rate by place in the pass before; empty for the first pass.
    """

    point: np.ndarray
    laser_on: np.ndarray
    good: np.ndarray
    i0: np.ndarray
    hits: np.ndarray
    gates: np.ndarray
    slot: np.ndarray
    after_pump: bool = True
    before: Mapping[Place, float] = field(default_factory=dict)

    def usable(self) -> PassWindow:
        """Good dwells with flux and opened gates."""
        keep = self.good & (self.i0 > 0) & (self.gates > 0).all(axis=1)
        rows = (self.point[keep], self.laser_on[keep], self.good[keep], self.i0[keep], self.hits[keep])
        return PassWindow(*rows, self.gates[keep], self.slot, self.after_pump, self.before)

    def photons(self) -> tuple[np.ndarray, np.ndarray]:
        """Photons per pulse and their variances, shape (dwells, phases); saturated phases count one hit less."""
        hits = np.minimum(self.hits, self.gates - 1)
        return -np.log1p(-hits / self.gates), np.maximum(hits, 1) / (self.gates * (self.gates - hits))

    def rates(self) -> tuple[np.ndarray, np.ndarray]:
        """Photons of all phases per I0 count, shape (dwells,), and its relative variance by counting."""
        mu, variance = self.photons()
        total = mu.sum(axis=1)
        return total / self.i0, variance.sum(axis=1) / np.maximum(total, 1e-12) ** 2

    def places(self) -> dict[Place, np.ndarray]:
        """Rows of each place."""
        found: dict[Place, list[int]] = {}
        for row, place in enumerate(zip(self.point.tolist(), self.laser_on.astype(bool).tolist(), strict=True)):
            found.setdefault(place, []).append(row)
        return {place: np.array(rows) for place, rows in found.items()}


@dataclass(frozen=True)
class HealthReason:
    """Why a pass is not good."""

    verdict: Verdict
    text: str


@dataclass(frozen=True)
class Health:
    """The verdict of a pass."""

    verdict: Verdict
    reasons: tuple[HealthReason, ...] = ()

    def __str__(self) -> str:
        return ": ".join(filter(None, (self.verdict, "; ".join(reason.text for reason in self.reasons))))


def health(window: PassWindow, others: Iterable[HealthReason] = ()) -> Health:
    """The verdict of one pass: the worst of its reasons, of which others are given."""
    whole = [*others, *(check(window) for check in WHOLE)]
    usable = window.usable()
    if len(set(usable.point.tolist())) >= FEWEST:
        whole += [check(usable) for check in MEASURED]
    reasons = tuple(reason for reason in whole if reason is not None)
    verdicts = {reason.verdict for reason in reasons}
    return Health("bad" if "bad" in verdicts else "look" if verdicts else "good", reasons)


def mean_rates(window: PassWindow) -> dict[Place, float]:
    """Mean rate by place, to compare the next pass with."""
    usable = window.usable()
    rate, _ = usable.rates()
    return {place: float(rate[rows].mean()) for place, rows in usable.places().items()}


def rejected(window: PassWindow) -> HealthReason | None:
    """Rejected dwells."""
    if not window.good.size:
        return None
    share = 1.0 - float(window.good.mean())
    return _graded(share, BAD_LOOK, BAD_BAD, f"{100 * share:.0f} % of the dwells were rejected")


def saturated(window: PassWindow) -> HealthReason | None:
    """Dwells in which some phase has a hit in each opened gate."""
    if not window.good.size:
        return None
    share = float(((window.gates > 0) & (window.hits >= window.gates)).any(axis=1).mean())
    return _graded(
        share, SATURATED_LOOK, SATURATED_BAD, f"the detector is saturated in {100 * share:.0f} % of the dwells"
    )


def rate_change(window: PassWindow) -> HealthReason | None:
    """The rate against that of the pass before."""
    change = _against_before(window)
    if change is None:
        return None
    middle = float(np.median(change))
    return _graded(abs(middle), RATE_LOOK, RATE_BAD, f"the rate is {np.exp(middle):.2f} of that of the pass before")


def drift(window: PassWindow) -> HealthReason | None:
    """A change within the pass, against the pass before: a line through the logarithms."""
    change = _against_before(window)
    if change is None or change.size < FEWEST:
        return None
    order = np.linspace(-0.5, 0.5, change.size)
    slope = float(np.dot(order, change) / np.dot(order, order))
    return _graded(
        abs(slope), DRIFT_LOOK, np.inf, f"the rate has changed by a factor {np.exp(slope):.2f} within the pass"
    )


def scatter(window: PassWindow) -> HealthReason | None:
    """Scatter of dwells of one point beyond counting."""
    _, deviation, variance, freedom = _within_places(window)
    if freedom < FEWEST:
        return None
    beyond = float(np.sqrt(max(0.0, np.sum(deviation**2) / freedom - np.mean(variance))))
    text = f"dwells of a point scatter by {100 * beyond:.0f} % beyond counting"
    return _graded(beyond, SCATTER_LOOK, SCATTER_BAD, text)


def correlation(window: PassWindow) -> HealthReason | None:
    """Dependence of the rate on I0, by which it was divided: none where I0 measures the flux on the sample.

    A line through the deviations of dwells from the mean of their place. Where I0 hardly varies, its own noise is all
    that there is to see, and nothing is tested.
    """
    places, deviation, _, freedom = _within_places(window)
    flux = _centred(places, np.log(window.i0))
    power = float(np.dot(flux, flux))
    if freedom <= FEWEST or power < freedom * SEEN_BY_I0**2:
        return None
    slope = float(np.dot(flux, deviation)) / power
    left = float(np.sum((deviation - slope * flux) ** 2)) / (freedom - 1)
    if abs(slope) < SLOPE_LOOK:
        return None
    from reduction.statistics.quantiles import student_p_value  # imported here: it takes 0.25 s, and is rarely needed

    chance = student_p_value(slope * np.sqrt(power / left), freedom - 1) if left > 0 else 0.0
    if chance > CHANCE:
        return None
    return HealthReason("look", f"the rate goes with I0 to the power {slope:+.1f}: does I0 see what the sample sees?")


def null_test(window: PassWindow) -> HealthReason | None:
    """The first against the last laser-off dwell of a point: slots may not change against each other."""
    found = _contrasts(window, [(rows[0], rows[-1]) for (_, on), rows in window.places().items() if not on])
    if found is None:
        return None
    score = np.abs(found[0]) / np.sqrt(found[1])
    worst = int(np.argmax(score))
    if erfc(score[worst] / sqrt(2)) * score.size > CHANCE:  # both tails of a normal deviate
        return None
    return HealthReason("look", f"slot {worst} differs between dwells without the laser by {score[worst]:.1f} sigma")


def wrong_slot(window: PassWindow) -> HealthReason | None:
    """The signal of the laser must be largest in slot 0, the first after the pump."""
    places = window.places()
    pairs = [
        (rows[0], places[point, False][0]) for (point, on), rows in places.items() if on and (point, False) in places
    ]
    if not window.after_pump or len(pairs) < FEWEST:
        return None
    each = [found for pair in pairs if (found := _contrasts(window, [pair])) is not None]
    if not each:
        return None
    power = np.sum([value**2 / variance for value, variance in each], axis=0)
    strongest = int(np.argmax(power))
    if strongest == 0 or power[strongest] < 2 * power[0]:
        return None
    from reduction.statistics.quantiles import chi_square_p_value  # imported here, as above

    if chi_square_p_value(power[strongest], len(each)) * power.size > CHANCE:
        return None
    return HealthReason("bad", f"the laser changes slot {strongest}, not slot 0: is the gate on the wrong bunch?")


Check = Callable[[PassWindow], HealthReason | None]
WHOLE: tuple[Check, ...] = (rejected, saturated)
MEASURED: tuple[Check, ...] = (rate_change, drift, scatter, correlation, null_test, wrong_slot)


def _graded(value: float, look: float, bad: float, text: str) -> HealthReason | None:
    if value <= look:
        return None
    return HealthReason("bad" if value > bad else "look", text)


def _against_before(window: PassWindow) -> np.ndarray | None:
    """Logarithm of the rate over that of the same place in the pass before, in the order of time."""
    rate, _ = window.rates()
    places = zip(window.point.tolist(), window.laser_on.astype(bool).tolist(), strict=True)
    before = np.array([window.before.get(place, np.nan) for place in places])
    known = np.isfinite(before) & (before > 0) & (rate > 0)
    return np.log(rate[known] / before[known]) if known.any() else None


def _within_places(window: PassWindow) -> tuple[list[np.ndarray], np.ndarray, np.ndarray, int]:
    """Rows by place, relative deviations from its mean, their variances by counting, degrees of freedom."""
    rate, variance = window.rates()
    places = list(window.places().values())
    deviation = _centred(places, np.log(np.maximum(rate, 1e-300)))
    return places, deviation, variance, sum(rows.size - 1 for rows in places)


def _centred(places: list[np.ndarray], values: np.ndarray) -> np.ndarray:
    found = np.array(values, dtype=np.float64)
    for rows in places:
        found[rows] -= found[rows].mean()
    return found


def _contrasts(window: PassWindow, pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray] | None:
    """Sum over pairs of dwells of the logarithm of their ratio by slot, less the mean of slots, and its variance.

    Flux and thickness of the sample, which all slots share, cancel.
    """
    slots = int(window.slot.max()) + 1
    pairs = [(one, other) for one, other in pairs if one != other]
    if slots < 2 or not pairs:
        return None
    mu, variance = window.photons()
    members = [window.slot == slot for slot in range(slots)]
    total = np.stack([mu[:, each].sum(axis=1) for each in members], axis=1)
    relative = np.stack([variance[:, each].sum(axis=1) for each in members], axis=1) / np.maximum(total, 1e-12) ** 2
    one, other = np.array(pairs).T
    ratio = np.log(np.maximum(total[one], 1e-12) / np.maximum(total[other], 1e-12))
    spread = relative[one] + relative[other]
    mean_of_others = spread.mean(axis=1, keepdims=True) / slots
    return (ratio - ratio.mean(axis=1, keepdims=True)).sum(axis=0), (spread * (1 - 2 / slots) + mean_of_others).sum(
        axis=0
    )
