"""Arguments of plans, refused by name before anything moves."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from numbers import Real
from typing import Any

import numpy as np

from plans.protocols import TimedCounter


def check_numbers(delay: Any, passes: Any, dwell: Any) -> None:
    """Refuse a delay (ps), number of passes or dwell (s) that cannot be.

    Raises
    ------
    ValueError
    """
    if not _is_number(delay):
        raise ValueError(f"delay must be a finite number of ps, not {delay!r}")
    if not (_is_number(passes) and passes == int(passes) and passes >= 1):
        raise ValueError(f"passes must be a whole number from 1, not {passes!r}")
    if not (_is_number(dwell) and dwell > 0):
        raise ValueError(f"dwell must be a number above 0 s, not {dwell!r}")


def _is_number(value: Any) -> bool:
    return isinstance(value, (Real, np.number)) and not isinstance(value, bool) and isfinite(value)


def checked_pattern(pattern: Sequence[Any]) -> tuple[int, ...]:
    """A pattern of laser-on (1) and laser-off (0) dwells as a tuple of integers.

    Raises
    ------
    ValueError
        If it holds anything else, or one of the two states only.
    """
    try:
        known = all(state in (0, 1) for state in pattern)
    except TypeError:
        known = False
    if not known or {int(state) for state in pattern} != {0, 1}:
        raise ValueError(f"pattern needs dwells with the laser on (1) and off (0) and nothing else, not {pattern!r}")
    return tuple(int(state) for state in pattern)


def check_dwell(counters: Sequence[TimedCounter], dwell: float) -> None:
    """Refuse a dwell (s) that a counter cannot count for.

    Raises
    ------
    ValueError
    """
    for counter in counters:
        try:
            counter.preset_time.check_value(dwell)
        except ValueError as error:
            raise ValueError(f"dwell of {dwell:g} s: {error}") from error
