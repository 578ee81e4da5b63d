"""A scan compiled before anything moves: passes, each a list of points with one start document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import floor
from typing import Any

from plans.compilation.positions import AxisName, Move, Position, moves_to
from plans.compilation.sweep import Sweep


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
        Most attempts at a dwell, the first one included.
    longest : float
        Most beamline seconds of dwells at a point in a pass; the pattern is repeated within it until the stopping rule
        is satisfied.
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
        Points and monitor energies in the order of the visits.
    dwell_settings : DwellSettings
        Of the points.
    start : mapping
        Start document.
    xray : bool
        False: the X-ray shutter is shut during the pass, and restored after it.
    monitor_settings : DwellSettings, optional
        Of the monitor energies.
    images : bool
        Whether the area detector takes an image in each dwell, in place of the counters.
    sweep : Sweep, optional
        Of each entry of the pattern, in place of dwells at the points.
    """

    positions: tuple[Position, ...]
    dwell_settings: DwellSettings
    start: Mapping[str, Any] = field(default_factory=dict)
    xray: bool = True
    monitor_settings: DwellSettings | None = None
    images: bool = False
    sweep: Sweep | None = None

    def settings_at(self, position: Position) -> DwellSettings:
        """How a point or a monitor energy is counted."""
        return self.monitor_settings if position.monitor and self.monitor_settings else self.dwell_settings

    @property
    def points(self) -> tuple[Position, ...]:
        """The positions without the monitor energies."""
        return tuple(each for each in self.positions if not each.monitor)

    def with_reference(self, reference: str) -> ScanPass:
        """The same pass with the reference that the reduction is to use."""
        settings = {**self.start["settings"], "reference": reference}
        return replace(self, start={**self.start, "settings": settings, "reference": reference})

    def moves(self) -> list[tuple[Position, tuple[Move, ...]]]:
        """Each point with the moves that lead to it; all axes move to the first one. Of sweeps, those before each."""
        if self.sweep is not None:
            here, back = self.positions[0], Move("energy", self.sweep.energies[0])
            others = moves_to(replace(here, energy=None), None)
            return [(here, (*others, back)), *[(here, (back,))] * (len(self.dwell_settings.pattern) - 1)]
        before: list[Position | None] = [None, *self.positions]
        return [(here, moves_to(here, last)) for here, last in zip(self.positions, before, strict=False)]

    def dwells(self) -> int:
        """Dwells if none is retaken and each point is counted to its limit."""
        if self.sweep is not None:
            return len(self.dwell_settings.pattern)
        each = [self.settings_at(position) for position in self.positions]
        return sum(len(settings.pattern) * settings.cycles for settings in each)

    @property
    def monitor_dwells(self) -> int:
        """Dwells at the monitor energies."""
        if self.sweep is not None:
            return 0
        return self.dwells() - len(self.points) * len(self.dwell_settings.pattern) * self.dwell_settings.cycles


@dataclass(frozen=True)
class CompiledScan:
    """All passes of one call of a plan.

    Attributes
    ----------
    uid : str
        The ``scan_set``, or the ``series`` where there are several sets.
    passes : tuple of ScanPass
        In order.
    stops_early : bool
        Whether a stopping rule ends points before their limit.
    """

    uid: str
    passes: tuple[ScanPass, ...]
    stops_early: bool = False

    @property
    def allocates(self) -> bool:
        """Whether the stopping rule distributes the time over the points: some need no visit in a pass."""
        return self.stops_early and all(isinstance(one.start.get("target"), list) for one in self.passes)

    @property
    def axes_to_restore(self) -> tuple[AxisName, ...]:
        """Axes that return to where they were after the last pass: the fluence, if it is scanned."""
        return ("fluence",) if any(one.start.get("scan_axis") == "laser_fluence" for one in self.passes) else ()

    def with_entries(self, **entries: Any) -> CompiledScan:
        """The same scan with more entries in all start documents."""
        return replace(self, passes=tuple(replace(one, start={**one.start, **entries}) for one in self.passes))

    def with_reference(self, reference: str) -> CompiledScan:
        """The same scan with the reference that the reduction is to use."""
        passes = tuple(one if one.images else one.with_reference(reference) for one in self.passes)
        return replace(self, passes=passes)
