"""Rows of a night from a table, and everything that is wrong in its cells."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from beamline.records.journal import JournalError
from beamline.records.runs.run import RunError
from beamline.session.nights import cells
from beamline.session.nights.table import NightTable
from beamline.session.persistent.about import NotAllowedError, checked_text
from beamline.session.persistent.places import PlaceError, Saved, find_place

OF_ROWS = ("sample", "place", "exposure", "plan", "arguments", "priority", "comment")
"""Columns; any other one is an argument of a plan."""
DEFAULT_PLAN = "energy_scan"
LAST = float("inf")
"""Priority of a row without one."""
Plans = Mapping[str, Callable[..., Any]]
"""Plans by name; those with an attribute `compile` are scans."""
REFUSALS = (ValueError, TypeError, LookupError, OverflowError, RunError, JournalError)
"""What plans raise for arguments that they refuse."""


@dataclass(frozen=True)
class CellFault:
    """What is wrong in a cell."""

    row: int
    column: str
    text: str

    def __str__(self) -> str:
        return f"row {self.row}, column {self.column}: {self.text}"


@dataclass(frozen=True)
class NightRow:
    """A row.

    Attributes
    ----------
    number : int
        In the file; the heading is row 1.
    plan : str
    arguments : mapping
        Of the plan.
    sample : str
        Empty: as it is.
    places : tuple of str
        Saved places, the next one where the spot has had its `exposure`; empty: where the sample is.
    exposure : float or None
        Beamline seconds of dwells that a place may take.
    priority : float
        1 before 2.
    key : str
        By which its runs are found again: sample, plan and arguments, and which of equal rows it is.
    """

    number: int
    plan: str = DEFAULT_PLAN
    arguments: Mapping[str, Any] = field(default_factory=dict)
    sample: str = ""
    places: tuple[str, ...] = ()
    exposure: float | None = None
    priority: float = LAST
    key: str = ""


def text_of(night: str, row: NightRow) -> str:
    """A row as JSON, for the queue."""
    entries = {name: value for name, value in vars(row).items() if name != "priority"}
    return json.dumps({"night": night, **entries})


def row_of(text: str) -> tuple[str, NightRow]:
    """The night and the row of such a text.

    Raises
    ------
    ValueError, TypeError
        If it is no such text.
    """
    entries = json.loads(text)
    night = str(entries.pop("night"))
    return night, NightRow(**{"number": 0, **entries, "places": tuple(entries.get("places") or ())})


def read_rows(table: NightTable, plans: Callable[[str], Plans], saved: Saved) -> tuple[list[NightRow], list[CellFault]]:
    """The rows in the order in which they are measured, and all faults; rows with faults are left out.

    Parameters
    ----------
    table : NightTable
    plans : callable
        Takes the sample of a row, empty for the present one; returns the plans by name.
    saved : mapping
        Places.
    """
    rows, faults, same = list[NightRow](), list[CellFault](), Counter[str]()
    for number, given in table.rows:
        reader = _RowReader(number, given, plans, saved)
        row = reader.row()
        faults += reader.faults
        text = json.dumps([row.sample, row.plan, row.arguments], sort_keys=True, default=repr)
        same[text] += 1
        key = hashlib.sha256(f"{text}{same[text]}".encode()).hexdigest()[:12]
        if not reader.faults:
            rows.append(NightRow(**{**vars(row), "key": key}))
    return sorted(rows, key=lambda row: row.priority), faults


class _RowReader:
    """Reads one row, and collects its faults."""

    def __init__(self, number: int, given: Mapping[str, Any], plans: Callable[[str], Plans], saved: Saved) -> None:
        self._number, self._plans, self._saved = number, plans, saved
        self.faults: list[CellFault] = []
        self._given = {
            name: value for name, value in given.items() if self._read(name, cells.checked, value) is not None
        }

    def row(self) -> NightRow:
        name, arguments = str(self._given.get("plan", DEFAULT_PLAN)), self._arguments()
        sample = self._of("sample", lambda value: checked_text("sample", value), "")
        plans = self._plans(sample)
        if name not in plans:
            self._fault("plan", f"{name!r} is no plan; there are {', '.join(plans)}")
        else:
            self._check_plan(plans[name], arguments)
        return NightRow(
            self._number,
            name,
            arguments,
            sample=sample,
            places=self._places(),
            exposure=self._of("exposure", _positive, None),
            priority=self._of("priority", cells.number, LAST),
        )

    def _of(self, column: str, read: Callable[[Any], Any], default: Any) -> Any:
        value = self._read(column, read, self._given[column]) if column in self._given else None
        return default if value is None else value

    def _read(self, column: str, read: Callable[[Any], Any], value: Any) -> Any:
        """The value of a cell; None if it is refused, which is a fault."""
        try:
            return read(value)
        except (cells.CellError, NotAllowedError, PlaceError) as error:
            self._fault(column, str(error))
            return None

    def _fault(self, column: str, text: str) -> None:
        self.faults.append(CellFault(self._number, column, text))

    def _places(self) -> tuple[str, ...]:
        wanted: tuple[str, ...] = self._of("place", cells.names, ())
        for name in wanted:
            self._read("place", lambda each: find_place(self._saved, each), name)
        if "exposure" in self._given and not wanted:
            self._fault("exposure", "is that of a place, and this row has none")
        return wanted

    def _arguments(self) -> dict[str, Any]:
        own: dict[str, Any] = self._of("arguments", cells.arguments, {})
        for name in own.keys() & self._given.keys():
            self._fault(name, "is also given in the column arguments")
        for name in [each for each in self._given if each not in OF_ROWS]:
            try:
                own[name] = cells.argument(name, self._given[name])
            except cells.CellError as error:
                self._fault(name, str(error))
        return own

    def _check_plan(self, plan: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
        parameters = inspect.signature(plan).parameters
        left = {name: value for name, value in arguments.items() if name in parameters}
        for name in arguments.keys() - parameters.keys():
            column = name if name in self._given else "arguments"
            self._fault(column, f"{plan.__name__} has no argument {name!r}; it has {', '.join(parameters)}")
        lacking = [name for name, each in parameters.items() if each.default is each.empty and name not in left]
        for name in lacking:
            self._fault(name, f"{plan.__name__} needs it")
        optional = {name for name, each in parameters.items() if each.default is not each.empty}
        if not lacking and hasattr(plan, "compile"):
            self._compile(plan.compile, left, optional)

    def _compile(self, compiled: Callable[..., Any], left: dict[str, Any], optional: Set[str]) -> None:
        """Compile again and again without the argument that was refused, so that all are named."""
        while True:
            try:
                compiled(**left)
                return
            except REFUSALS as error:
                blamed = next((each for each in re.findall(r"\w+", str(error)) if each in left), "")
                self._fault(blamed if blamed in self._given else "arguments", str(error))
                if blamed not in optional:
                    return
                del left[blamed]


def _positive(value: Any) -> float:
    found = cells.number(value)
    if not found > 0:
        raise cells.CellError(f"must be above 0 s, not {value!r}")
    return found
