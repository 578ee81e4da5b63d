"""Light of the laser on the detector, without X-rays: where the laser comes, to some ns, in a few seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol

from bluesky.utils import MsgGenerator

from plans.commissioning.counts import prepare, present
from plans.commissioning.delays import LIGHT_KEY, DelayCounts
from plans.commissioning.roles import GatedCounter, Rows
from plans.execution.messages import move
from plans.execution.point import MOVE_TIMEOUT
from plans.execution.run_scan import without_xrays

LATER_KEY = "gate_later"
"""Key, in the readings for the judge, of the bunches by which the wide gates come later than the narrow one."""
DWELL = 1.0
"""Beamline seconds of each count."""
CLOSE = 2.0
"""ns between two delays from which on the light is found."""
STEPS = 9
"""Most delays between the first two."""
LEAST_DIVIDER = 3
"""With fewer slots the light does not show the sign of the delay."""


class SeenLight(Protocol):
    """Between which delays (ps) the light goes from one slot to the next."""

    early: float
    late: float


Seen = Callable[[Rows, Mapping[str, float]], SeenLight | None]


def is_possible(taken: DelayCounts, conditions: Mapping[str, float]) -> bool:
    """Whether there is what looking for the light takes: a gate, an X-ray shutter, and slots enough."""
    instruments = taken.bench.instruments
    has_gate = isinstance(instruments.counters[0], GatedCounter)
    return has_gate and instruments.xray_shutter is not None and conditions["divider"] >= LEAST_DIVIDER


def look_for_light(taken: DelayCounts, seen: Seen, conditions: Mapping[str, float]) -> MsgGenerator[None]:
    """Count at two delays a bunch apart, then between them until the light is found; without light only these.

    The gates are meanwhile as wide as the bunches are apart, each around its pulse. X-ray shutter and gate are
    afterwards as before.
    """
    bench, counter = taken.bench, taken.bench.gated
    delay, width = (yield from present(counter.gate_delay)), (yield from present(counter.gate_width))
    spacing = 1e-3 * conditions["spacing_ps"]
    wide = {counter.gate_width: int(spacing / counter.tick_ns)}
    middle = (delay + 0.5 * width) * counter.tick_ns
    later = int(middle < 0.5 * spacing)
    wide[counter.gate_delay] = round((middle + (later - 0.5) * spacing) / counter.tick_ns)

    def counts() -> MsgGenerator[None]:
        for axis, value in wide.items():
            yield from move(axis, value, MOVE_TIMEOUT)
        yield from prepare(bench, DWELL)
        with _dark(taken):
            yield from _bisect(taken, seen, conditions, {LIGHT_KEY: 1, LATER_KEY: later})
        yield from move(counter.gate_width, width, MOVE_TIMEOUT)
        yield from move(counter.gate_delay, delay, MOVE_TIMEOUT)
        yield from prepare(bench, taken.dwell)

    yield from without_xrays(bench.instruments, bench.supervision.xray_shutter, counts())


def _bisect(
    taken: DelayCounts, seen: Seen, conditions: Mapping[str, float], labels: Mapping[str, Any]
) -> MsgGenerator[None]:
    for first in (0.0, 0.25):  # at the first delays the light may be lost between two gates
        taken.light.clear()
        ends = [(first + each) * conditions["spacing_ps"] for each in (0.0, 1.0)]
        for setting in (yield from taken.in_reach(ends)):
            yield from taken.one(setting, taken.light, more=labels)
        if seen(taken.light, conditions) is not None:
            break
    for _ in range(STEPS):
        found = seen(taken.light, conditions)
        if found is None or found.late - found.early < 1e3 * CLOSE:
            break
        yield from taken.one(0.5 * (found.early + found.late), taken.light, more=labels)


@contextmanager
def _dark(taken: DelayCounts) -> Iterator[None]:
    """Counts meanwhile are short, and nothing reopens the X-ray shutter for them."""
    bench, dwell = taken.bench, taken.dwell
    taken.bench = replace(bench, supervision=replace(bench.supervision, restore_xrays=None))
    taken.dwell = DWELL
    try:
        yield
    finally:
        taken.bench, taken.dwell = bench, dwell
