"""The inset of Figure 2: the perovskite of tilted octahedra, as a drawing; no data are in it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from beamline.outputs.figure import COLOURS

Array = NDArray[np.float64]

ATOMS = {"Pb": (COLOURS[6], 46.0), "Br": (COLOURS[1], 16.0), "Cs": ("0.6", 70.0)}
"""Colour and size."""
IN_PHASE, OUT_OF_PHASE = np.radians(9.0), np.radians(8.0)
"""Tilts about the long axis and about the others (a-a-c+ of Glazer, Acta Cryst. B 28, 3384 (1972)), which leave the
angles Pb-Br-Pb of orthorhombic CsPbBr3, near 160 degrees."""
VIEW = np.array([[0.97, -0.24, 0.0], [-0.07, -0.28, 0.96]])
TOWARDS = np.array([-0.24, -0.93, -0.29])
"""Directions of the drawing in the crystal: to the right and up; away from who looks."""
CELLS = range(3)


def atoms() -> Iterator[tuple[str, Array]]:
    """Name and place, in cubic cells, of the atoms of two by two by two octahedra and what lies between them."""
    for i, j, k in product(CELLS, repeat=3):
        here, sign, layer = np.array([i, j, k], dtype=float), (-1.0) ** (i + j), (-1.0) ** k
        yield "Pb", here
        turn, tilt = 0.5 * sign * np.tan(IN_PHASE), 0.5 * sign * layer * np.tan(OUT_OF_PHASE)
        for step, moved in (
            ((0.5, 0, 0), (0, turn, tilt)),
            ((0, 0.5, 0), (-turn, 0, -tilt)),
            ((0, 0, 0.5), (-tilt, tilt, 0)),
        ):
            place = here + np.array(step)
            if place.max() <= CELLS[-1]:
                yield "Br", place + np.array(moved)
        if max(i, j, k) < CELLS[-1]:
            yield "Cs", here + 0.5


def draw_structure(axes: Axes, box: tuple[float, float, float, float]) -> None:
    """Draw it into a part (x, y, width, height) of a panel."""
    inset: Any = axes.inset_axes(box)
    found = sorted(atoms(), key=lambda atom: -float(TOWARDS @ atom[1]))
    leads = [place for name, place in found if name == "Pb"]
    for name, place in found:
        for lead in leads if name == "Br" else ():
            if np.linalg.norm(place - lead) < 0.6:
                ends = np.stack([place, lead]) @ VIEW.T
                inset.plot(*ends.T, color="0.75", lw=0.7, zorder=1)
    for depth, (name, place) in enumerate(found):
        colour, size = ATOMS[name]
        inset.scatter(*(VIEW @ place), s=size, color=colour, edgecolor="white", linewidth=0.4, zorder=2 + depth)
    inset.set_aspect("equal")
    inset.set_axis_off()
    inset.set_title("CsPbBr3 (drawing)", fontsize=7, pad=1)
