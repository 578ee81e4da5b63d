"""Values of a part as JSON: rounded, without NaN, and compact."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

DIGITS = 6
"""Significant digits of numbers on the page."""


def numbers(values: ArrayLike) -> list[float | None]:
    """Numbers for a plot, shape (N,); None where there is none."""
    array = np.asarray(values, dtype=np.float64)
    with np.errstate(all="ignore"):
        scale = 10.0 ** (DIGITS - 1 - np.floor(np.log10(np.abs(array))))
        short = np.where((array == 0) | ~np.isfinite(scale), array, np.round(array * scale) / scale)
    return [each if np.isfinite(each) else None for each in short.tolist()]


def series(name: str, x: ArrayLike, y: ArrayLike, stddev: ArrayLike, look: str) -> dict[str, Any]:
    """Points with error bars, without those that are missing.

    Parameters
    ----------
    name : str
    x, y, stddev : array_like, shape (N,)
    look : str
        ``complete``, ``before`` (of earlier passes, faint) or ``now`` (provisional, open circles).
    """
    there = np.isfinite(np.asarray(y, dtype=np.float64))
    columns = (np.broadcast_to(np.asarray(each, dtype=np.float64), there.shape)[there] for each in (x, y, stddev))
    return {"name": name, "look": look, **dict(zip(("x", "y", "e"), map(numbers, columns), strict=True))}


def encoded(value: Any) -> bytes:
    """JSON of plain values; lone surrogates are escaped."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")
