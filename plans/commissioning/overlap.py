"""Overlap of the laser with the X-rays: a grid of the laser's position, then closer around what it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from bluesky.utils import MsgGenerator

from plans.commissioning.counts import count, is_in_reach, prepare, present
from plans.commissioning.find import Search, find
from plans.commissioning.knife import KnifeEdges
from plans.commissioning.laser import Pumped, pumped
from plans.commissioning.roles import Bench, Judge, Judged, Rows
from plans.compilation.arguments import check_number, check_passes_and_dwell, check_positive
from plans.compilation.edges import Edge
from plans.execution.messages import move
from plans.execution.point import MOVE_TIMEOUT
from plans.protocols import MissingRoleError

STEPS = 5
"""Positions of the grid along each motor."""
GRIDS = 5
"""Most grids."""
CROSS = ((0.0, 0.0), (0.6, 0.0), (-0.6, 0.0), (0.0, 0.6), (0.0, -0.6), (1.5, 1.5))
"""In widths of the spot from its middle: where the slope is steepest, the middle, and one without overlap."""
SIGNIFICANT = 7.0
"""Standard deviations from which on a transient shows where to go on."""
MOST_CROSSES = 40
KNIFE_DWELL = 0.05
"""Beamline seconds of each count behind the knife."""
Place = tuple[float, float]
WIDER = 1.5
"""Size of a second cross, which tells position from width."""


def find_overlap(
    bench: Bench,
    judge: Judge,
    apply: bool = False,
    *,
    edge: str | Edge = "Br_K",
    energy: float | None = None,
    delay: float | None = 100.0,
    reach: float = 80.0,
    spot: float = 50.0,
    target: float = 1.3,
    fluence: float | None = None,
    dwell: float = 2.0,
    md: Mapping[str, Any] | None = None,
) -> MsgGenerator[Judged]:
    """Find the overlap: where the two motors that steer the laser bring its spot onto that of the X-rays.

    With the laser on at the main feature of the edge, the motors go through a grid, then through a cross around the
    transient until both positions are known to the target. Where there is a knife (roles ``knife``, ``knife_diode``),
    its edges of both beams come first, and there is no grid. All slots are used, so that it
    works at any delay, but it takes much longer elsewhere than right after time zero. Motors, energy, delay, fluence
    and laser are afterwards as before.

    Parameters
    ----------
    apply : bool
        Set the motors, and confirm it by measuring again.
    edge : str
        Element and edge, such as ``Fe_K``.
    energy : float, optional
        X-ray energy to set, keV; by default that of the edge's main transient feature, less the offset of the energy.
    delay : float, optional
        Pump-probe delay, ps; None leaves it as it is, where time zero is not known yet.
    reach : float
        How far the grid goes on both sides of the present positions, um.
    spot : float
        Full width at half maximum of the laser spot, roughly, um.
    target : float
        um; standard deviation of both positions that both measurements with ``apply`` have together.
    fluence : float, optional
        Laser fluence meanwhile, mJ/cm2; by default as it is.
    dwell : float
        Beamline seconds of each count.
    md : dict, optional
        More metadata for the start document.

    Returns
    -------
    Finding
        Position of the first motor (um), with that of the second, the widths of the laser spot, and its share at the
        X-rays before.

    Raises
    ------
    ValueError
        Before anything moves, naming the argument that is wrong.
    plans.execution.failures.InstrumentError
        If an instrument fails; settings are then as before.

    Examples
    --------
    Show it, then set it:

    >>> RE(find_overlap())
    >>> RE(find_overlap(apply=True))
    """
    check_passes_and_dwell(1, dwell)
    for name, value in (("reach", reach), ("spot", spot), ("target", target)):
        check_positive(name, value, "um")
    if len(bench.laser_steering) != 2:
        raise MissingRoleError("laser_steering", "the laser cannot be steered with two motors")
    pump = yield from pumped(bench, edge, energy, fluence)
    if delay is not None:
        pump.delay.check_value(check_number("delay", delay, "ps"))
    taken = _Counts(bench, dwell)
    yield from taken.remember(reach)

    def measure() -> MsgGenerator[Rows]:
        yield from prepare(bench, dwell)
        yield from pump.go_to_the_feature()
        if delay is not None:
            yield from move(pump.delay, delay, MOVE_TIMEOUT)
        return (yield from taken.closer(judge, _conditions(taken, pump, spot), reach, np.sqrt(2) * target))

    moved = (*bench.laser_steering, *bench.knife, *pump.moved, *((pump.delay,) if delay is not None else ()))
    settings = {axis.name: axis for axis in bench.laser_steering}
    conditions = _conditions(taken, pump, spot)
    search = Search("overlap", measure, judge, settings, moved, 0.5, dwell, conditions, lambda: taken.all_rows)
    return (yield from find(bench, search, apply, md))


def _conditions(taken: _Counts, pump: Pumped, spot: float) -> dict[str, float]:
    before = dict(zip(("along", "across"), taken.before, strict=True))
    return {**before, "divider": float(pump.divider), "expected_um": spot}


class _Counts:
    """Counts at positions of the two motors."""

    def __init__(self, bench: Bench, dwell: float) -> None:
        self._bench, self._dwell = bench, dwell
        self._along, self._across = bench.laser_steering
        self.before = (0.0, 0.0)
        self._found: Judged | None = None
        self._also = bench.behind_knife  # all events of a run read the same
        self._places: list[dict[str, Any]] = []
        self._all_places: list[dict[str, Any]] = []
        self._knife: list[Mapping[str, Any]] = []
        self._edges = KnifeEdges(bench, KNIFE_DWELL) if self._also else None

    @property
    def rows(self) -> Rows:
        """Readings of the present measurement, those of the knife included."""
        return [*self._knife, *self._places]

    @property
    def all_rows(self) -> Rows:
        """Readings of both."""
        return [*self._knife, *self._all_places]

    def remember(self, reach: float) -> MsgGenerator[None]:
        """Where the motors are; refuses a grid that they cannot reach."""
        self.before = (yield from present(self._along)), (yield from present(self._across))
        for axis, middle in zip((self._along, self._across), self.before, strict=True):
            for end in (middle - reach, middle + reach):
                axis.check_value(end)

    def closer(self, judge: Judge, conditions: Mapping[str, float], reach: float, target: float) -> MsgGenerator[Rows]:
        """The grid, then crosses around what it shows; their readings."""
        self._places = []
        found = yield from self._first(judge, conditions, reach)
        for _ in range(MOST_CROSSES):
            places = [found.numbers.get(axis.name) for axis in (self._along, self._across)]
            if found.verdict == "bad" or None in places or max(each[1] for each in places if each) < target:
                break
            yield from self._scan(self._cross(found))
            found = judge(self.rows, conditions)
        self._found = found
        return self.rows

    def _first(self, judge: Judge, conditions: Mapping[str, float], reach: float) -> MsgGenerator[Judged]:
        """The grid until a transient shows; the second time two crosses, since it is known where to look."""
        if self._found is not None:
            yield from self._scan([*self._cross(self._found), *self._cross(self._found, WIDER)])
            return judge(self.rows, conditions)
        places = (yield from self._by_knife(judge, conditions)) or _grid(self.before, reach)
        for _ in range(GRIDS):
            yield from self._scan(places)
            found = judge(self.rows, conditions)
            if found.numbers.get("significance", (0.0, 0.0))[0] > SIGNIFICANT:
                break
        return found

    def _by_knife(self, judge: Judge, conditions: Mapping[str, float]) -> MsgGenerator[list[Place]]:
        """Two crosses around where a knife shows that the beams meet; empty without one, or where it shows nothing."""
        if self._edges is None:
            return []
        self._knife = list((yield from self._edges.both(judge, conditions)))
        found = judge(self._knife, conditions)
        yield from prepare(self._bench, self._dwell)
        if found.verdict != "good":
            return []
        widths = [found.numbers[f"laser_width_{name}_um"][0] for name in ("along", "across")]
        return [*self._around(found, widths), *self._around(found, widths, WIDER)]

    def _cross(self, found: Judged, wider: float = 1.0) -> list[Place]:
        """Positions around the overlap."""
        return self._around(found, [found.numbers[f"width_{name}_um"][0] for name in ("along", "across")], wider)

    def _around(self, found: Judged, widths: Sequence[float], wider: float = 1.0) -> list[Place]:
        """A cross for these widths of the spot, as far as the motors go."""
        (x, _), (y, _) = (found.numbers[axis.name] for axis in (self._along, self._across))
        places = [(x + wider * a * widths[0], y + wider * b * widths[1]) for a, b in CROSS]
        return [each for each in places if is_in_reach(self._along, each[0]) and is_in_reach(self._across, each[1])]

    def _scan(self, places: list[Place]) -> MsgGenerator[None]:
        for along, across in places:
            settings = {self._along: along, self._across: across}
            labels, point = {"along": along, "across": across}, len(self.all_rows)
            row = yield from count(self._bench, settings, self._dwell, point, 1, self._also, labels)
            self._places.append(row)
            self._all_places.append(row)


def _grid(middle: tuple[float, float], reach: float) -> list[Place]:
    """Positions of a grid, to and fro."""
    steps = np.linspace(-reach, reach, STEPS)
    return [
        (float(middle[0] + a), float(middle[1] + b)) for i, a in enumerate(steps) for b in (steps, steps[::-1])[i % 2]
    ]
