"""Compiles grids and options to a `CompiledScan`, without any instrument."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

from plans.compilation.compiled_scan import CompiledScan, DwellSettings, ScanPass
from plans.compilation.edges import Edge
from plans.compilation.monitors import Monitors, checked_monitors
from plans.compilation.options import Options, checked_dwell_settings, names_quantities, new_uid
from plans.compilation.positions import ORDERS, Position, visit_order
from plans.compilation.steps import IMAGE_AXIS, is_image, order_of_passes
from plans.compilation.sweep import FRAMES_KEY, sweep_over

PUMPED = ("laser_delay", "laser_fluence")
"""Axes of scans that need the laser."""
MOST_VISITS = 10_000_000
"""Patterns of dwells in one call: more than a year of them, and more than can be looked at beforehand."""


@dataclass(frozen=True)
class GridSpec:
    """One set of passes: the scanned axis, and the positions of the others.

    Attributes
    ----------
    scan_axis : str
        Data key of the axis that is scanned; ``image`` for an image of the area detector.
    positions : sequence of Position
        Points of the grid, ascending.
    grid : sequence of float
        Their values on the scanned axis.
    edge : Edge, optional
        None for an image.
    fixed_axes : mapping
        Entries of the start document that give the positions of the other axes.
    exposure : float
        Beamline seconds of an image.
    """

    scan_axis: str
    positions: Sequence[Position]
    grid: Sequence[float]
    edge: Edge | None
    fixed_axes: Mapping[str, Any] = field(default_factory=dict)
    exposure: float = 0.0

    def settings(self, attempts: int) -> DwellSettings:
        """How an image is taken."""
        return DwellSettings((0,), self.exposure, attempts, self.exposure)


def compile_scan(
    plan_name: str, members: Sequence[GridSpec], passes: int, dwell: float, options: Options
) -> CompiledScan:
    """Compile passes over one or several grids; with several, each is scanned once before any is scanned again.

    Raises
    ------
    ValueError
        Naming the argument that is wrong.
    """
    pumped = any(member.scan_axis in PUMPED or "pump_delay" in member.fixed_axes for member in members)
    settings = checked_dwell_settings(dwell, passes, options, pumped, always_on=pumped)
    visits_in_all = settings.cycles * int(passes) * sum(len(member.positions) for member in members)
    if visits_in_all > MOST_VISITS:
        raise ValueError(
            f"passes: {int(passes)} of them are {visits_in_all} patterns of dwells in all; {MOST_VISITS} are possible"
        )
    several = len(members) > 1
    if several and options.get("scan_set"):
        raise ValueError("scan_set continues one set at a time, not several edges, delays or energies")
    uids = [str(uuid4()) if several else new_uid(options) for _ in members]
    series = str(uuid4()) if several else uids[0]
    listed = _listed(members, uids, settings.attempts)
    shared = {"series": series, "members": listed} if several else {}
    monitors = _monitors(plan_name, members, options)
    compiled = []
    for number, scan_index in order_of_passes(listed, int(passes)):
        member, uid = members[number], uids[number]
        visits = visit_order(len(member.positions), options.get("order", ORDERS[0]), scan_index, uid)
        how = member.settings(settings.attempts) if member.edge is None else settings
        start = {
            **_common(plan_name, member, how, passes, options),
            "scan_set": uid,
            "scan_index": scan_index,
            "visit_order": visits,
            **shared,
            **({"monitor_energies": list(monitors.energies), "monitor_share": monitors.share} if monitors else {}),
            **(options.get("md") or {}),
        }
        order = tuple(member.positions[i] for i in visits)
        compiled.append(scan_pass(order, how, start, monitors))
    return CompiledScan(series, tuple(compiled), stops_early=options.get("target") is not None)


def scan_pass(
    positions: tuple[Position, ...], settings: DwellSettings, start: Mapping[str, Any], monitors: Monitors | None
) -> ScanPass:
    """One pass over points in the order of the visits, with the monitor energies between them."""
    if is_image(start):
        return ScanPass(positions, settings, start, images=True)
    if FRAMES_KEY in start:
        return ScanPass(positions, settings, start, sweep=sweep_over(start["grid"], settings.dwell, start[FRAMES_KEY]))
    if monitors is None:
        return ScanPass(positions, settings, start)
    once = replace(settings, longest=settings.cycle) if isinstance(start.get("target"), list) else settings
    woven, monitor_settings = monitors.woven(positions, once)
    return ScanPass(woven, settings, start, monitor_settings=monitor_settings)


def _stored(target: Any) -> Any:
    """A target as a start document has it: pairs, since names of quantities hold characters that keys may not have."""
    if not isinstance(target, Mapping):
        return target
    return [[name, list(one) if isinstance(one, tuple) else one] for name, one in target.items()]


def _monitors(plan_name: str, members: Sequence[GridSpec], options: Options) -> Monitors | None:
    """The monitor energies, refused where they have no use; an allocated energy scan of one edge has some anyway."""
    monitors = checked_monitors(options.get("monitor_energies"), options.get("monitor_share"))
    if monitors and any(member.scan_axis != "mono_energy" for member in members):
        raise ValueError(
            f"monitor_energies have no use in a {plan_name}: it compares laser on and off at each point, where a drift"
            " cancels; leave them out"
        )
    if monitors and len({member.edge.name for member in members if member.edge}) > 1:
        raise ValueError("monitor_energies are those of one edge; with several edges leave them out")
    return monitors or _of_allocated(members, options)


def _of_allocated(members: Sequence[GridSpec], options: Options) -> Monitors | None:
    """Monitor energies that the user did not ask for: where the drift of an allocated scan is taken out."""
    settings = {"drift": "auto", "procedure": "default", **(options.get("settings") or {})}
    wanted = names_quantities(options.get("target")) and settings["drift"] == "auto"
    edges = {member.edge.name: member.edge for member in members if member.edge}
    of_energy = all(member.scan_axis == "mono_energy" for member in members)
    if not (wanted and of_energy and len(edges) == 1 and settings["procedure"] != "paper"):
        return None
    return Monitors.of_allocated(*edges.values())


def _listed(members: Sequence[GridSpec], uids: Sequence[str], attempts: int) -> list[dict[str, Any]]:
    """All members of a series, so that each start document also describes the members that were never started."""
    return [
        {
            "scan_set": uid,
            **(_of_image(member, attempts) if member.edge is None else _of_edge(member.edge)),
            "grid": [float(value) for value in member.grid],
            **member.fixed_axes,
        }
        for member, uid in zip(members, uids, strict=True)
    ]


def _of_edge(edge: Edge) -> dict[str, Any]:
    return {
        "edge": edge.name,
        "absorption_edge": edge.document(),
        "windows": {"pre_edge": list(edge.pre_edge), "integral": list(edge.integral)},
    }


def _of_image(member: GridSpec, attempts: int) -> dict[str, Any]:
    """What the start document of an image has in place of an edge."""
    settings = member.settings(attempts)
    return {"scan_axis": IMAGE_AXIS, "passes": 1, "pattern": list(settings.pattern), "dwell": settings.dwell}


def _common(plan_name: str, member: GridSpec, settings: DwellSettings, passes: int, options: Options) -> dict[str, Any]:
    """What the start documents of all passes over a grid have in common."""
    edge, points = member.edge, 1 if FRAMES_KEY in member.fixed_axes else len(member.positions)
    if edge is None:
        return _common_of_images(plan_name, member, settings)
    target, fluence, background = (options.get(name) for name in ("target", "fluence", "background"))
    limits = {"target": _stored(target), "longest": settings.longest} if target is not None else {}
    assumed = {"forecast": options["forecast"]} if options.get("forecast") else {}
    pumped = {"pump_fluence": fluence} if fluence is not None else {}
    backgrounds = {"background": background} if background else {}
    return {
        "plan_name": plan_name,
        "edge": edge.name,
        "absorption_edge": edge.document(),
        "scan_axis": member.scan_axis,
        "grid": [float(value) for value in member.grid],
        **pumped,
        **member.fixed_axes,
        "reference": options.get("reference") or "",
        "pattern": list(settings.pattern),
        "dwell": settings.dwell,
        "attempts": settings.attempts,
        **limits,
        **assumed,
        **backgrounds,
        "passes": int(passes),
        "num_points": points,
        "num_events": points * len(settings.pattern) * settings.cycles,
        "order": options.get("order", ORDERS[0]),
        "approach": "from below",
        "settings": {
            "pre_edge": list(edge.pre_edge),
            "integral": list(edge.integral),
            "reference": options.get("reference") or "",
            **(options.get("settings") or {}),
        },
        "hints": {"dimensions": [[[member.scan_axis], "primary"]]},
    }


def _common_of_images(plan_name: str, member: GridSpec, settings: DwellSettings) -> dict[str, Any]:
    points = len(member.positions)
    return {
        "plan_name": plan_name,
        **_of_image(member, settings.attempts),
        "grid": [float(value) for value in member.grid],
        **member.fixed_axes,
        "attempts": settings.attempts,
        "num_points": points,
        "num_events": points,
        "order": ORDERS[0],
        "approach": "from below",
        "settings": {},
    }
