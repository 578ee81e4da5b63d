"""How the dwells of each point of a pass are taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from plans.compilation.compiled_scan import DwellSettings
from plans.compilation.positions import Position
from plans.compilation.quality import Check
from plans.compilation.stopping_rule import StoppingRule
from plans.protocols import Supervision
from plans.watch import Window

STREAM = "primary"


@dataclass(frozen=True)
class PointRules:
    """How the dwells of each point are taken.

    Attributes
    ----------
    dwell_settings : DwellSettings
    checks : tuple of Check
        What makes a dwell count.
    stopping_rule : StoppingRule, optional
        Called after each pattern; decides whether another one is needed.
    supervision : Supervision
    windows : mapping
        Name of each axis, and between which readings it has to stay.
    stream : str
        Of the events.
    skips : bool
        Whether points for which the stopping rule wants nothing are left out: they were counted in an earlier pass.
    """

    dwell_settings: DwellSettings
    checks: tuple[Check, ...] = ()
    stopping_rule: StoppingRule | None = None
    supervision: Supervision = field(default_factory=Supervision)
    windows: Mapping[str, Window] = field(default_factory=dict)
    stream: str = STREAM
    skips: bool = False

    def visited(self, positions: Iterable[Position]) -> Iterator[Position]:
        """Points that are not left out; of the monitor energies before one the latest, and one after the last point."""
        monitor, any_point = list[Position](), False
        for position in positions:
            if position.monitor:
                monitor = [position]
            elif not self.skips or self.needs_more(position.point_index):
                yield from (*monitor, position)
                monitor, any_point = [], True
        if any_point:
            yield from monitor

    def needs_more(self, point_index: int) -> bool:
        """Whether a point needs another pattern; yes where the stopping rule is undetermined."""
        seconds = self.stopping_rule(point_index) if self.stopping_rule is not None else 0.0
        return seconds is None or seconds > 0

    def next_laser_state(self, segment: int) -> int | None:
        """The laser in the next dwell of this point; None if there is none, or if the stopping rule is still to run."""
        pattern = self.dwell_settings.pattern
        cycles, step = divmod(segment + 1, len(pattern))
        over = step == 0 and (self.stopping_rule is not None or cycles == self.dwell_settings.cycles)
        return None if over else pattern[step]
