"""`trxas batch`: a night of measurements from a table."""

from __future__ import annotations

import signal
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from beamline.app.commands.environment import beamline_environment
from beamline.app.commands.scan import Config, Data, Scenario, Sim, Speedup
from beamline.app.commands.stored import configuration, terminal

if TYPE_CHECKING:
    from beamline.config.models import Configuration
    from beamline.session.nights.rows import NightRow
    from beamline.session.persistent.places import Saved
    from beamline.session.persistent.state import State

_console = Console(highlight=False)


def batch_command(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv|FILE.xlsx", help="Table with a row a measurement.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the night with times, and wrong cells.")] = False,
    report: Annotated[bool, typer.Option("--report", help="Print what became of it so far, by sample.")] = False,
    queue: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Put the rows into the queue of a manager, as tcp://127.0.0.1:60615."),
    ] = None,
    config: Config = "simulated",
    data: Data = None,
    sim: Sim = False,
    scenario: Scenario = None,
    speedup: Speedup = 10.0,
) -> None:
    """Measure a night from a table: rows by priority, on after a failure, without those that are done.

    Called again with the same file it goes on with what is left. It ends with a report by sample.
    """
    if dry_run or report or queue is not None:
        chosen = configuration(config, data)
        state = _state(chosen)
        rows, sample = _rows(file, chosen, state)
        if dry_run:
            _forecast(file, chosen, rows, sample, state.places)
        elif report:
            _report(file, chosen, rows, sample)
        else:
            _send(file, chosen, rows, sample, str(queue))
        return
    with beamline_environment(config, sim, scenario, speedup, _console, data=data) as chosen:
        _run(file, chosen)


def _state(config: Configuration) -> State:
    """What outlives sessions; nothing before the first one."""
    from beamline.session.persistent.state import State, read_state

    return read_state(config.data.root) or State()


def _rows(file: Path, config: Configuration, state: State) -> tuple[list[NightRow], str]:
    """Rows in their order, and the present sample; wrong cells end the command, a line each."""
    from beamline.session.nights.night import FaultyNightError, load_rows
    from beamline.session.persistent.about import present

    sample = present(config, state).sample
    try:
        return load_rows(file, config, sample, state.places), sample
    except FaultyNightError as error:
        for fault in error.faults:
            _console.print(str(fault), markup=False, soft_wrap=True)
        raise typer.Exit(1) from None


def _forecast(file: Path, config: Configuration, rows: list[NightRow], sample: str, saved: Saved) -> None:
    from beamline.app.night_tables import forecast_table
    from beamline.session.nights.forecast import Forecaster
    from beamline.session.nights.plans import plans_of
    from beamline.session.nights.progress import NightProgress

    plans, progress = plans_of(config, sample), NightProgress.of(config.data.root, file.stem)
    forecaster = Forecaster(progress, sample, saved, config.times.of_moves(), config.clock_rate)
    forecasts = [forecaster.of(row, plans(row.sample)) for row in rows]
    terminal().print(forecast_table(file.stem, forecasts, datetime.now(), config.clock_rate))
    if any(each.refused for each in forecasts):
        raise typer.Exit(1)


def _report(file: Path, config: Configuration, rows: list[NightRow], sample: str) -> None:
    from beamline.app.night_tables import report_table
    from beamline.session.nights.progress import NightProgress

    terminal().print(report_table(NightProgress.of(config.data.root, file.stem), rows, {}, sample))


def _send(file: Path, config: Configuration, rows: list[NightRow], sample: str, address: str) -> None:
    from beamline.app.queue_server.keys import queue_keys
    from beamline.app.queue_server.rows import ManagerClient, replace_rows
    from beamline.session.nights.progress import NightProgress

    progress = NightProgress.of(config.data.root, file.stem)
    left = [row for row in rows if not progress.is_done(row, sample)]
    client = ManagerClient(address, queue_keys(config.data.root / "queue")[1])
    try:
        removed, added = replace_rows(client, file.stem, left)
    finally:
        client.close()
    _console.print(
        f"{added} rows are in the queue, {removed} earlier ones of {file.stem} were removed from it.", markup=False
    )


def _run(file: Path, config: Configuration) -> None:
    from beamline.app.night_tables import report_table
    from beamline.session.nights.night import Night
    from beamline.session.nights.progress import NightProgress
    from beamline.session.orderly_end import OrderlyEnd
    from beamline.session.progress import show_progress  # these need ophyd, which reads the environment
    from beamline.session.session import Session, start
    from beamline.session.verdict_stop import stop_at_verdicts

    with OrderlyEnd(signal.SIGINT), start(config, notify=_console.print) as session:
        if not isinstance(session, Session):
            raise RuntimeError(f"no night runs from here: {config.name} is {session.why}")
        session.end_with_interrupt()
        stop_at_verdicts(session)
        show_progress(session, _console)
        night = Night(session, file, lambda text: _console.print(text, markup=False))
        try:
            night.run()
        finally:
            progress = NightProgress.of(config.data.root, file.stem)
            terminal().print(report_table(progress, night.rows, night.outcomes, session.scans.sample))
    if any(outcome.reason for outcome in night.outcomes.values()):
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("batch")(batch_command)
