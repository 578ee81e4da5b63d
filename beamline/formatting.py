"""Formatting of numbers and untrusted text for display."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import numpy as np


def format_delay(delay: object) -> str:
    """Format a delay in ps with a suitable unit."""
    if not isinstance(delay, int | float):
        return ""
    for largest, factor, unit in ((1e3, 1.0, "ps"), (1e7, 1e3, "ns"), (1e10, 1e6, "us")):
        if abs(delay) < largest:
            return f"{delay:g} ps" if unit == "ps" else f"{delay / factor:.4g} {unit}"
    return f"{delay / 1e9:.4g} ms"


def ratio_interval(low: float, high: float, bounded: bool) -> str:
    """Fieller's 68 % set of a ratio in words."""
    if np.isnan(low):
        return "68 %: unbounded, the denominator is consistent with zero"
    return f"68 %: {'between' if bounded else 'outside of'} {low:.2f} and {high:.2f}"


def with_error(value: float, stddev: float) -> tuple[str, str]:
    """A value with the digits that its error leaves, and the error with two: ``("0.11521", "0.00041")``."""
    if not 1e-6 < stddev < 1e6:
        return f"{value:.8g}", f"{stddev:.2g}"
    digits = max(0, 1 - int(np.floor(np.log10(stddev))))
    return f"{value:.{digits}f}", f"{stddev:.{digits}f}"


def duration(seconds: float) -> str:
    """Format seconds in a suitable unit."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def when(seconds: float) -> str:
    """Local time to the second; `seconds` since 1970."""
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S")


def printable(text: object) -> str:
    """Text without control characters, with which metadata could overwrite a terminal."""
    return "".join(each if each.isprintable() else " " for each in str(text))


def as_json(value: Any) -> str | None:
    """A mapping as JSON on one line; None if empty."""
    if not isinstance(value, Mapping):
        return None
    return json.dumps(dict(value), sort_keys=True, default=lambda each: np.asarray(each).tolist())


@contextmanager
def own_style() -> Iterator[None]:
    """Draw figures in matplotlib's default style, whatever the user's matplotlibrc contains; also a decorator."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        yield
