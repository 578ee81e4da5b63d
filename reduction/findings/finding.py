"""The result of a search for a setting of the beamline: value, error, verdict and the reason for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import nan

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

GOOD, LOOK, BAD = "good", "look", "bad"
VERDICTS = (GOOD, LOOK, BAD)
"""Good: may be set. Look: measured, with a doubt that the reason names. Bad: not measured, and why."""


@dataclass(frozen=True)
class FindingCurve:
    """What the figure of a finding shows.

    Attributes
    ----------
    x, y, stddev : ndarray, shape (N,)
        Measured points.
    fit_x, fit : ndarray, shape (M,)
        Fitted curve; empty without a fit.
    x_label, y_label : str
    """

    x: Array
    y: Array
    stddev: Array
    fit_x: Array
    fit: Array
    x_label: str
    y_label: str


@dataclass(frozen=True)
class FindingResult:
    """One finding.

    Attributes
    ----------
    name : str
        For example ``threshold``.
    value, stddev : float
        NaN where the verdict is bad.
    unit : str
    verdict : str
        One of `VERDICTS`.
    reason : str
        A sentence.
    settings : mapping of str to float
        What to set, by the name of the setting.
    numbers : mapping of str to tuple of float
        Further numbers, each with its standard deviation (NaN if it has none), units in the names.
    curve : FindingCurve
    """

    name: str
    value: float
    stddev: float
    unit: str
    verdict: str
    reason: str
    curve: FindingCurve
    settings: Mapping[str, float] = field(default_factory=dict)
    numbers: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def with_doubt(self, reason: str) -> FindingResult:
        """The same with a doubt; a bad finding stays bad."""
        return self if self.verdict == BAD else replace(self, verdict=LOOK, reason=reason)


def not_found(
    name: str, unit: str, reason: str, curve: FindingCurve, numbers: Mapping[str, tuple[float, float]]
) -> FindingResult:
    """A finding that was not made, and why."""
    return FindingResult(name, nan, nan, unit, BAD, reason, curve, {}, numbers)
