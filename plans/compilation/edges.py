"""The absorption edges of the experiment: where to measure, and the windows that the reduction uses.

Energies of features and of the windows of the comparison parameter C are those of the paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from plans.compilation.grid import Region, compile_regions

Window = tuple[float, float]


@dataclass(frozen=True)
class Edge:
    """One absorption edge.

    Attributes
    ----------
    name : str
    regions : tuple of Region
    pre_edge, integral : tuple of float
        Windows (keV) of the flat offset and of the edge integral.
    main_feature : float
        Energy (keV) of the main transient feature.
    comparison_main, comparison_pre : tuple of float
        Windows (keV) of the comparison parameter C.
    """

    name: str
    regions: tuple[Region, ...]
    pre_edge: Window
    integral: Window
    main_feature: float
    comparison_main: Window
    comparison_pre: Window

    def grid(self) -> NDArray[np.float64]:
        """Energies of a scan in keV, ascending."""
        return compile_regions(self.regions)


EDGES = MappingProxyType(
    {
        "Br_K": Edge(
            name="Br_K",
            regions=(
                Region(13.450, 13.462, 2.0),
                Region(13.462, 13.466, 0.5),
                Region(13.466, 13.478, 0.25),
                Region(13.478, 13.488, 0.5),
                Region(13.488, 13.512, 1.0),
                Region(13.512, 13.542, 3.0),
                Region(13.542, 13.570, 4.0),
            ),
            pre_edge=(13.450, 13.460),
            integral=(13.462, 13.570),
            main_feature=13.472,
            comparison_main=(13.471, 13.472),
            comparison_pre=(13.468, 13.469),
        ),
        "Pb_L3": Edge(
            name="Pb_L3",
            regions=(
                Region(13.000, 13.020, 4.0),
                Region(13.020, 13.026, 1.0),
                Region(13.026, 13.036, 0.4),
                Region(13.036, 13.048, 0.25),
                Region(13.048, 13.064, 0.4),
                Region(13.064, 13.080, 1.0),
                Region(13.080, 13.140, 4.0),
            ),
            pre_edge=(13.000, 13.020),
            integral=(13.022, 13.140),
            main_feature=13.043,
            comparison_main=(13.044, 13.047),
            comparison_pre=(13.037, 13.040),
        ),
    }
)


def find_edge(name: str) -> Edge:
    """The edge of that name.

    Raises
    ------
    ValueError
        If it is not known; the message lists those that are.
    """
    if not isinstance(name, str):
        raise ValueError(f"edge must be one of {', '.join(EDGES)}, not {name!r}")
    if name not in EDGES:
        raise ValueError(f"edge {name!r} is not known; known are {', '.join(EDGES)}")
    return EDGES[name]


def find_edges(names: str | Sequence[str]) -> tuple[Edge, ...]:
    """One or several different edges by their names.

    Raises
    ------
    ValueError
        If one is unknown or repeated, or there is none.
    """
    several = [names] if isinstance(names, str) or not isinstance(names, Sequence) else names
    if not several:
        raise ValueError(f"edge must name at least one of {', '.join(EDGES)}")
    found = tuple(find_edge(name) for name in several)
    if len(set(several)) < len(several):
        raise ValueError(f"edge holds the same name twice: {', '.join(several)}")
    return found
