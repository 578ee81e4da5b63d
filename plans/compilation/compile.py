"""Compiles scans: grids and options to a program, without any instrument."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from plans.compilation.compiled_scan import CompiledScan, DwellSettings, ScanPass
from plans.compilation.edges import Edge
from plans.compilation.options import Options, checked_dwelling, new_uid
from plans.compilation.positions import ORDERS, Position, visit_order


@dataclass(frozen=True)
class GridSpec:
    """One set of passes: what is scanned, and where the other axes stand.

    Attributes
    ----------
    scan_axis : str
        Data key of the axis that is scanned.
    positions : sequence of Position
        Points of the grid, ascending.
    grid : sequence of float
        Their values on the scanned axis.
    edge : Edge
    place : mapping
        Entries of the start document that say where the other axes stand.
    """

    scan_axis: str
    positions: Sequence[Position]
    grid: Sequence[float]
    edge: Edge
    place: Mapping[str, Any] = field(default_factory=dict)


def compile_scan(
    plan_name: str, members: Sequence[GridSpec], passes: int, dwell: float, options: Options
) -> CompiledScan:
    """Passes over one or several grids; with several, all are passed over once before the second time.

    Raises
    ------
    ValueError
        Naming the argument that is wrong.
    """
    dwelling = checked_dwelling(dwell, passes, options)
    several = len(members) > 1
    if several and options.get("scan_set"):
        raise ValueError("scan_set can be gone on with one set at a time, not with several edges, delays or energies")
    uids = [str(uuid4()) if several else new_uid(options) for _ in members]
    series = str(uuid4()) if several else uids[0]
    shared = {"series": series, "members": _listed(members, uids)} if several else {}
    compiled = []
    for scan_index in range(int(passes)):
        for member, uid in zip(members, uids, strict=True):
            visits = visit_order(len(member.positions), options.get("order", ORDERS[0]), scan_index, uid)
            start = {
                **_common(plan_name, member, dwelling, passes, options),
                "scan_set": uid,
                "scan_index": scan_index,
                "visit_order": visits,
                **shared,
                **(options.get("md") or {}),
            }
            compiled.append(ScanPass(tuple(member.positions[i] for i in visits), dwelling, start))
    return CompiledScan(series, tuple(compiled), judged=options.get("target") is not None)


def _listed(members: Sequence[GridSpec], uids: Sequence[str]) -> list[dict[str, Any]]:
    """All members of a series, so that each start document says what those that were never begun would have been."""
    return [
        {
            "scan_set": uid,
            "edge": member.edge.name,
            "grid": [float(value) for value in member.grid],
            "windows": {"pre_edge": list(member.edge.pre_edge), "integral": list(member.edge.integral)},
            **member.place,
        }
        for member, uid in zip(members, uids, strict=True)
    ]


def _common(plan_name: str, member: GridSpec, dwelling: DwellSettings, passes: int, options: Options) -> dict[str, Any]:
    """What the start documents of all passes over a grid have in common."""
    edge, points = member.edge, len(member.positions)
    target, fluence, background = (options.get(name) for name in ("target", "fluence", "background"))
    judged = {"target": target, "longest": dwelling.longest} if target is not None else {}
    placed = {"pump_fluence": fluence} if fluence is not None else {}
    known = {"background": background} if background else {}
    return {
        "plan_name": plan_name,
        "edge": edge.name,
        "scan_axis": member.scan_axis,
        "grid": [float(value) for value in member.grid],
        **placed,
        **member.place,
        "reference": options.get("reference") or "",
        "pattern": list(dwelling.pattern),
        "dwell": dwelling.dwell,
        "attempts": dwelling.attempts,
        **judged,
        **known,
        "passes": int(passes),
        "num_points": points,
        "num_events": points * len(dwelling.pattern) * dwelling.cycles,
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
