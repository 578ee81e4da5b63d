"""Absorption edges: where to measure, and the windows that the reduction uses."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plans.compilation.edge_grid import DEFAULT_REGIONS, FINEST, relative_grid, row_of
from plans.compilation.edge_table import EdgeData, edge_data
from plans.compilation.grid import Region, compile_regions

Window = tuple[float, float]

PACKAGED = "edges.toml"
"""File with the entries that come with the program."""


@dataclass(frozen=True)
class Edge:
    """One absorption edge.

    Attributes
    ----------
    name : str
        As plans, files and figures name it, for example ``Fe_K``.
    element, shell : str
        For example ``Fe`` and ``K``.
    e0 : float
        Edge energy, keV.
    core_hole_width : float
        Natural width of the core level, eV.
    energies : tuple of float
        Grid of a scan, keV, ascending.
    pre_edge, integral : tuple of float
        Windows (keV) of the flat offset and of the edge integral.
    main_feature : float, optional
        Energy (keV) of the main transient feature, where delay and fluence scans measure.
    comparison_main, comparison_pre : tuple of float, optional
        Windows (keV) of the comparison parameter C; both or neither.
    """

    name: str
    element: str
    shell: str
    e0: float
    core_hole_width: float
    energies: tuple[float, ...]
    pre_edge: Window
    integral: Window
    main_feature: float | None = None
    comparison_main: Window | None = None
    comparison_pre: Window | None = None

    @property
    def comparison(self) -> tuple[Window, Window] | None:
        """Windows (keV) of C, numerator and denominator."""
        if self.comparison_main is None or self.comparison_pre is None:
            return None
        return self.comparison_main, self.comparison_pre

    def grid(self) -> NDArray[np.float64]:
        """Energies of a scan in keV, ascending."""
        return np.array(self.energies)

    def document(self) -> dict[str, Any]:
        """What start documents record beside the name, the grid and the settings."""
        known = {
            "element": self.element,
            "shell": self.shell,
            "e0": self.e0,
            "core_hole_width": self.core_hole_width,
            "main_feature": self.main_feature,
            "comparison_main": self.comparison_main,
            "comparison_pre": self.comparison_pre,
        }
        return {key: list(value) if isinstance(value, tuple) else value for key, value in known.items() if value}


ENTRIES = frozenset(
    {
        "element", "shell", "e0", "core_hole_width", "regions", "relative_regions", "pre_edge", "integral",
        "main_feature", "comparison_main", "comparison_pre",
    }
)  # fmt: skip
"""Keys of an entry."""


def edge_of(name: str, entry: Mapping[str, Any]) -> Edge:
    """An edge from an entry; what the entry leaves out comes from `xraydb` and from E0.

    Parameters
    ----------
    name : str
    entry : mapping
        Keys as in `ENTRIES`: ``regions`` are rows of start (keV), stop (keV) and step (eV); ``relative_regions`` rows
        of start and stop (eV from E0) and step, a number of eV or a text such as ``"0.1k"`` of 1/angstrom; the others
        as the attributes of `Edge`.

    Raises
    ------
    ValueError
        Naming the edge and what is wrong with it.
    """
    if unknown := sorted(set(entry) - ENTRIES):
        raise ValueError(f"edge {name}: {', '.join(unknown)} is not known; known are {', '.join(sorted(ENTRIES))}")
    data = _data(name, entry)
    try:
        energies = _energies(entry, data)
        edge = Edge(
            name=name,
            **asdict(data),
            energies=tuple(energies.tolist()),
            pre_edge=_window(entry, "pre_edge") or (float(energies[0]), round(data.e0 + PRE_EDGE_END, 6)),
            integral=_window(entry, "integral") or (round(data.e0 + INTEGRAL_START, 6), float(energies[-1])),
            main_feature=entry.get("main_feature"),
            comparison_main=_window(entry, "comparison_main"),
            comparison_pre=_window(entry, "comparison_pre"),
        )
        _check(edge)
    except ValueError as error:
        raise ValueError(f"edge {name}: {error}") from error
    return edge


PRE_EDGE_END = -0.012
INTEGRAL_START = -0.010
"""Default windows in keV from E0: the pre-edge one from the first energy, the integral one to the last."""
LEAST_IN_INTEGRAL = 2
"""Points that an edge integral needs."""
EDGE_REGION = (-5.0, 15.0)
"""Where, in eV from E0, the step of a grid may not exceed the core-hole width."""


def _data(name: str, entry: Mapping[str, Any]) -> EdgeData:
    """Element, shell, E0 and core-hole width: those of the entry, else the tabulated ones."""
    own = {field.name: entry[field.name] for field in fields(EdgeData) if entry.get(field.name)}
    if len(own) == len(fields(EdgeData)):
        return EdgeData(**own)
    return replace(edge_data(name, own.get("element"), own.get("shell")), **own)


def _energies(entry: Mapping[str, Any], data: EdgeData) -> NDArray[np.float64]:
    """Grid of an entry in keV."""
    if entry.get("regions") and entry.get("relative_regions"):
        raise ValueError("give regions (keV) or relative_regions (eV from E0), not both")
    if regions := entry.get("regions"):
        return compile_regions([Region(*row_of(row)) for row in regions])
    return relative_grid(entry.get("relative_regions") or DEFAULT_REGIONS, data.e0, data.core_hole_width)


def _window(entry: Mapping[str, Any], key: str) -> Window | None:
    pair = entry.get(key)
    if pair is None:
        return None
    low, high = (float(each) for each in pair)
    if not low < high:
        raise ValueError(f"{key} must go from a lower to a higher energy in keV, not {list(pair)}")
    return low, high


def _check(edge: Edge) -> None:
    """Refuse an edge whose grid or windows cannot give a result.

    Raises
    ------
    ValueError
    """
    grid = edge.grid()
    check_windows(edge.pre_edge[1], edge.integral[0])
    for key in ("pre_edge", "integral", "comparison_main", "comparison_pre"):
        window = getattr(edge, key)
        if window is not None and not _inside(grid, window).any():
            raise ValueError(f"{key}, {window[0]:g} to {window[1]:g} keV, holds no point of the grid")
    if (edge.comparison_main is None) != (edge.comparison_pre is None):
        raise ValueError("comparison_main and comparison_pre belong together: give both, or neither")
    if edge.main_feature is not None and not grid[0] <= edge.main_feature <= grid[-1]:
        raise ValueError(
            f"main_feature {edge.main_feature:g} keV is outside of the grid, {grid[0]:g} to {grid[-1]:g} keV"
        )
    if too_coarse := coarse(grid, edge.e0, edge.core_hole_width, edge.integral):
        raise ValueError(too_coarse)


def check_windows(pre_edge_end: float, integral_start: float) -> None:
    """Refuse windows of offset and edge integral (keV) that overlap.

    Raises
    ------
    ValueError
    """
    if pre_edge_end > integral_start:
        raise ValueError(
            f"pre_edge ends at {pre_edge_end:g} keV, above {integral_start:g} keV where integral begins: the windows"
            " must not overlap"
        )


def coarse(grid: NDArray[np.float64], e0: float, core_hole_width: float, integral: Window) -> str:
    """Why a grid (keV) is too coarse for an edge at `e0` (keV) of that core-hole width (eV); empty if it is not."""
    if (inside := int(_inside(grid, integral).sum())) < LEAST_IN_INTEGRAL:
        low, high = integral
        return (
            f"the grid is too coarse: {inside} points in the integral window, {low:g} to {high:g} keV, give no edge"
            " integral"
        )
    low, high = (e0 + 1e-3 * each for each in EDGE_REGION)
    steps = 1e3 * np.diff(grid)[(grid[1:] > low) & (grid[:-1] < high)]
    step = float(steps.max()) if steps.size else np.inf
    if step <= max(core_hole_width, FINEST) + 1e-6:
        return ""
    if not np.isfinite(step):
        return f"the grid has no points at E0, {e0:g} keV"
    return (
        f"the grid is too coarse: steps of up to {step:.3g} eV at E0, {e0:g} keV, where the core-hole width is"
        f" {core_hole_width:g} eV"
    )


def _inside(grid: NDArray[np.float64], window: Window) -> NDArray[np.bool_]:
    return np.asarray((window[0] - 1e-9 <= grid) & (grid <= window[1] + 1e-9))


@cache
def packaged_entries() -> Mapping[str, Mapping[str, Any]]:
    """Entries of the edges that come with the program, by name."""
    content = tomllib.loads((files("plans.compilation") / PACKAGED).read_text(encoding="utf-8"))
    return MappingProxyType(content["edges"])


@cache
def _without_changes(name: str) -> Edge:
    return edge_of(name, packaged_entries().get(name, {}))


def find_edge(edge: str | Edge) -> Edge:
    """The edge of that name, from the entries that come with the program or from `xraydb`; an `Edge` is returned.

    Raises
    ------
    ValueError
        If it is not known; the message suggests those that may be meant.
    """
    if isinstance(edge, Edge):
        return edge
    if not isinstance(edge, str):
        shown = [each.name if isinstance(each, Edge) else each for each in edge] if isinstance(edge, list) else edge
        raise ValueError(f"edge must be one element and edge such as Fe_K, not {shown!r}")
    return _without_changes(edge)


def find_edges(edges: str | Edge | Sequence[str | Edge]) -> tuple[Edge, ...]:
    """One or several different edges by their names.

    Raises
    ------
    ValueError
        If one is unknown or repeated, or there is none.
    """
    several = [edges] if isinstance(edges, str | Edge) or not isinstance(edges, Sequence) else edges
    if not several:
        raise ValueError("edge must name at least one edge, such as Fe_K")
    found = tuple(find_edge(each) for each in several)
    names = [each.name for each in found]
    if len(set(names)) < len(names):
        raise ValueError(f"edge holds the same name twice: {', '.join(names)}")
    return found


def main_feature(edge: Edge, argument: str = "energy") -> float:
    """Energy (keV) of the main feature.

    Raises
    ------
    ValueError
        If it is not known; `argument` is that of the plan that takes it.
    """
    if edge.main_feature is None:
        raise ValueError(
            f"{argument}: the main feature of {edge.name} is not known; give {argument} in keV, or take an energy scan"
            " of this sample first"
        )
    return edge.main_feature
