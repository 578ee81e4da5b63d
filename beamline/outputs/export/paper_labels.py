"""Labels of figures in the paper's layout, and which of very many slots they draw."""

from __future__ import annotations

import numpy as np

from beamline.formatting import printable
from beamline.outputs.export.result import Result

MOST_DRAWN = 14
"""Slots that are drawn of an energy scan unless they are chosen."""


def spread_slots(slots: list[int]) -> list[int]:
    """All of some slots; of very many those that lie evenly on a logarithmic scale."""
    if len(slots) <= MOST_DRAWN:
        return slots
    places = np.unique(np.geomspace(1, len(slots), MOST_DRAWN).astype(int) - 1)
    return [slots[place] for place in places]


def trace_label(result: Result) -> str:
    """Label of a trace: edge and probe energy, or the file of an imported one that knows neither."""
    if "probe_energy" not in result.start:
        return printable(result.imported.get("file", result.start.get("edge", "")))
    return f"{title_of_edge(result.start.get('edge', ''))}, {result.start['probe_energy']} keV"


def title_of_edge(edge: object) -> str:
    """An edge as the paper writes it."""
    return printable(edge).replace("_", " ")


def fit_label(result: Result) -> str:
    """Label of a fit with its chi-square."""
    assert result.fit is not None  # it is drawn
    agreement = f"chi-square {float(result.fit['chi_square']):.0f} for {int(result.fit['freedom'])} degrees of freedom"
    return f"{title_of_edge(result.start.get('edge', ''))}: fit, {agreement}"
