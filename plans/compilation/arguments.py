"""Checks of plan arguments: an error names the argument before anything moves."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # bluesky takes a fifth of a second to import
    from plans.protocols import TimedCounter

MOST_PASSES = 10_000
LEAST_EV = 500.0
"""No X-ray energy in keV is as high, and none in eV so low that it matters here."""
LEAST_PS = 1e-3
"""No step of a pump-probe delay is as small; one of a microsecond, given in seconds, is."""


def is_number(value: Any) -> bool:
    """Whether a value is a finite number, and not a bool."""
    return isinstance(value, (Real, np.number)) and not isinstance(value, (bool, np.bool_)) and isfinite(value)


def is_whole(value: Any) -> bool:
    """Whether a value is a whole number."""
    return is_number(value) and value == int(value)


def check_count(name: str, value: Any, most: int) -> int:
    """A whole number from 1 to `most`.

    Raises
    ------
    ValueError
    """
    if not (is_whole(value) and value >= 1):
        raise ValueError(f"{name} must be a whole number from 1, not {value!r}")
    if value > most:
        raise ValueError(f"{name} must be at most {most}, not {value!r}")
    return int(value)


def check_passes_and_dwell(passes: Any, dwell: Any) -> None:
    """Check a number of passes and a dwell (s).

    Raises
    ------
    ValueError
    """
    check_count("passes", passes, MOST_PASSES)
    if not (is_number(dwell) and dwell > 0):
        raise ValueError(f"dwell must be a number above 0 s, not {dwell!r}")


def check_number(name: str, value: Any, unit: str) -> float:
    """A finite number as a float.

    Raises
    ------
    ValueError
    """
    if not is_number(value):
        raise ValueError(f"{name} must be a finite number of {unit}, not {value!r}")
    refuse_another_unit(name, float(value), unit)
    return float(value)


def check_positive(name: str, value: Any, unit: str) -> float:
    """As `check_number`, above 0."""
    number = check_number(name, value, unit)
    if not number > 0:
        raise ValueError(f"{name} must be above 0 {unit}, not {value!r}")
    return number


def refuse_another_unit(name: str, value: float, unit: str) -> None:
    """Refuse an energy (keV) or a delay (ps) that only makes sense in another unit.

    Raises
    ------
    ValueError
        Naming both units.
    """
    if unit == "keV" and value >= LEAST_EV:
        raise ValueError(f"{name} must be in keV: {value:g} would be eV, give {value / 1000:g}")
    if unit == "ps" and 0 < abs(value) < LEAST_PS:
        raise ValueError(f"{name} must be in ps: {value:g} would be s, give {value * 1e12:g}")


def checked_values(name: str, values: Any, unit: str) -> tuple[float, ...]:
    """One number or several different ones, as a tuple.

    Raises
    ------
    ValueError
        If there is none, one is not finite, or one occurs twice.
    """
    several = isinstance(values, (Sequence, np.ndarray)) and not isinstance(values, str)
    found = tuple(check_number(name, value, unit) for value in (values if several else [values]))
    if not found:
        raise ValueError(f"{name} must hold at least one number of {unit}")
    if len(set(found)) < len(found):
        raise ValueError(f"{name} holds the same number of {unit} twice: {', '.join(f'{each:g}' for each in found)}")
    return found


def checked_pattern(pattern: Sequence[Any], pumped: bool = True, always_on: bool = False) -> tuple[int, ...]:
    """A pattern of laser-on (1) and laser-off (0) dwells as a tuple of integers.

    A scan that is not `pumped` may do without the laser; one that may be `always_on` without the laser off.

    Raises
    ------
    ValueError
        If it holds anything else, or one of the two states only.
    """
    try:
        valid = all(state in (0, 1) for state in pattern)
    except TypeError:
        valid = False
    possible = [{0, 1}, *([] if pumped else [{0}]), *([{1}] if always_on else [])]
    if not valid or {int(state) for state in pattern} not in possible:
        without = "; an energy_scan without the laser has delay=None" if valid and not any(pattern) else ""
        raise ValueError(
            f"pattern needs dwells with the laser on (1) and off (0) and nothing else, not {pattern!r}{without}"
        )
    return tuple(int(state) for state in pattern)


def check_dwell(counters: Sequence[TimedCounter], dwell: float) -> None:
    """Check that every counter takes a dwell (s) as its preset time.

    Raises
    ------
    ValueError
    """
    for counter in counters:
        try:
            counter.preset_time.check_value(dwell)
        except ValueError as error:
            raise ValueError(f"dwell of {dwell:g} s: {error}") from error
