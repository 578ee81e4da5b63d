"""The doctor's report: all findings, as tables and as JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from beamline.app.doctor.control import check_control_record
from beamline.app.doctor.edges import check_edges
from beamline.app.doctor.finding import BAD, GOOD, NOTE, Finding, RecordReport, worst
from beamline.app.doctor.machine import check_machine
from beamline.app.doctor.records import query_records
from beamline.app.doctor.roles import check_roles
from beamline.app.doctor.servers import check_servers
from beamline.app.doctor.soft_limits import check_soft_limits
from beamline.config.models import Configuration, ConfigurationError
from beamline.formatting import duration, printable
from beamline.station.beamline import Beamline
from beamline.station.build import build
from beamline.station.connect import refuse_puts

STYLES = {GOOD: "green", NOTE: "yellow", BAD: "bold red"}
NOTHING_THERE = (
    "Is EPICS_CA_ADDR_LIST right, and this machine on the beamline's network? `trxas ioc` serves the simulated"
    " beamline, `trxas doctor --sim` starts one."
)
MOST_OF_A_KIND = 6
"""Most records named per recommendation; the table lists all."""


@dataclass(frozen=True)
class Report:
    """Results of all checks.

    Attributes
    ----------
    name, mode : str
        Of the beamline.
    read_only : bool
    machine : list of Finding
    records : list of Record
    seconds : float
        Duration of all checks.
    """

    name: str
    mode: str
    read_only: bool
    machine: list[Finding]
    records: list[RecordReport]
    seconds: float

    @property
    def findings(self) -> list[Finding]:
        """All findings, including those of records."""
        return [*self.machine, *(finding for record in self.records for finding in record.findings)]

    @property
    def healthy(self) -> bool:
        return worst(self.findings) != BAD

    def as_json(self) -> dict[str, Any]:
        """As JSON-serialisable values."""
        return {
            "beamline": self.name,
            "mode": self.mode,
            "read_only": self.read_only,
            "healthy": self.healthy,
            "seconds": self.seconds,
            "machine": [finding.as_json() for finding in self.machine],
            "records": [record.as_json() for record in self.records],
        }


def examine(config: Configuration, *, read_only: bool) -> Report:
    """Run all checks of a beamline. Puts to no record; with `read_only` it writes no file either.

    No record is read where a simulated configuration could reach real records.
    """
    began = time.monotonic()
    machine = check_machine(config, read_only=read_only)
    records: list[RecordReport] = []
    if machine[0].state != BAD:
        try:
            beamline = build(config)
        except ConfigurationError as error:
            machine.append(Finding("configuration", BAD, str(error), "Correct the configuration file."))
        else:
            found, records = _check_beamline(config, beamline, read_only=read_only)
            machine += found
    return Report(config.name, config.mode, read_only, machine, records, time.monotonic() - began)


def _check_beamline(
    config: Configuration, beamline: Beamline, *, read_only: bool
) -> tuple[list[Finding], list[RecordReport]]:
    """All checks of devices and their records."""
    devices = beamline.devices()
    for device in devices.values():
        refuse_puts(device, "the doctor puts nothing")
    records = query_records(devices, read_only=read_only)
    findings = [
        check_roles(beamline.roles),
        *check_servers(devices),
        *check_control_record(config, beamline.find("controller")),
        *check_soft_limits(config, devices),
        *check_edges(config, devices),
    ]
    return findings, records


def show(report: Report, console: Console, *, everything: bool = True) -> None:
    """Print the report.

    Parameters
    ----------
    report : Report
    console : rich.console.Console
    everything : bool
        Show all records; otherwise only those with findings.
    """
    sim = "SIMULATED" if report.mode == "sim" else "real"
    kind = ", read-only" if report.read_only else ""
    console.print(f"{printable(report.name)} ({sim}{kind}), {time.strftime('%Y-%m-%d %H:%M:%S')}", markup=False)
    console.print(_machine_table(report.machine))
    shown = [record for record in report.records if everything or record.findings]
    if shown:
        console.print(_record_table(shown))
    for text in _advice(report):
        console.print(text)
    console.print(_summary(report))


def _machine_table(findings: list[Finding]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("", "what", "found"):
        table.add_column(name, no_wrap=name != "found")
    for finding in findings:
        table.add_row(_mark(finding.state), finding.what, Text(printable(finding.message)))
    return table


def _record_table(records: list[RecordReport]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("", "device", "record", "type", "value", "unit", "limits", "ms", "stamp"):
        table.add_column(name, no_wrap=True, justify="right" if name in ("value", "ms", "stamp") else "left")
    for record in records:
        kind = f"{record.kind}[{record.count}]" if record.count > 1 else record.kind
        limits = f"{record.limits[0]:g} .. {record.limits[1]:g}" if record.limits else ""
        latency = "" if isnan(record.latency) else f"{1e3 * record.latency:.1f}"
        cells = (record.device, record.pv, kind, record.value, record.unit, limits, latency, _stamp(record))
        table.add_row(_mark(record.state), *(Text(printable(cell)) for cell in cells))
    return table


def _stamp(record: RecordReport) -> str:
    if not record.there or isnan(record.age):
        return "never" if record.there else ""
    return f"{-record.age:.1f} s ahead" if record.age < -0.05 else f"{duration(max(record.age, 0.0))} ago"


def _mark(state: str) -> Text:
    return Text({GOOD: "ok", NOTE: "note", BAD: "BAD"}[state], style=STYLES[state])


def _advice(report: Report) -> Iterator[Text]:
    """Recommended actions with what they concern, each once, the worst first."""
    if report.records and not any(record.there for record in report.records):
        yield Text("no record was found", style=STYLES[BAD])
        yield Text(f"    -> {NOTHING_THERE}")
        return
    for state in (BAD, NOTE):
        grouped: dict[tuple[str, str], list[str]] = {}
        for finding in report.findings:
            if finding.state == state and finding.todo:
                grouped.setdefault((finding.message, finding.todo), []).append(finding.what)
        for (message, todo), whats in grouped.items():
            more = f" and {len(whats) - MOST_OF_A_KIND} more" if len(whats) > MOST_OF_A_KIND else ""
            yield Text(f"{', '.join(whats[:MOST_OF_A_KIND])}{more}: {printable(message)}", style=STYLES[state])
            yield Text(f"    -> {printable(todo)}")


def _summary(report: Report) -> Text:
    there = sum(record.there for record in report.records)
    bad = sum(finding.state == BAD for finding in report.findings)
    text = f"{there} of {len(report.records)} records found; {bad} problems; {report.seconds:.1f} s."
    return Text(text, style=STYLES[GOOD if report.healthy else BAD])


def write_json(report: Report, path: Path) -> None:
    """Write the report as JSON.

    Raises
    ------
    OSError
    """
    path.write_text(as_text(report) + "\n", encoding="utf-8")


def as_text(report: Report) -> str:
    """The report as JSON."""
    return json.dumps(report.as_json(), indent=1, allow_nan=False)
