"""Notes for the user about the dwells behind a sum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.counting.bunches import STATES, Bunches, DwellIndex
from reduction.counting.kernels import EMPTY, ON

SAME_GAIN = 1e-3
"""Relative; difference up to which two amplifier gains count as equal."""
APART = 5e-5
"""keV; 0.05 eV between two passes fakes 2 % of an edge step."""
NAMED = 3
"""Dwells that a note lists one by one."""
BY_DECISION = "left out by decision"
ODD = "most bunches saturated or without gates, only in this dwell"


@dataclass(frozen=True)
class Dwells:
    """Dwells of a sum; axes N points, R rows.

    Attributes
    ----------
    pass_index : ndarray of int, shape (R,)
        Number of the pass of each row.
    segment : sequence of int, shape (R,)
    laser : ndarray of int8, shape (N, R)
        Laser state of each dwell taken, whether it counts or not; `kernels.EMPTY` for faulty dwells.
    state : ndarray of int8, shape (N, R)
        The same for the good dwells.
    gain, off_point : ndarray, shape (N, R)
        Amplifier gain of I0; energy readback minus the energy of the point, keV.
    """

    pass_index: NDArray[np.int64]
    segment: Sequence[int]
    laser: NDArray[np.int8]
    state: NDArray[np.int8]
    gain: NDArray[np.float64]
    off_point: NDArray[np.float64]

    def name(self, index: DwellIndex) -> str:
        """Label of a dwell: pass, point, segment and laser state."""
        point, row = index
        where = f"pass {self.pass_index[row] + 1}, point {point}, segment {self.segment[row]}"
        laser = self.laser[index]
        return where if laser == EMPTY else f"{where}, laser {'on' if laser == ON else 'off'}"

    def names(self, indices: Sequence[DwellIndex]) -> str:
        """Labels of the first few dwells, and the number of the others."""
        more = f" and {len(indices) - NAMED} more" if len(indices) > NAMED else ""
        return "; ".join(map(self.name, indices[:NAMED])) + more


def sentences(dwells: Dwells, bunches: Bunches, replaced: Mapping[DwellIndex, str]) -> tuple[str, ...]:
    """All notes about the dwells of a sum.

    Parameters
    ----------
    dwells : Dwells
    bunches : Bunches
    replaced : mapping
        Fault of each dwell that replaced a good one of the same pass, point and segment.
    """
    notes = of_bunches(dwells, bunches) + of_gain(dwells) + of_energies(dwells)
    for index, fault in replaced.items():
        notes.append(f"A good dwell was replaced by a later one that is rejected ({dwells.name(index)}): {fault}.")
    return tuple(notes)


def of_bunches(dwells: Dwells, bunches: Bunches) -> list[str]:
    """Bunches or dwells excluded by saturation or missing gates, and how to include them again."""
    notes = []
    for state in (1, 2):
        if (out := np.flatnonzero(bunches.state == state)).size:
            listed = ", ".join(map(str, out))
            notes.append(
                f"Of {bunches.state.size} bunches these are excluded from all sums, since they were {STATES[state]}:"
                f" {listed} ({dwells.names(bunches.caused_by)}). Leave such a point out, or retake it, to include them."
            )
    if bunches.dwells:
        number = len(bunches.dwells)
        notes.append(
            f"{number} dwell{'s are' if number > 1 else ' is'} rejected, since most bunches were saturated or had no"
            f" gates there and nowhere else: {dwells.names(bunches.dwells)}."
        )
    return notes


def of_gain(dwells: Dwells) -> list[str]:
    """A note if the gain of the I0 amplifier changed."""
    gains = np.unique(dwells.gain[dwells.state != EMPTY])
    if gains.size < 2 or gains[-1] < gains[0] * (1 + SAME_GAIN):
        return []
    return [
        f"The gain of I0 changed from {gains[0]:.3g} to {gains[-1]:.3g} within the sum: its dark is valid for"
        " at most one of them. Take a background run at each gain, or leave out the passes at one of them."
    ]


def of_energies(dwells: Dwells) -> list[str]:
    """Notes if the energy readbacks differ between passes, or between the dwells of a pass."""
    counts = dwells.state != EMPTY
    middles = {
        int(index): float(
            np.median(dwells.off_point[:, dwells.pass_index == index][counts[:, dwells.pass_index == index]])
        )
        for index in np.unique(dwells.pass_index)
        if counts[:, dwells.pass_index == index].any()
    }
    if not middles:
        return []
    notes = []
    low, high = min(middles, key=middles.__getitem__), max(middles, key=middles.__getitem__)
    if (apart := middles[high] - middles[low]) > APART:
        notes.append(
            f"Passes {low + 1} and {high + 1} lie {1e3 * apart:.2f} eV apart by the energy readback: the sum"
            " smears the edge. Enable align, or leave one of them out."
        )
    middle = np.array([middles.get(int(index), 0.0) for index in dwells.pass_index])
    away = counts & (np.abs(dwells.off_point - middle) > APART)
    if away.any():
        indices = [(int(point), int(row)) for point, row in zip(*np.nonzero(away), strict=True)]
        most = 1e3 * float(np.abs(dwells.off_point - middle)[away].max())
        notes.append(
            f"{len(indices)} dwells were up to {most:.2f} eV from the energy of the others of their pass:"
            f" {dwells.names(indices)}."
        )
    return notes


def faults_by_point(faults: Mapping[DwellIndex, str]) -> dict[int, tuple[str, ...]]:
    """Reasons why dwells of each point are rejected, each listed once."""
    found: dict[int, dict[str, None]] = {}
    for (point, _), fault in sorted(faults.items()):
        found.setdefault(point, {})[fault] = None
    return {point: tuple(reasons) for point, reasons in found.items()}
