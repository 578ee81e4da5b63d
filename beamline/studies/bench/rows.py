"""One line of the benchmark: measured value, must, goal."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import isfinite, nan
from typing import Any


@dataclass(frozen=True)
class BenchRow:
    """A line of the table.

    Attributes
    ----------
    name : str
    seen : float
        NaN if not measured; `note` has the reason.
    must, goal : float or None
        None without a requirement.
    unit : str
        Empty for a ratio.
    smaller_is_better : bool
    note : str
    because : str
        What stands in the way of must or goal, with the figures of the same run that show it.
    """

    name: str
    seen: float
    must: float | None = None
    goal: float | None = None
    unit: str = ""
    smaller_is_better: bool = False
    note: str = ""
    because: str = ""

    def meets(self, wanted: float | None) -> bool | None:
        """Whether a wanted value is met; None if not required or not measured."""
        if wanted is None or not isfinite(self.seen):
            return None
        return self.seen <= wanted if self.smaller_is_better else self.seen >= wanted

    @property
    def falls_short(self) -> bool:
        """Whether the must is missed, or the goal."""
        return self.meets(self.must) is False or self.meets(self.goal) is False

    def to_json(self) -> dict[str, Any]:
        """All entries, with the two assessments; NaN as None."""
        output = asdict(self)
        output["seen"] = self.seen if isfinite(self.seen) else None
        return {**output, "meets_must": self.meets(self.must), "meets_goal": self.meets(self.goal)}


def absent(name: str, must: float, goal: float, library: str) -> BenchRow:
    """Row of a library that is not installed."""
    return BenchRow(name, nan, must, goal, note=f"{library} not installed")
