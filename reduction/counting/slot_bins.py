"""Sums pump slots in bins of time after the pump, where a slow laser has hundreds or thousands of them.

A bin is the plain mean over all phases of its slots: every gate has the same weight, the best one for equal bunches.
The slots right before the pump are a bin of their own where the laser is slow: there the sample is in its ground state.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from reduction.counting.phases import Pattern
from reduction.errors import ReductionError
from reduction.settings import Settings

Array = NDArray[np.float64]

MOST_SINGLE = 12
"""Pump slots up to which ``slot_bins="auto"`` keeps each by itself."""
MOST_SLOTS = 32
"""Slots of a result: the covariance between all slots and energies grows with their square."""
GROUND_FRACTION = 0.1
"""Part of the laser period that counts as before the pump by default; at least one turn, for it has every bunch."""
ROUNDING = 1e-6
"""Relative; a slot on an edge belongs to the later bin."""


def with_bins(pattern: Pattern, settings: Settings, delay: float | None) -> Pattern:
    """The pattern with its slots summed in bins, as the settings have it.

    Parameters
    ----------
    pattern : Pattern
    settings : Settings
    delay : float or None
        Pump-probe delay of slot 0, ps; None where it is scanned: slot 0 is then a bin of its own.

    Raises
    ------
    ReductionError
        If there would be no bin, or too many.
    """
    few = pattern.divider <= MOST_SINGLE
    choice = ("each" if few else "log") if settings.slot_bins == "auto" else settings.slot_bins
    ground = tuple(int(slot) for slot in np.flatnonzero(before_pump(pattern, settings, delay)))
    pattern = replace(pattern, before_pump=ground)
    if choice != "each":
        pattern = replace(pattern, bin_of_slot=_bins(pattern, settings, choice, delay))
    if pattern.num_slots > MOST_SLOTS:
        raise ReductionError(
            f"{pattern.num_slots} slots are too many to keep the covariance of all of them ({MOST_SLOTS} at most): sum"
            " them in bins of time (slot_bins 'log' or 'linear')"
        )
    return pattern


def in_one_bin(pattern: Pattern) -> Pattern:
    """The pattern of a scan without the laser: all phases together."""
    return replace(pattern, bin_of_slot=(0,) * pattern.divider)


def before_pump(pattern: Pattern, settings: Settings, delay: float | None) -> NDArray[np.bool_]:
    """Whether each pump slot is one right before the next pump, shape (divider,); none where the laser is not slow."""
    if not pattern.laser_is_slow:
        return np.zeros(pattern.divider, np.bool_)
    period = 1e12 * pattern.divider / pattern.bunch_rate
    turn = 1e12 * pattern.num_bunches / pattern.bunch_rate
    window = max(GROUND_FRACTION * period, turn) if settings.before_pump is None else settings.before_pump
    since = pattern.pump_slot_delays(0.0 if delay is None else delay)
    return np.asarray(since >= period - window * (1 + ROUNDING))


def _bins(pattern: Pattern, settings: Settings, choice: str, delay: float | None) -> tuple[int, ...]:
    since = pattern.pump_slot_delays(0.0 if delay is None else delay)
    number = _BIN[choice](since, settings)
    inside = number >= 0
    number = np.where(inside, number - number[inside].min(initial=0) + 1, -1)
    if delay is None:
        number[0] = 0
    if choice != "edges":
        number[list(pattern.before_pump)] = number.max() + 1
    if (number < 0).all():
        raise ReductionError(f"no pump slot lies between the slot_edges ({since.min():.4g} to {since.max():.4g} ps)")
    kept = np.unique(number[number >= 0])
    return tuple(int(np.searchsorted(kept, each)) if each >= 0 else -1 for each in number)


def _by_edges(since: Array, settings: Settings) -> NDArray[np.int64]:
    edges = np.array(settings.slot_edges)
    number = np.searchsorted(edges, since * (1 + ROUNDING), side="right") - 1
    return np.where(number < edges.size - 1, number, -1)


def _linear(since: Array, settings: Settings) -> NDArray[np.int64]:
    assert settings.slot_width is not None  # of the settings
    return np.floor(since / settings.slot_width + ROUNDING).astype(np.int64)


def _log(since: Array, settings: Settings) -> NDArray[np.int64]:
    """The earliest slot by itself, then as many bins a decade of the time since that one."""
    later = since - since.min()
    distance = np.sort(later)[min(1, later.size - 1)] or 1.0
    decades = np.log10(np.maximum(later, distance) / distance)
    return np.where(later > 0, 1 + np.floor(settings.slots_per_decade * decades + ROUNDING), 0).astype(np.int64)


_BIN = {"edges": _by_edges, "linear": _linear, "log": _log}
