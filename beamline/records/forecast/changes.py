"""What could be different in a measurement, and the time to the targets with it: in a forecast, and during a shift."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from beamline.records.forecast.expected import ExpectedSample, grids_of
from reduction.allocation.allocate import PATTERNS, Allocation, seconds_with
from reduction.allocation.expected import ExpectedGrid
from reduction.allocation.names import TargetError
from reduction.allocation.problem import TimeCosts
from reduction.allocation.quantities import Builder
from reduction.allocation.wanted import KNOWN, Target
from reduction.errors import ReductionError
from reduction.settings import REFERENCES

TRANSMISSIONS = (0.1, 0.3, 3.0, 10.0)
DWELLS = (0.25, 0.5, 2.0, 4.0)
"""By which the length of dwells is multiplied."""
DELAYS = (0.5, 2.0)
"""By which the pump-probe delay of energy scans is multiplied."""
_LATE = re.compile(r"slot\s*=\s*[1-9]")
Variant = tuple[str, Sequence[ExpectedGrid], tuple[int, ...] | None]
"""What is different, the grids with it, and the laser states of a cycle unless these stay."""
Noise = Callable[[int, tuple[int, ...] | None, float], float]
"""Noise of a dwell of a grid, by its number, in a pattern (None: as it is) and with a length in s."""


def of_measurement(
    grids: Sequence[ExpectedGrid], transmission: float = 1.0, noise: Noise | None = None
) -> Iterator[Variant]:
    """What can be changed at a beamline: flux, detectors, jet, length of dwells, reference, share of laser on and off.

    Parameters
    ----------
    grids : sequence of ExpectedGrid
    transmission : float
        Of the attenuators now, which limits the flux.
    noise : callable, optional
        Noise of a dwell in another rhythm or of another length, from what was measured; by default it stays.
    """
    for factor in TRANSMISSIONS:
        if factor * transmission <= 1:
            yield f"{factor:g} times the flux", [replace(grid, photons=factor * grid.photons) for grid in grids], None
    yield "twice the detectors", [replace(grid, phases=2 * grid.phases) for grid in grids], None
    yield "half the jet noise", [replace(grid, noise=grid.noise / 2) for grid in grids], None
    if noise is None:
        yield "dwells half as long, of the same noise", [replace(grid, dwell=grid.dwell / 2) for grid in grids], None
    else:
        for factor in DWELLS:
            lasting = [replace(grid, dwell=factor * grid.dwell) for grid in grids]
            yield f"dwells of {lasting[0].dwell:.3g} s", _with_noise(lasting, noise, None), None
    for name in REFERENCES:
        if name != grids[0].settings.reference:
            changed = [replace(grid, settings=replace(grid.settings, reference=name)) for grid in grids]
            yield f"reference {name}", changed, None
    for pattern in PATTERNS:
        changed = list(grids) if noise is None else _with_noise(grids, noise, pattern)
        yield "laser " + "-".join("on" if one else "off" for one in pattern), changed, pattern


def _with_noise(grids: Sequence[ExpectedGrid], noise: Noise, pattern: tuple[int, ...] | None) -> list[ExpectedGrid]:
    return [replace(grid, noise=noise(number, pattern, grid.dwell)) for number, grid in enumerate(grids)]


def of_delays(at: Callable[[float], Sequence[ExpectedGrid]], delay: float) -> Iterator[Variant]:
    """Other pump-probe delays (ps) of the only energy scan; `at` gives its grids."""
    for factor in DELAYS:
        yield f"a delay of {factor * delay:g} ps", at(factor * delay), None


def of_beam(sample: ExpectedSample, quantities: Sequence[str]) -> Iterator[Variant]:
    """Other fill patterns, with as many photons a second and laser pulses, and other delays.

    With another distance between bunches a later slot is at another time: where a quantity names one, there is none.
    A pattern without a bunch between two laser pulses is left out: no slot would be without them.
    """
    forecast = sample.forecast
    rate = forecast.beam.bunch_rate / forecast.beam.divider
    for bunches in () if any(map(_LATE.search, quantities)) else forecast.fills:
        bunch_rate = forecast.revolution * bunches
        if (divider := round(bunch_rate / rate)) < 2:
            continue
        beam = forecast.beam.model_copy(update={"bunch_rate": bunch_rate, "divider": divider})
        yield f"{bunches} bunches", grids_of(sample.of(forecast.model_copy(update={"beam": beam}))), None
    if len(forecast.delays) == 1:
        yield from of_delays(
            lambda delay: grids_of(sample.of(forecast.model_copy(update={"delays": (delay,)}))), forecast.delays[0]
        )


def best_changes(
    variants: Iterable[Variant], targets: Sequence[Target], costs: TimeCosts, found: Allocation,
    known: Mapping[str, Builder] = KNOWN,
) -> Iterator[tuple[str, float]]:  # fmt: skip
    """Each with its time, the best first; what does not reach the targets is left out."""
    tried = [(name, seconds_or_none(grids, targets, costs, found, pattern, known)) for name, grids, pattern in variants]
    yield from sorted([(name, seconds) for name, seconds in tried if seconds is not None], key=lambda one: one[1])


def seconds_or_none(
    grids: Sequence[ExpectedGrid], targets: Sequence[Target], costs: TimeCosts, found: Allocation,
    pattern: tuple[int, ...] | None = None, known: Mapping[str, Builder] = KNOWN,
) -> float | None:  # fmt: skip
    """Time with the same shares; None where a target is out of reach, or nothing can be predicted."""
    try:
        return seconds_with(grids, targets, costs, found, pattern, known)
    except (TargetError, ReductionError, np.linalg.LinAlgError):
        return None
