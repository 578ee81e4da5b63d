"""The offset of the energy, by the edge of a foil scanned from below and from above."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from bluesky.utils import MsgGenerator

from plans.commissioning.counts import count
from plans.commissioning.find import Search, find
from plans.commissioning.roles import Bench, Judge, Judged, Rows
from plans.compilation.arguments import check_passes_and_dwell, check_positive
from plans.compilation.edges import Edge, find_edge
from plans.compilation.positions import OVERSHOOT
from plans.execution.messages import move
from plans.execution.point import MOVE_TIMEOUT
from plans.protocols import Axis

WIDE = np.arange(-0.010, 0.01025, 0.0005)
"""keV from the tabulated edge, where it is looked for."""
CLOSE = np.arange(-0.0025, 0.00263, 0.00025)
"""keV from the edge as found, where its position is measured."""
REPEATS = 2
"""Scans in each direction between two looks at what they gave: their scatter gives the errors."""
UP_KEY, SET_KEY, EDGE_KEY, CLOSE_KEY = "upwards", "set_energy", "edge_of_foil", "close"
"""Keys, in the readings for the judge, of the direction of the approach, of the energy as set (keV), of the edge, and
of whether the scan is a close one."""
POSITION = "position_keV"
"""Number of the finding with the edge as shown."""


def find_energy(
    bench: Bench,
    judge: Judge,
    apply: bool = False,
    *,
    edge: str | Edge = "Br_K",
    target: float = 0.02,
    most_passes: int = 12,
    dwell: float = 0.1,
    md: Mapping[str, Any] | None = None,
) -> MsgGenerator[Judged]:
    """Find the offset of the energy by the edge of a foil, and the backlash of the drive.

    The energy is scanned over the edge upwards and downwards, then closer around it until its position is known to the
    target, X-rays on and laser off; it is afterwards as before. Where foils are on a stage (role ``foil_stage``), that
    of the edge is moved into the beam, and the stage back afterwards. A foil is a detector of kind ``foil``, between a
    chamber before it (kind ``transmission``, or I0) and one behind it.

    Parameters
    ----------
    apply : bool
        Set the calibration offset of the monochromator, and confirm it by measuring again. No energy is shifted by it:
        it is recorded with each run.
    edge : str
        Element and edge of the foil, such as ``Fe_K``.
    target : float
        eV; standard deviation of the offset from which on no further scan is made.
    most_passes : int
        Most close scans in each direction.
    dwell : float
        Beamline seconds of each count.
    md : dict, optional
        More metadata for the start document.

    Returns
    -------
    Finding
        True minus shown energy (eV), with the backlash.

    Raises
    ------
    ValueError
        Before anything moves, naming the argument that is wrong; also without a foil.
    plans.execution.failures.InstrumentError
        If an instrument fails; settings are then as before.

    Examples
    --------
    Show the offset, then set it:

    >>> RE(find_energy(edge="Br_K"))
    >>> RE(find_energy(edge="Br_K", apply=True))
    """
    check_passes_and_dwell(most_passes, dwell)
    check_positive("target", target, "eV")
    if bench.foil is None:
        raise ValueError('find_energy needs a foil: write a table [detectors.NAME] with kind = "foil" and its device')
    of_foil = find_edge(edge)
    stage = _on_stage(bench, of_foil)
    calibration, xrays = bench.needed("calibration"), bench.instruments.axis("energy")
    for end in (WIDE[0] - OVERSHOOT, WIDE[-1] + OVERSHOOT):
        xrays.check_value(float(of_foil.e0 + end))
    conditions = {"e0_keV": of_foil.e0}
    known: list[float] = []

    def scans(energies: np.ndarray, first: int, close: int) -> MsgGenerator[list[dict[str, Any]]]:
        labels = {EDGE_KEY: of_foil.name, CLOSE_KEY: close}
        return (yield from _scans(bench, xrays, energies, dwell, first, labels))

    def measure() -> MsgGenerator[Rows]:
        for axis, position in stage.items():
            yield from move(axis, position, MOVE_TIMEOUT)
        if not known:
            wide = yield from scans(of_foil.e0 + WIDE, 0, 0)
            found = judge(wide, conditions)
            if found.verdict == "bad":
                return wide
            known.append(found.numbers[POSITION][0])
        rows: list[dict[str, Any]] = []
        for _ in range(0, most_passes, REPEATS):
            rows += yield from scans(known[-1] + CLOSE, len(rows), 1)
            if judge(rows, conditions).stddev < target:
                break
        return rows

    search = Search(
        "energy", measure, judge, {"calibration": calibration}, (xrays, *stage), 0.02, dwell, conditions, scanned=xrays
    )
    return (yield from find(bench, search, apply, {EDGE_KEY: of_foil.name, **(md or {})}))


def _on_stage(bench: Bench, of_foil: Edge) -> dict[Axis, float]:
    """The stage of the foils with its position for the foil of an edge, if there is a stage."""
    if bench.foil_stage is None:
        return {}
    if of_foil.name not in bench.foils:
        known = ", ".join(bench.foils) or "none"
        raise ValueError(
            f"edge: the foil_stage has no known position for the foil of {of_foil.name} (known: {known}); write"
            f" {of_foil.name} = POSITION below [commissioning.foils]"
        )
    position = bench.foils[of_foil.name]
    bench.foil_stage.check_value(position)
    return {bench.foil_stage: position}


def _scans(
    bench: Bench, xrays: Axis, upwards: np.ndarray, dwell: float, first: int, labels: Mapping[str, Any]
) -> MsgGenerator[list[dict[str, Any]]]:
    """Scans of some energies upwards and downwards; their readings."""
    rows: list[dict[str, Any]] = []
    for _ in range(REPEATS):
        for up, energies in ((1, upwards), (0, upwards[::-1])):
            yield from move(xrays, float(energies[0] + (-OVERSHOOT if up else OVERSHOOT)), MOVE_TIMEOUT)
            for energy in energies:
                own, settings = {**labels, UP_KEY: up, SET_KEY: float(energy)}, {xrays: float(energy)}
                rows.append((yield from count(bench, settings, dwell, first + len(rows), labels=own)))
    return rows
