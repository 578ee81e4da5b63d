"""`trxas report`: a shift's summary as one HTML file."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from beamline.app.commands.stored import Config, Data, From, stored, uid_argument

if TYPE_CHECKING:
    from beamline.outputs.report.shift import Shift
    from beamline.records.runs.run import Run

Since = Annotated[datetime | None, typer.Option(help="Runs that began at this time or later.")]
Until = Annotated[datetime | None, typer.Option(help="Runs that began before this time.")]
Date = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Runs that began on this day.")]


def report_command(
    names: Annotated[
        list[str] | None,
        uid_argument(metavar="[UID|SCAN_SET|last ...]", help="Runs by name, instead of a time range."),
    ] = None,
    date: Date = None,
    since: Since = None,
    until: Until = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Output file, or a folder for a file named after beamline and time; default: here."),
    ] = None,
    send: Annotated[
        bool, typer.Option("--send", help="Then pass the file to the program of [report] hook, such as a logbook.")
    ] = False,
    source: From = "journal",
    config: Config = "simulated",
    data: Data = None,
) -> None:
    """Report runs, figures, numbers, faults, settings and versions of a shift in one HTML file; default: today."""
    from beamline.outputs.export.names import file_in, written_whole
    from beamline.outputs.report.content import gather
    from beamline.outputs.report.hook import send as pass_on
    from beamline.outputs.report.page import render

    with stored(config, data, source) as found:
        hook = found.config.report.hook
        if send and not hook:
            raise typer.BadParameter('--send needs a program in the configuration: [report] hook = ["elog", "-h", ...]')
        runs = found.store.runs()
        shift = _shift(runs, names or [], date, since, until)
        page = render(gather(found.store, runs, shift, found.config.data.root))
    if out is None or out.is_dir():
        begin = datetime.fromtimestamp(shift.raw[0].time).strftime("%Y-%m-%d") if shift.raw else "empty"
        out = file_in(
            out or Path(), "report", shift.about().get("beamline_name", found.config.name), begin, suffix=".html"
        )
    with written_whole(out) as draft:
        draft.write_text(page, encoding="utf-8")
    what = f"{len(shift.raw)} run{'s' * (len(shift.raw) != 1)} ({shift.title})"
    found.console.print(f"{what} in {out}", markup=False, soft_wrap=True)
    if send:
        said = pass_on(hook, out, f"trxas report, {'SIMULATED, ' if shift.simulated else ''}{what}")
        found.console.print(f"passed to {hook[0]}: {said or 'done'}", markup=False, soft_wrap=True)


def _shift(
    runs: list[Run], names: list[str], date: datetime | None, since: datetime | None, until: datetime | None
) -> Shift:
    from beamline.outputs.report.shift import day, shift_between, shift_of

    if sum((bool(names), date is not None, since is not None or until is not None)) > 1:
        raise typer.BadParameter("give runs by name, or --date, or --since and --until, not several of them")
    if names:
        return shift_of(runs, names)
    if since is not None or until is not None:
        return shift_between(runs, since, until)
    begin, end = day(date or datetime.now())
    return replace(shift_between(runs, begin, end), title=f"{begin:%Y-%m-%d}")


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("report")(report_command)
