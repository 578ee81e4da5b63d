"""The absorption edge of an imported spectrum, and the windows of its offset and edge integral."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from beamline.records.importing.choices import Choices
from beamline.records.importing.errors import ImportRefusedError
from beamline.records.importing.table import Array, Table
from plans.compilation.edges import INTEGRAL_START, PRE_EDGE_END, Edge, find_edge

FEWEST_BEFORE, FEWEST_AFTER = 2, 3
"""Points below and above the edge."""
WIDEST_GUESS = 0.05
"""keV from the steepest rise to a tabulated edge."""


@dataclass(frozen=True)
class Windows:
    """Edge with the windows (keV) of offset and edge integral, and remarks."""

    edge: Edge | None
    name: str
    pre_edge: tuple[float, float]
    integral: tuple[float, float]
    remarks: tuple[str, ...] = ()


def windows_of(energy: Array, signal: Array, table: Table, choices: Choices) -> Windows:
    """Edge and windows of a spectrum.

    Parameters
    ----------
    energy : ndarray, shape (N,), keV
    signal : ndarray, shape (N,)
        The absorption, in any unit.
    table : Table
    choices : Choices

    Raises
    ------
    ImportRefusedError
        If the edge is unknown, or the spectrum does not reach to both sides of it.
    """
    edge, remarks = _edge(energy, signal, table, choices)
    below = energy <= edge.e0 + PRE_EDGE_END + 1e-9
    if below.sum() < FEWEST_BEFORE:
        below = energy < edge.e0 - 1e-9
        remarks += (
            "The spectrum begins closer to the edge than the usual window: all points below E0 give the offset.",
        )
    above = energy >= edge.e0 + INTEGRAL_START - 1e-9
    if below.sum() < FEWEST_BEFORE or (energy > edge.e0).sum() < FEWEST_AFTER:
        return _beside(edge, float(energy[0]), float(energy[-1]), remarks)
    end = float(energy[below][-1])
    start = max(float(energy[above][0]), float(np.nextafter(end, np.inf)))
    return Windows(edge, edge.name, (float(energy[0]), end), (start, float(energy[-1])), remarks)


def _beside(edge: Edge, first: float, last: float, remarks: tuple[str, ...]) -> Windows:
    """Of a spectrum on one side of its edge: windows on both sides, so that it is kept, but not normalised."""
    reach = f"does not reach to both sides of {edge.name} at {edge.e0:g} keV"
    said = f"The spectrum, {first:g} to {last:g} keV, {reach} (--edge)."
    low, high = min(first, edge.e0 - 0.1), max(last, edge.e0) + 0.1
    return Windows(edge, edge.name, (low, edge.e0), (max(last, edge.e0) + 1e-6, high), (*remarks, said))


def _edge(energy: Array, signal: Array, table: Table, choices: Choices) -> tuple[Edge, tuple[str, ...]]:
    """The edge by the user, by the file, or nearest to the steepest rise."""
    element, shell = str(table.about.get("element", "")).capitalize(), str(table.about.get("shell", "")).upper()
    for name in (choices.edge, str(table.about.get("edge", "")), f"{element}_{shell}"):
        if name.strip("_"):
            try:
                return find_edge(name), ()
            except ValueError as error:
                if name == choices.edge:
                    raise ImportRefusedError(str(error)) from error
    rise = _steepest(energy, signal)
    import xraydb  # imported here: it takes a second

    element, shell = xraydb.guess_edge(1e3 * rise)
    edge = find_edge(f"{element}_{shell}")
    if abs(edge.e0 - rise) > WIDEST_GUESS:
        raise ImportRefusedError(f"no edge is known near the steepest rise, {rise:g} keV: name it (--edge Fe_K)")
    return edge, (f"The edge is {edge.name}, nearest to the steepest rise at {rise:.4f} keV (--edge).",)


def _steepest(energy: Array, signal: Array) -> float:
    """Energy (keV) of the steepest rise, smoothed over a fortieth of the points."""
    width = max(1, energy.size // 40)
    smooth = np.convolve(signal, np.ones(width) / width, mode="valid")
    at = np.convolve(energy, np.ones(width) / width, mode="valid")
    slopes = np.diff(smooth) / np.diff(at)
    place = int(np.argmax(slopes))
    return float(at[place] + at[place + 1]) / 2


def no_edge(choices: Choices, table: Table, energy: Any = None) -> Windows:
    """Of a delay or fluence scan: the edge by name if the user or the file has one, and windows that are not used."""
    name = choices.edge or str(table.about.get("edge", ""))
    try:
        found: Windows | None = None if not name else Windows(find_edge(name), name, (0.0, 1.0), (1.0, 2.0))
    except ValueError as error:
        raise ImportRefusedError(str(error)) from error
    return found or replace(Windows(None, "unknown", (0.0, 1.0), (1.0, 2.0)))
