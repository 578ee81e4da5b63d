"""From a table of columns to what was measured: axis, signals, errors, pattern of bunches and laser."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beamline.records.importing.axis import find_axis, order_of
from beamline.records.importing.choices import Choices
from beamline.records.importing.errors import ImportRefusedError
from beamline.records.importing.own import is_own, of_result, own_columns
from beamline.records.importing.phases import are_phases, of_phases
from beamline.records.importing.signals import of_columns
from beamline.records.importing.table import Table
from reduction.counting.phases import Pattern

ONE_SLOT = Pattern(1, 1, 0, 1.0)
"""Of a file that knows neither bunches nor laser."""
FEWEST = 8
"""Points of a scan."""


@dataclass(frozen=True)
class Measured:
    """A scan as it becomes a run; N points.

    Attributes
    ----------
    kind : str
        How it is reduced: ``counts`` or ``rates`` by phase, ``pair`` (laser on and off), ``static``, ``result``
        (finished), or ``table``, which is not.
    axis : str
        Key of `reduction.documents.raw.AXES`; empty for a table.
    grid : ndarray, shape (N,)
        Ascending, keV, ps or mJ/cm2.
    data : mapping of str to ndarray
        By data key, first axis N.
    lines : ndarray of int, shape (N,)
        Of the first row of each point.
    pattern : Pattern
    errors : str
        Where they come from: ``counting``, ``given`` or ``scatter``.
    what : str
        The formula of the signal, in labels of the file.
    finished : mapping
        Arrays of a result; else empty.
    pump_delay : float, ps
        Of slot 0.
    slot_delays : tuple of float, ps
        Of a finished result, whose slots need not be evenly spaced; else empty, and `pattern` gives them.
    remarks : tuple of str
    """

    kind: str
    axis: str
    grid: NDArray[np.float64]
    data: Mapping[str, NDArray[Any]]
    lines: NDArray[np.int64]
    pattern: Pattern = ONE_SLOT
    errors: str = "scatter"
    what: str = ""
    pump_delay: float = 0.0
    slot_delays: tuple[float, ...] = ()
    finished: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def measured_of(table: Table, choices: Choices) -> Measured:
    """What a table holds.

    Raises
    ------
    ImportRefusedError
        If columns are missing or do not fit, naming them or a line.
    """
    axis = find_axis(table, choices)
    if axis is None:
        return _plain(table)
    if table.result:
        return replace(_empty(axis.key, axis.values, table), **of_result(table, axis.key))
    order, point, remarks = order_of(axis, table)
    if point[-1] + 1 < FEWEST:
        raise ImportRefusedError(f"it has {point[-1] + 1} points, and {FEWEST} are needed for a scan")
    found = _columns(table, axis.label, axis.key, axis.values, choices)
    data = {key: _merged(key, values[order], point) for key, values in found.pop("data").items()}
    first = np.searchsorted(point, np.arange(point[-1] + 1))
    lines = table.lines[order][first]
    grid = np.bincount(point, axis.values[order]) / np.bincount(point)
    remarks = (*table.remarks, *remarks, *found.pop("remarks"))
    return Measured(axis=axis.key, grid=grid, data=data, lines=lines, remarks=remarks, **found)


def _columns(table: Table, label: str, axis: str, values: NDArray[np.float64], choices: Choices) -> dict[str, Any]:
    if are_phases(table):
        return of_phases(table, choices)
    if is_own(table):
        return own_columns(table)
    return of_columns(table, label, axis, values, choices)


def _empty(axis: str, grid: NDArray[np.float64], table: Table) -> Measured:
    return Measured("result", axis, grid, {}, table.lines, remarks=table.remarks)


def _plain(table: Table) -> Measured:
    """A table that scans neither energy nor delay nor fluence: its columns, for export."""
    first = next(iter(table.columns.values()))
    remark = "It scans neither energy nor delay nor fluence, so it is kept as a table (--x names the axis)."
    return Measured("table", "", first, {}, table.lines, remarks=(*table.remarks, remark))


def _merged(key: str, values: NDArray[Any], point: NDArray[np.int64]) -> NDArray[Any]:
    """Rows of one point as one: counts and seconds are added, signals averaged, errors in quadrature."""
    if point[-1] + 1 == len(values):
        return values
    shape = (int(point[-1]) + 1, *values.shape[1:])
    squares = key.endswith("_stddev")
    total = np.zeros(shape, values.dtype)
    np.add.at(total, point, values**2 if squares else values)
    if values.dtype.kind in "iu" or key == "seconds":
        return total
    number = np.bincount(point).reshape(-1, *[1] * (values.ndim - 1))
    return np.sqrt(total) / number if squares else total / number
