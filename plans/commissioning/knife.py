"""Knife edges of both beams at the sample: their positions and widths, and the lens that focuses the laser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from bluesky.utils import MsgGenerator

from plans.commissioning.counts import count, prepare, present
from plans.commissioning.find import Search, find
from plans.commissioning.roles import Bench, Judge, Judged, Rows
from plans.compilation.arguments import check_passes_and_dwell, check_positive
from plans.execution.messages import move
from plans.execution.point import MOVE_TIMEOUT
from plans.protocols import Axis, MissingRoleError

AXES = ("along", "across")
BLADE_KEY, POSITION_KEY, LENS_KEY = "blade", "blade_position", "lens"
"""Keys, in the readings for the judge, of the blade (0: along, 1: across), its position (um) and the lens's (mm)."""
STEERED_KEYS = ("steered_along", "steered_across")
"""Those of the positions of the motors that steer the laser, um."""
COARSE = 19
"""Positions over the whole reach."""
EDGE = (-1.3, -0.9, -0.6, -0.35, -0.15, 0.0, 0.15, 0.35, 0.6, 0.9, 1.3)
"""Positions of a blade at an edge, in full widths at half maximum of the beam."""
LENSES = 7


def find_knife(
    bench: Bench,
    judge: Judge,
    apply: bool = False,
    *,
    reach: float = 270.0,
    dwell: float = 0.1,
    md: Mapping[str, Any] | None = None,
) -> MsgGenerator[Judged]:
    """Find where both beams are at the sample and how wide they are, by two blades of a knife.

    Each blade covers X-rays and laser, first in large steps, then closely at the edges that show; a photodiode behind
    the knife counts with the laser off, and on. Blades and laser are afterwards as before.

    Parameters
    ----------
    apply : bool
        Steer the laser onto the X-rays, and confirm it by measuring again.
    reach : float
        How far the blades go on both sides of 0, um.
    dwell : float
        Beamline seconds of each count.
    md : dict, optional
        More metadata for the start document.

    Returns
    -------
    Finding
        Position (um) of the first motor that steers the laser with both beams in one place, with that of the second,
        and position and width of both beams along both axes.

    Raises
    ------
    ValueError
        Before anything moves, naming the argument that is wrong; also without a knife.
    plans.execution.failures.InstrumentError
        If an instrument fails; settings are then as before.

    Examples
    --------
    Show both beams, then bring them together:

    >>> RE(find_knife())
    >>> RE(find_knife(apply=True))
    """
    check_passes_and_dwell(1, dwell)
    edges = KnifeEdges(bench, dwell, check_positive("reach", reach, "um"))

    def measure() -> MsgGenerator[Rows]:
        return (yield from edges.both(judge, {}))

    settings = {motor.name: motor for motor in edges.motors}
    search = Search("knife", measure, judge, settings, edges.blades, 0.5, dwell)
    return (yield from find(bench, search, apply, md))


def find_focus(
    bench: Bench,
    judge: Judge,
    apply: bool = False,
    *,
    reach: float = 15.0,
    dwell: float = 0.1,
    md: Mapping[str, Any] | None = None,
) -> MsgGenerator[Judged]:
    """Find the position of the lens at which the spot of the laser is smallest, by a blade of the knife.

    At several positions of the lens the blade that covers the beams along the flow goes through the edge of the laser.
    Lens, blade and laser are afterwards as before.

    Parameters
    ----------
    apply : bool
        Set the lens, and confirm it by measuring again.
    reach : float
        How far the lens goes on both sides of its present position, mm.
    dwell : float
        Beamline seconds of each count.
    md : dict, optional
        More metadata for the start document.

    Returns
    -------
    Finding
        Position of the lens (mm), with the width of the spot there and before, and the depth of the focus.

    Raises
    ------
    ValueError
        Before anything moves, naming the argument that is wrong; also without a knife.
    plans.execution.failures.InstrumentError
        If an instrument fails; settings are then as before.

    Examples
    --------
    Show the focus, then set it:

    >>> RE(find_focus())
    >>> RE(find_focus(apply=True))
    """
    check_passes_and_dwell(1, dwell)
    edges, lens = KnifeEdges(bench, dwell), bench.needed("laser_focus")
    before = yield from present(lens)
    positions = before + np.linspace(-1, 1, LENSES) * check_positive("reach", reach, "mm")
    for end in (positions[0], positions[-1]):
        lens.check_value(float(end))
    conditions = {"before": before}

    def measure() -> MsgGenerator[Rows]:
        return (yield from edges.of_laser(judge, conditions, lens, positions))

    search = Search("focus", measure, judge, {"focus": lens}, edges.blades, 0.05, dwell, conditions)
    return (yield from find(bench, search, apply, md))


