"""A short check of all findings in use: each measured again, nothing set, against the one in use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import hypot
from typing import Any

import numpy as np

from beamline.session.commissioning.known import numbers
from beamline.session.persistent.state import StoredFinding

QUICK: Mapping[str, Mapping[str, Any]] = {
    "crystal": {"passes": 1, "dwell": 0.1},
    "threshold": {"thresholds": np.round(np.geomspace(4.0, 600.0, 20), 1), "dwell": 0.25},
    "gate": {"passes": 1, "dwell": 0.1},
    "windows": {"passes": 1, "dwell": 0.5},
    "energy": {"most_passes": 1, "dwell": 0.1},
    "knife": {"dwell": 0.05},
    "time_zero": {"near": 300.0, "most_passes": 1, "dwell": 1.0},
    "overlap": {"reach": 40.0, "target": 4.0, "dwell": 1.0},
}
"""By finding, in the order of the check, arguments with which all together take two minutes of beam."""
LOOK, BAD = 3.0, 5.0
"""Standard deviations from which on a change is to be looked at, and from which on it is bad."""
COLUMNS = ("finding", "in use", "now", "unit", "change / error", "verdict")


@dataclass(frozen=True)
class FindingCheck:
    """One finding against that in use.

    Attributes
    ----------
    used, now : StoredFinding
    """

    used: StoredFinding
    now: StoredFinding

    @property
    def change(self) -> float:
        """Difference over its standard deviation; infinite without a value."""
        if self.used.value is None or self.now.value is None:
            return np.inf
        error = hypot(self.used.stddev or 0.0, self.now.stddev or 0.0)
        return abs(self.now.value - self.used.value) / error if error > 0 else np.inf

    @property
    def verdict(self) -> str:
        """Good, look or bad by the change, bad without a value; that short counts know less is no reason to look."""
        if self.now.verdict == "bad" or self.change > BAD:
            return "bad"
        return "look" if self.change > LOOK else "good"


def table(compared: list[FindingCheck]) -> str:
    """One line a finding, with the reasons of those that are not good below it."""
    rows = [COLUMNS, *(_row(each) for each in compared)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    reasons = [f"{each.now.name}: {each.now.reason}" for each in compared if each.verdict != "good"]
    return "\n".join([*lines, *reasons])


def _row(each: FindingCheck) -> tuple[str, ...]:
    was, now = (" +- ".join(filter(None, numbers(one))) for one in (each.used, each.now))
    change = f"{each.change:.1f}" if np.isfinite(each.change) else ""
    return each.now.name, was, now, each.now.unit, change, each.verdict
