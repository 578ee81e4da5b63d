"""A scan as it is compiled, before anything moves: passes, each a list of points with one start document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import floor
from typing import Any

from plans.compilation.positions import AxisName, Move, Position, moves_to


@dataclass(frozen=True)
class DwellSettings:
    """How each point is counted.

    Attributes
    ----------
    pattern : tuple of int
        Laser on (1) and off (0).
    dwell : float
        Beamline seconds of each.
    attempts : int
        How often a dwell that does not count is taken at most, the first time included.
    longest : float
        Most beamline seconds of dwelling at a point in a pass; the pattern is repeated within it while a judge wants
        more.
    """

    pattern: tuple[int, ...]
    dwell: float
    attempts: int
    longest: float

    @property
    def cycles(self) -> int:
        """Most repeats of the pattern."""
        return max(1, floor(self.longest / self.cycle * (1 + 1e-9)))

    @property
    def cycle(self) -> float:
        """Beamline seconds of the pattern."""
        return len(self.pattern) * self.dwell

    @property
    def seconds_on(self) -> float:
        """Most beamline seconds with the laser on at a point."""
        return self.cycles * self.dwell * sum(self.pattern)


@dataclass(frozen=True)
class ScanPass:
    """One run.

    Attributes
    ----------
    positions : tuple of Position
        Points in the order of the visits.
    dwelling : DwellSettings
    start : mapping
        Start document.
    xray : bool
        False: the X-ray shutter is shut during the pass, and put back after it.
    """

    positions: tuple[Position, ...]
    dwelling: DwellSettings
    start: Mapping[str, Any] = field(default_factory=dict)
    xray: bool = True

    def moves(self) -> list[tuple[Position, tuple[Move, ...]]]:
        """Each point with the moves that lead to it; at the first one all axes are moved."""
        before: list[Position | None] = [None, *self.positions]
        return [(here, moves_to(here, last)) for here, last in zip(self.positions, before, strict=False)]

    def dwells(self) -> int:
        """Dwells if nothing is taken again and each point is counted to its limit."""
        return len(self.positions) * len(self.dwelling.pattern) * self.dwelling.cycles


@dataclass(frozen=True)
class CompiledScan:
    """All passes of one call of a plan.

    Attributes
    ----------
    uid : str
        The ``scan_set``, or the ``series`` where there are several sets.
    passes : tuple of ScanPass
        In order.
    judged : bool
        Whether a judge ends points before their limit.
    """

    uid: str
    passes: tuple[ScanPass, ...]
    judged: bool = False

    @property
    def puts_back(self) -> tuple[AxisName, ...]:
        """Axes that go back to where they were when all passes have run to their end: the fluence, if it is scanned."""
        return ("fluence",) if any(one.start.get("scan_axis") == "laser_fluence" for one in self.passes) else ()

    def noting(self, **entries: Any) -> CompiledScan:
        """The same program with more entries in all start documents."""
        return replace(self, passes=tuple(replace(one, start={**one.start, **entries}) for one in self.passes))

    def with_reference(self, reference: str) -> CompiledScan:
        """The same program with the reference that the reduction is to take."""
        passes = tuple(
            replace(one, start={**one.start, "settings": {**one.start["settings"], "reference": reference}})
            for one in self.passes
        )
        return replace(self, passes=passes).noting(reference=reference)