class KnifeEdges:
    """Counts of the diode behind the two blades of a knife.

    Parameters
    ----------
    bench : Bench
    dwell : float
        Beamline seconds of each count.
    reach : float
        How far the blades go on both sides of 0, um.
    """

    def __init__(self, bench: Bench, dwell: float, reach: float = 270.0) -> None:
        self._diode = bench.behind_knife
        if not self._diode:
            raise MissingRoleError("knife", "there is no knife of two blades with a knife_diode behind it")
        self._bench, self._dwell, self._reach = bench, dwell, reach
        self.blades: Sequence[Axis] = bench.knife
        self.motors: Sequence[Axis] = bench.laser_steering if len(bench.laser_steering) == 2 else ()
        self.rows: list[dict[str, Any]] = []
        for blade in self.blades:
            for end in (-reach, reach):
                blade.check_value(end)

    def both(self, judge: Judge, conditions: Mapping[str, float]) -> MsgGenerator[Rows]:
        """Both blades over the whole reach, then closely where the edges are; their readings."""
        self.rows = []
        yield from prepare(self._bench, self._dwell)
        for number in range(2):
            yield from self._scan(number, np.linspace(-self._reach, self._reach, COARSE))
        found = judge(self.rows, conditions)
        for number, name in enumerate(AXES):
            for beam in ("xrays", "laser"):
                yield from self._close(number, found, f"{beam}_{name}_um", f"{beam}_width_{name}_um")
            found = judge(self.rows, conditions)
        for number, name in enumerate(AXES):  # widths are known now: the edge of the X-rays is narrower than a step
            yield from self._close(number, found, f"xrays_{name}_um", f"xrays_width_{name}_um")
        return self.rows

    def of_laser(
        self, judge: Judge, conditions: Mapping[str, float], lens: Axis, positions: Sequence[float] | np.ndarray
    ) -> MsgGenerator[Rows]:
        """The first blade at the edge of the laser, for each position of a lens; their readings."""
        self.rows = []
        yield from prepare(self._bench, self._dwell)
        yield from self._scan(0, np.linspace(-self._reach, self._reach, COARSE), {lens: conditions["before"]})
        found = judge(self.rows, conditions)
        for position in positions:
            yield from self._close(0, found, "laser_um", "laser_width_um", {lens: float(position)})
        return self.rows

    def _close(
        self, number: int, found: Judged, centre: str, width: str, more: Mapping[Axis, float] | None = None
    ) -> MsgGenerator[None]:
        """Closely around an edge, if that is known."""
        if centre in found.numbers:
            places = found.numbers[centre][0] + found.numbers[width][0] * np.array(EDGE)
            yield from self._scan(number, places, more)

    def _scan(
        self, number: int, places: Sequence[float] | np.ndarray, more: Mapping[Axis, float] | None = None
    ) -> MsgGenerator[None]:
        """Each position of a blade with the laser off, and on; the blade is then where it was."""
        blade, lens = self.blades[number], dict(more or {})
        parked, steered = (yield from present(blade)), {}
        for name, motor in zip(STEERED_KEYS, self.motors, strict=False):
            steered[name] = yield from present(motor)
        for place in np.clip(places, -self._reach, self._reach):
            for laser_on in (0, 1):
                settings = {**lens, blade: float(place)}
                labels = {**steered, BLADE_KEY: number, POSITION_KEY: float(place)}
                labels[LENS_KEY] = next(iter(lens.values()), 0.0)
                point = len(self.rows)
                row = yield from count(self._bench, settings, self._dwell, point, laser_on, self._diode, labels)
                self.rows.append(row)
        yield from move(blade, parked, MOVE_TIMEOUT)
