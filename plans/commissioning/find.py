"""The plan that all findings share: measure, judge, show or set, confirm by measuring again, go back if that is worse.

However it ends, the settings are afterwards what they were before, or those that were confirmed; axes are at rest and
the laser shutter is shut.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import hypot
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
from bluesky.utils import MsgGenerator

from plans.commissioning.counts import prepare, present
from plans.commissioning.document import STREAM, FindingReading
from plans.commissioning.roles import Bench, Judge, Judged, Rows
from plans.compilation.metadata import check_metadata
from plans.execution.failures import raise_cause
from plans.execution.messages import create, move, read, save
from plans.execution.point import MOVE_TIMEOUT
from plans.execution.run_scan import leave_at_rest
from plans.execution.server_replies import with_replies
from plans.protocols import Axis

GOOD, LOOK = "good", "look"
RANK = {"good": 0, "look": 1, "bad": 2}
SHOWN, SET, NOT_SET, WENT_BACK = "shown", "set", "not set", "went back"
"""Outcomes, or their beginnings."""
AGREES = 4.0
"""Errors by which the second value may differ from the first."""


@dataclass(frozen=True)
class Search:
    """How one finding is made.

    Attributes
    ----------
    name : str
    measure : callable
        Returns a plan that counts, and gives its readings.
    judge : Judge
        Makes the finding of these readings.
    settings : mapping of str to Axis
        What the finding sets, by the names in its `settings`.
    moved : sequence of Axis
        What measuring moves beside them.
    resolution : float
        Difference of two values that is no difference, in the unit of the finding.
    dwell : float
        Beamline seconds of each count.
    conditions : mapping of str to float
        What the judge needs beside the readings; recorded in the start document.
    scanned : Axis, optional
        What the counts are best plotted against, for the hints of the start document.
    pooled : callable, optional
        Gives the readings of both measurements, where both together make a better finding than either: that is set.
    worst : str
        Worst verdict of the second measurement with which the settings stay.
    """

    name: str
    measure: Callable[[], MsgGenerator[Rows]]
    judge: Judge
    settings: Mapping[str, Axis]
    moved: Sequence[Axis] = field(default_factory=tuple)
    resolution: float = 0.0
    dwell: float = 0.5
    conditions: Mapping[str, float] = field(default_factory=dict)
    pooled: Callable[[], Rows] | None = None
    scanned: Axis | None = None
    worst: str = GOOD

    def hints(self) -> dict[str, Any]:
        """Entry of the start document that tells other programs what to plot against; empty without an axis."""
        if self.scanned is None:
            return {}
        fields = getattr(self.scanned, "hints", {}).get("fields") or [self.scanned.name]
        return {"hints": {"dimensions": [[list(fields), "primary"]]}}


def find(bench: Bench, search: Search, apply: bool, md: Mapping[str, Any] | None) -> MsgGenerator[Judged]:
    """Make one finding; one run.

    Parameters
    ----------
    bench : Bench
    search : Search
    apply : bool
        Set what was found, if its verdict is good, and confirm it by measuring again.
    md : mapping, optional
        More metadata.

    Returns
    -------
    Judged
        With ``apply`` the confirmed one.

    Raises
    ------
    plans.execution.failures.InstrumentError
        If an instrument fails; settings are then as before.
    """
    check_metadata(md or {})
    if not isinstance(apply, bool):
        raise ValueError(f"apply must be True or False, not {apply!r}")
    counters, servers = bench.instruments.counters, bench.supervision.servers
    kept: dict[Axis, float] = {}
    for axis in dict.fromkeys([*search.settings.values(), *search.moved]):
        kept[axis] = yield from present(axis)
    for counter in counters:  # what cut off an earlier scan may have left it staged
        yield from bps.unstage(counter)
    results: list[Judged] = []
    start = {
        "plan_name": f"find_{search.name}",
        "scan_axis": "none",
        "apply": apply,
        "dwell": search.dwell,
        "conditions": dict(search.conditions),
        **search.hints(),
        **(md or {}),
    }

    @bpp.stage_decorator([servers, *counters])
    @bpp.run_decorator(md=start)
    def run() -> MsgGenerator[None]:
        results.append((yield from raise_cause(_searched(bench, search, apply, kept))))

    def put_back() -> MsgGenerator[None]:
        yield from _set_all(bench, kept)

    around = bpp.finalize_wrapper(bpp.finalize_wrapper(run(), put_back), put_back)  # an abort may cut off the first
    yield from leave_at_rest(bench.instruments, around, servers)
    return results[0]


def _searched(bench: Bench, search: Search, apply: bool, kept: dict[Axis, float]) -> MsgGenerator[Judged]:
    """Measure, set and save; `kept` holds what is to be set at the end, and changes once a finding is confirmed."""
    before = dict(kept)
    yield from with_replies(bench.supervision.servers, partial(prepare, bench, search.dwell))
    yield from bps.checkpoint()
    found = search.judge((yield from search.measure()), search.conditions)
    outcome = SHOWN
    if apply:
        found, outcome = yield from _applied(bench, search, found, kept)
    yield from _set_all(bench, kept)
    names = {name: before[axis] for name, axis in search.settings.items()}
    yield from create(STREAM)
    yield from read(FindingReading(found, outcome, names))
    yield from save()
    return found


def _applied(bench: Bench, search: Search, found: Judged, kept: dict[Axis, float]) -> MsgGenerator[tuple[Judged, str]]:
    """Set what was found and measure again; the finding, and what became of it."""
    if found.verdict != GOOD:
        return found, f"{NOT_SET}: its verdict is {found.verdict}"
    wanted = {search.settings[name]: value for name, value in found.settings.items()}
    try:
        for axis, value in wanted.items():
            axis.check_value(value)
    except ValueError as error:
        return found, f"{NOT_SET}: {error}"
    yield from _set_all(bench, {**kept, **wanted})
    again = search.judge((yield from search.measure()), search.conditions)
    if worse := _worse(search, found, again):
        return found, f"{WENT_BACK} to the settings before: {worse}"
    if search.pooled is not None:
        both = search.judge(search.pooled(), search.conditions)
        if both.verdict == GOOD:
            again, wanted = both, {search.settings[name]: value for name, value in both.settings.items()}
    kept.update(wanted)
    return again, SET


def _worse(search: Search, first: Judged, second: Judged) -> str:
    """Why the second finding does not confirm the first, which is good; empty if it does."""
    if RANK[second.verdict] > RANK[search.worst]:
        return f"measured again it is {second.verdict}: {second.reason}"
    allowed = AGREES * hypot(first.stddev, second.stddev) + search.resolution
    if not abs(second.value - first.value) <= allowed:
        return f"measured again it is {second.value:.6g} {second.unit}, and was {first.value:.6g}"
    for name in set(first.settings) & set(first.numbers) & set(second.numbers):  # settings with errors of their own
        (was, error), (now, other) = first.numbers[name], second.numbers[name]
        if not abs(now - was) <= AGREES * hypot(error, other) + search.resolution:
            return f"measured again {name} is {now:.6g}, and was {was:.6g}"
    return ""


def _set_all(bench: Bench, values: Mapping[Axis, float]) -> MsgGenerator[None]:
    def moves() -> MsgGenerator[None]:
        for axis, value in values.items():
            yield from move(axis, value, MOVE_TIMEOUT)

    yield from with_replies(bench.supervision.servers, moves)
