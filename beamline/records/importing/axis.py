"""The scanned axis of a table: which column, its unit, ascending and each value once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from beamline.records.importing.choices import DELAY, ENERGY, FLUENCE, Choices, column, first_label
from beamline.records.importing.errors import ImportRefusedError
from beamline.records.importing.table import Array, Table
from reduction.documents.raw import DELAY_AXIS, ENERGY_AXIS, FLUENCE_AXIS

HC = 12.398419843320026
"""keV angstrom; CODATA 2018, exact."""
KEV_OF = {"kev": 1.0, "ev": 1e-3}
PS_OF = {"ps": 1.0, "ns": 1e3, "us": 1e6, "ms": 1e9, "s": 1e12, "sec": 1e12, "fs": 1e-3}
LOWEST, HIGHEST = 0.03, 150.0
"""keV; absorption edges are measured between."""
SAME = 1e-6
"""keV; two rows closer than this are at one energy, far below what a monochromator resolves."""
OLD_DELAYS = ("laserd", "dutd")
"""Labels of delays in ns of which the pump comes first where they are negative (trxasviewer)."""


@dataclass(frozen=True)
class ScannedAxis:
    """An axis: key of `reduction.documents.raw.AXES`, values in its unit, label in the file, remarks."""

    key: str
    values: Array
    label: str
    remarks: tuple[str, ...] = ()


def find_axis(table: Table, choices: Choices) -> ScannedAxis | None:
    """The scanned axis; None if the table scans something else.

    Raises
    ------
    ImportRefusedError
        If the user's column is missing, or values do not fit their unit.
    """
    label = choices.x or _label(table)
    if not label:
        return None
    values = column(table, label, "the axis")
    unit = (choices.unit or table.units.get(label, "")).strip()
    low, bare = label.lower(), unit.lstrip("-").lower()
    if bare == "mj/cm2" or (not unit and first_label([label], FLUENCE)):
        return ScannedAxis(FLUENCE_AXIS, values, label)
    if bare in PS_OF or (not unit and first_label([label], DELAY)):
        return _delays(values, label, unit or _unit_of_delay(low), stated=bool(unit))
    return _energies(values, label, unit, table)


def _label(table: Table) -> str:
    stated = [
        label for label, unit in table.units.items() if unit.lower() in (*KEV_OF, "deg") and label in table.columns
    ]
    for patterns in (ENERGY, DELAY, FLUENCE):
        if found := first_label(stated, patterns) or first_label(table.columns, patterns):
            return found
    if stated:
        return stated[0]
    first = next(iter(table.columns))
    values = table.columns[first]
    return first if first == "col1" and np.ptp(values) > 0 and (values > 1e3 * LOWEST).all() else ""


def _unit_of_delay(label: str) -> str:
    if label in OLD_DELAYS:
        return "-ns"
    ends = label.rsplit("_", 1)[-1]
    return ends if ends in PS_OF else "ps"


def _delays(values: Array, label: str, unit: str, stated: bool) -> ScannedAxis:
    factor = PS_OF[unit.lstrip("-").lower()] * (-1.0 if unit.startswith("-") else 1.0)
    said = (
        f"{label} counts as {unit.lstrip('-')}{', negative after the pump' if factor < 0 else ''} (--unit changes it)."
    )
    return ScannedAxis(DELAY_AXIS, values * factor, label, () if stated else (said,))


def _energies(values: Array, label: str, unit: str, table: Table) -> ScannedAxis:
    if unit.lower() in ("deg", "degree", "degrees"):
        return _from_angles(values, label, table)
    if unit and unit.lower() not in KEV_OF:
        raise ImportRefusedError(f"{label} is in {unit!r}, and eV, keV, deg, ps, ns, s or mJ/cm2 are known (--unit)")
    guessed = "eV" if float(np.max(np.abs(values))) > HIGHEST else "keV"
    found = values * KEV_OF[(unit or guessed).lower()]
    if wrong := np.flatnonzero((found < LOWEST) | (found > HIGHEST)).tolist():
        raise ImportRefusedError(
            f"{table.named_line(wrong[0])}: {label} is {found[wrong[0]]:g} keV if its unit is {unit or guessed}:"
            " give the unit (--unit eV or keV) or the column of the energy (--x)"
        )
    return ScannedAxis(ENERGY_AXIS, found, label, () if unit else (f"{label} counts as {guessed}, by its size.",))


def _from_angles(values: Array, label: str, table: Table) -> ScannedAxis:
    """Energies of Bragg angles."""
    spacing = table.about.get("d_spacing")
    if spacing is None:
        raise ImportRefusedError(f"{label} is in degrees, and the header has no lattice spacing of the monochromator")
    sine = np.sin(np.radians(values))
    if wrong := np.flatnonzero(sine <= 0).tolist():
        raise ImportRefusedError(
            f"{table.named_line(wrong[0])}: {label} of {values[wrong[0]]:g} degrees is no Bragg angle"
        )
    return ScannedAxis(
        ENERGY_AXIS, HC / (2 * spacing * sine), label, (f"Energies are from {label}, d = {spacing:g} angstrom.",)
    )


def order_of(axis: ScannedAxis, table: Table) -> tuple[NDArray[np.int64], NDArray[np.int64], tuple[str, ...]]:
    """Ascending order of rows, the point of each of them, and remarks about rows out of order or at one value.

    Returns
    -------
    order : ndarray of int, shape (N,)
    point : ndarray of int, shape (N,)
        Of each row in that order; equal for rows at one value.
    remarks : tuple of str
    """
    values = axis.values
    order = np.argsort(values, kind="stable")
    steps = np.diff(values[order])
    same = steps <= (SAME if axis.key == ENERGY_AXIS else 1e-9 * max(1.0, float(np.ptp(values))))
    point = np.concatenate([[0], np.cumsum(~same)])
    remarks = list(axis.remarks)
    turns = np.diff(values)
    if (turns < 0).all() and turns.size:
        remarks.append(f"{axis.label} descends in the file: rows were turned round.")
    elif out := np.flatnonzero(turns < 0).tolist():
        where = table.named_line(out[0] + 1)
        remarks.append(f"{len(out)} rows were sorted by {axis.label}, the first at {where}.")
    if doubled := int(same.sum()):
        where = table.named_line(int(order[1:][same].min()))
        remarks.append(f"{doubled} rows repeat a value of {axis.label} and were averaged, the first at {where}.")
    return order, point, tuple(remarks)
