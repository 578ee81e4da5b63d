"""`trxas doctor`: checks a beamline and recommends what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from beamline.app.commands.scan import Scenario
from beamline.app.commands.stored import Config, Data, terminal, with_root


def doctor_command(
    read_only: Annotated[bool, typer.Option("--read-only", help="Write nothing, not even a test file.")] = False,
    brief: Annotated[bool, typer.Option("--brief", help="Show only records with findings.")] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write the report to this file; - prints it instead.")
    ] = None,
    sim: Annotated[bool, typer.Option(help="Start a simulated beamline, and check that.")] = False,
    scenario: Scenario = None,
    config: Config = "simulated",
    data: Data = None,
) -> None:
    """Read every record of a beamline, check clocks, disk, catalogue and display, recommend actions; exit status 1 if
    anything is wrong. Never puts to a record."""
    from beamline.app.commands.environment import beamline_environment

    to_screen = json_file == Path("-")
    if read_only and json_file is not None and not to_screen:
        raise typer.BadParameter("--read-only writes nothing, so there is no --json FILE; --json - prints the report")
    console = terminal()
    aside = Console(stderr=True) if to_screen else console  # machine-readable output
    with beamline_environment(config, sim, scenario, 1.0, aside) as chosen:
        from beamline.app.doctor.report import as_text, examine, show, write_json

        report = examine(with_root(chosen, data), read_only=read_only)
        if to_screen:
            typer.echo(as_text(report))
        else:
            show(report, console, everything=not brief)
    if json_file is not None and not to_screen:
        try:
            write_json(report, json_file)
        except OSError as error:
            raise typer.BadParameter(f"{json_file} cannot be written ({error.strerror})") from error
    if not report.healthy:
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("doctor")(doctor_command)
