"""Content of a report as plain texts and numbers; the page only arranges it."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beamline.formatting import as_json, duration, format_delay, own_style, when
from beamline.outputs.export.errors import ExportError
from beamline.outputs.export.result import Result, read_result
from beamline.outputs.finding_figure import finding_figure
from beamline.outputs.report.faults import DwellSummary, Fault, damage, dwells_of, interruption, suspensions
from beamline.outputs.report.logbook import correction_rows, note_rows
from beamline.outputs.report.numbers import Quantity, numbers_of
from beamline.outputs.report.shift import Shift
from beamline.records.logbook import read_logbook
from beamline.records.runs.health import health_of
from beamline.records.runs.newest import last_event
from beamline.records.runs.run import Run
from beamline.records.runs.store import RunStore
from beamline.records.runs.table import format_points
from plans.commissioning.document import STREAM as FINDING
from reduction.documents.raw import is_pumped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PNG_DPI = 110
MOST_BAD = 50
"""Most bad dwells of a run listed one by one."""


@dataclass(frozen=True)
class Measurement:
    """A scan set of the shift: its newest result with figure and numbers, or the reason that there is none."""

    title: str
    sample: str
    uids: tuple[str, ...]
    reduced: str = ""
    figure: str = ""
    numbers: tuple[Quantity, ...] = ()
    remark: str = ""
    settings: str = ""
    settings_hash: str = ""


@dataclass(frozen=True)
class ReportContent:
    """A whole report."""

    title: str
    simulated: bool
    about: Mapping[str, str]
    runs: tuple[tuple[str, ...], ...]
    measurements: tuple[Measurement, ...]
    faults: tuple[Fault, ...]
    log: tuple[Fault, ...]
    notes: tuple[tuple[str, ...], ...] = ()
    corrections: tuple[tuple[str, ...], ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    configurations: tuple[str, ...] = ()


RUN_COLUMNS = (
    "began",
    "lasted",
    "scan",
    "plan",
    "edge",
    "delay",
    "pass",
    "points",
    "good dwells",
    "ended",
    "health",
    "uid",
)


def gather(store: RunStore, runs: list[Run], shift: Shift, root: Path) -> ReportContent:
    """Read the content of the report of a shift.

    Parameters
    ----------
    store : RunStore
    runs : list of Run
        All runs, reduced ones too.
    shift : Shift
    root : Path
        The data root, for the log.
    """
    dwells = {run.uid: dwells_of(store, run) for run in shift.raw}
    faults: list[Fault] = []
    for run in shift.raw:
        faults += _bad_dwells(dwells[run.uid], run)
        faults += [fault for fault in (interruption(run), damage(store, run)) if fault is not None]
    return ReportContent(
        title=shift.title,
        simulated=shift.simulated,
        about={key.removesuffix("_name"): text for key, text in shift.about().items()},
        runs=tuple(_row(store, runs, run, dwells[run.uid]) for run in shift.raw),
        measurements=tuple(_measurement(store, runs, passes) for passes in shift.passes().values()),
        faults=tuple(faults),
        log=tuple(suspensions(root, shift.first, shift.last)),
        notes=tuple(note_rows(shift, read_logbook(root).notes)),
        corrections=tuple(correction_rows(shift)),
        versions=_versions(shift),
        configurations=tuple(
            dict.fromkeys(
                str(run.start["configuration_hash"]) for run in shift.raw if "configuration_hash" in run.start
            )
        ),
    )


def _bad_dwells(dwells: DwellSummary, run: Run) -> list[Fault]:
    listed = list(dwells.bad[:MOST_BAD])
    if (more := len(dwells.bad) - len(listed)) > 0:
        listed.append(
            Fault(dwells.bad[-1].when, run.uid[:8], f"{more} more bad dwells; `trxas show` counts them by quality")
        )
    return listed


def _row(store: RunStore, runs: list[Run], run: Run, dwells: DwellSummary) -> tuple[str, ...]:
    start, number = run.start, run.start.get("scan_index")
    ended = (run.stop or {}).get("time")
    return tuple(
        str(entry)
        for entry in (
            when(run.time), duration(float(ended) - run.time) if ended else "", start.get("scan_id", ""),
            start.get("plan_name", ""), start.get("edge", ""), _delay(start),
            f"{number + 1}/{start.get('passes', '?')}" if isinstance(number, int) else "", format_points(store, run),
            f"{dwells.good} of {dwells.taken}", run.status,
            health_of(store, runs, run) or "", run.uid,
        )
    )  # fmt: skip


def _delay(start: Mapping[str, Any]) -> str:
    return format_delay(start.get("pump_delay")) if is_pumped(start) else "no laser"


def _scans(passes: list[Run]) -> str:
    """Scan numbers, which tell measurements of one kind apart; the uid of a run without a number."""
    numbers = [run.start.get("scan_id", run.uid[:8]) for run in passes]
    return f"scan {numbers[0]}" if len(numbers) == 1 else f"scans {', '.join(map(str, numbers))}"


def _measurement(store: RunStore, runs: list[Run], passes: list[Run]) -> Measurement:
    start = passes[-1].start
    parts = (start.get("plan_name"), start.get("edge"), _delay(start))
    known: dict[str, Any] = {
        "title": f"{_scans(passes)}: {', '.join(str(part) for part in parts if part)}",
        "sample": str(start.get("sample", "")),
        "uids": tuple(run.uid for run in passes),
    }
    if finding := last_event(list(store.documents(passes[-1].uid)), FINDING):
        return _finding(known, finding, start)
    result, why_not = _newest_result(store, runs, passes)
    if result is None:
        return Measurement(**known, remark=why_not)
    diagnostics = last_event(list(store.documents(result.start["uid"])), "honesty") or {}
    figure, remark = _figure(result)
    summed = f"sum of {len(result.raw)} pass{'es' if len(result.raw) > 1 else ''}"
    return Measurement(
        **known,
        reduced=f"{result.start['uid']} ({summed})",
        figure=figure,
        numbers=tuple(numbers_of(result, diagnostics)),
        remark=" ".join(filter(None, (remark, str(result.data.get("notes", "")), diagnostics.get("sentences", "")))),
        settings=as_json(result.start.get("settings")) or "",
        settings_hash=str(result.start.get("settings_hash", "")),
    )


def _finding(known: Mapping[str, Any], data: Mapping[str, Any], start: Mapping[str, Any]) -> Measurement:
    """A finding: figure, value and further numbers."""
    unit = str(data["finding_unit"])
    numbers = {f"{data['finding_name']} / {unit}": (data["finding_value"], data["finding_stddev"])}
    numbers |= json.loads(str(data["finding_numbers"]))
    rows = tuple(
        Quantity(name, f"{value:.6g}" + (f" +- {stddev:.2g}" if isfinite(stddev) else ""))
        for name, (value, stddev) in numbers.items()
        if isfinite(value)
    )
    remark = f"{data['finding_verdict']}, {data['finding_outcome']}: {data['finding_reason']}"
    return Measurement(**known, figure=_as_uri(finding_figure(data, start)), numbers=rows, remark=remark)


def _newest_result(store: RunStore, runs: list[Run], passes: list[Run]) -> tuple[Result | None, str]:
    """Newest result of the last pass of the shift that has one; passes of later shifts are excluded."""
    why_not = ""
    for run in reversed(passes):
        try:
            return read_result(store, runs, run.uid), ""
        except ExportError as error:
            why_not = why_not or str(error)
    return None, why_not


@own_style()
def _figure(result: Result) -> tuple[str, str]:
    """A figure as a data URI, and the reason if there is none."""
    from beamline.outputs.export.paper import paper_figure

    try:
        figure = paper_figure([result])
    except ExportError as error:
        return "", f"No figure: {error}."
    return _as_uri(figure), ""


@own_style()
def _as_uri(figure: Figure) -> str:
    file = io.BytesIO()
    figure.savefig(file, dpi=PNG_DPI, format="png")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def _versions(shift: Shift) -> dict[str, str]:
    """Versions by package; where runs differ, all versions."""
    found: dict[str, list[str]] = {}
    for run in shift.raw:
        for name, version in dict(run.start.get("versions") or {}).items():
            if str(version) not in found.setdefault(str(name), []):
                found[str(name)].append(str(version))
    return {name: ", ".join(versions) for name, versions in sorted(found.items())}
