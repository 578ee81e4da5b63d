"""What findings with the pump laser have in common: its slots, and the X-rays at the main feature of an edge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import bluesky.plan_stubs as bps
from bluesky.utils import MsgGenerator

from plans.commissioning.counts import present
from plans.commissioning.roles import Bench
from plans.compilation.arguments import check_number, check_positive
from plans.compilation.edges import Edge, find_edge, main_feature
from plans.execution.messages import move
from plans.execution.point import MOVE_TIMEOUT
from plans.protocols import Axis, MissingRoleError


@dataclass(frozen=True)
class Pumped:
    """Axes of a pumped sample.

    Attributes
    ----------
    energy, delay : Axis
    probe : float
        X-ray energy at which the transient is looked at, keV.
    divider : int
        Bunches from one pump to the next.
    fluence : Axis, optional
        Moved if `pump` is given.
    pump : float, optional
        Fluence to pump with, mJ/cm2.
    """

    energy: Axis
    delay: Axis
    probe: float
    divider: int
    fluence: Axis | None = None
    pump: float | None = None

    @property
    def moved(self) -> Sequence[Axis]:
        """What `go_to_the_feature` moves."""
        return (self.energy,) if self.fluence is None else (self.energy, self.fluence)

    def go_to_the_feature(self) -> MsgGenerator[None]:
        """Set the energy, and the fluence if one was given."""
        yield from move(self.energy, self.probe, MOVE_TIMEOUT)
        if self.fluence is not None:
            yield from move(self.fluence, self.pump, MOVE_TIMEOUT)


def pumped(bench: Bench, edge: str | Edge, energy: float | None, fluence: float | None = None) -> MsgGenerator[Pumped]:
    """Axes of a pumped sample, checked.

    The main feature of an edge is at a true energy: where the offset of the energy is known, what is set is less by it.
    An energy that is given is the one to be set.

    Raises
    ------
    MissingRoleError
        Without laser shutter, delay, energy or timing.
    ValueError
        Without slots to compare, or for an energy out of reach.
    """
    instruments, offset = bench.instruments, 0.0
    if energy is None and bench.calibration is not None:
        offset = yield from present(bench.calibration)
    feature = main_feature(find_edge(edge), "energy") if energy is None else energy
    probe = check_number("energy", feature, "keV") - offset
    if instruments.laser_shutter is None:
        raise MissingRoleError("laser_shutter", "the transient needs a pump")
    if instruments.timing is None:
        raise MissingRoleError("timing", "the slots of the laser are not known")
    found = Pumped(
        instruments.axis("energy"), instruments.axis("delay"), probe,
        int((yield from bps.rd(instruments.timing.laser_divider))),
        None if fluence is None else instruments.axis("fluence"), fluence,
    )  # fmt: skip
    found.energy.check_value(probe)
    if found.fluence is not None:
        found.fluence.check_value(check_positive("fluence", fluence, "mJ/cm2"))
    if found.divider < 2:
        raise ValueError("this compares the slots of a laser that pumps every second bunch or fewer")
    return found
