"""The command line: `trxas ioc`, `trxas demo`, `trxas shell`, and those of `beamline.app.commands`."""

from __future__ import annotations

import copy
import io
import logging
import os
import shutil
import subprocess
import sys
import warnings
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from typer.models import CommandInfo

from beamline.app.commands import (
    batch,
    bench,
    compare,
    config,
    diffraction,
    doctor,
    export,
    forecast,
    imports,
    logbook,
    maps,
    notify,
    paper,
    queue,
    reduce,
    rehearse,
    report,
    runs,
    scan,
    study,
    theory,
    thermal,
    web,
)
from beamline.app.commands.environment import beamline_environment
from beamline.session.orderly_end import EndRequest

app = typer.Typer(
    help="Acquisition and live reduction of MHz laser-pump / X-ray-probe X-ray absorption.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
_console = Console(highlight=False)

Scenario = Annotated[str | None, typer.Option(help="Scenario TOML of the simulator, or the name of a packaged one.")]
Speedup = Annotated[float, typer.Option(min=0.01, help="Simulated seconds per second of wall time.")]


def _without_traceback(record: logging.LogRecord) -> bool:
    """Errors that are raised anyway are logged with a traceback; what a device reports in words has none."""
    return not record.exc_info


@app.callback()
def _options(debug: Annotated[bool, typer.Option(help="Show the traceback of an error.")] = False) -> None:
    logging.basicConfig(level=logging.DEBUG if debug else logging.ERROR)
    if not debug:
        logging.getLogger("tiled").setLevel(logging.ERROR)
        logging.getLogger("bluesky").setLevel(logging.CRITICAL)  # it logs each error that is raised, with a traceback
        for name in ("ophyd", "ophyd.objects", "ophyd.event_dispatcher"):
            logging.getLogger(name).addFilter(_without_traceback)
        warnings.simplefilter("ignore", DeprecationWarning)


@app.command()
def ioc(
    scenario: Scenario = None,
    speedup: Speedup = 1.0,
    prefix: str = "sim:",
    show: Annotated[
        bool, typer.Option("--list", help="Print every PV with type, unit, limits and meaning instead.")
    ] = False,
) -> None:
    """Run the simulated beamline until Ctrl-C, or list its PVs."""
    from beamline.session.simulators import default_environment

    command = [sys.executable, "-m", "sim_ioc", "--prefix", prefix, "--speedup", f"{speedup:g}"]
    if scenario is not None:
        command += ["--scenario", scenario]
    if show:
        command.append("--list")
    raise typer.Exit(_run(command, {**default_environment(), **os.environ}))


def _run(command: list[str], environment: dict[str, str]) -> int:
    """Run a program in the foreground, which handles Ctrl-C itself."""
    process = subprocess.Popen(command, env=environment)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


@app.command()
def demo(
    scenario: Scenario = "demo",
    out: Annotated[Path, typer.Option(help="Folder for figures, spectra and data; replaced if it exists.")] = Path(
        "demo_output"
    ),
) -> None:
    """Run a whole measurement on the simulated beamline, with figures and spectra."""
    from beamline.session.simulators import simulated_beamline
    from beamline.studies import demo as demonstration

    if (out / "data").exists():
        shutil.rmtree(out / "data")
    out.mkdir(parents=True, exist_ok=True)
    _console.print("Starting the simulated beamline ...")
    with simulated_beamline(scenario, demonstration.SPEEDUP) as environment:
        os.environ.update(environment)
        written = demonstration.run_demo(scenario or "default", out, environment, _console)
    _console.print("Written: " + ", ".join(str(path) for path in written))


@app.command()
def shell(
    config: Annotated[str, typer.Option(help="Configuration TOML, or the name of a packaged one.")] = "simulated",
    sim: Annotated[bool, typer.Option(help="Start the simulated beamline as well.")] = False,
    scenario: Scenario = None,
    speedup: Speedup = 10.0,
    read_only: Annotated[bool, typer.Option("--read-only", help="Read-only: set nothing, take no control.")] = False,
) -> None:
    """IPython with the beamline's devices, plans and RunEngine."""
    from beamline.app.shell import run_shell
    from beamline.config.models import load

    environment = partial(beamline_environment, config, sim, scenario, speedup, _console)
    run_shell(load(config), environment, _console, read_only=read_only)


batch.register(app)
bench.register(app)
compare.register(app)
config.register(app)
diffraction.register(app)
doctor.register(app)
export.register(app)
forecast.register(app)
imports.register(app)
logbook.register(app)
maps.register(app)
notify.register(app)
paper.register(app)
queue.register(app)
reduce.register(app)
rehearse.register(app)
report.register(app)
runs.register(app)
scan.register(app)
study.register(app)
theory.register(app)
thermal.register(app)
web.register(app)


def main() -> None:
    """Entry point: errors are one line with the way out; `--debug` shows the traceback."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # it would look for some in every installed package
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # replace characters that the terminal cannot encode
    try:
        sys.exit(_with_command(_words())(standalone_mode=False, prog_name="trxas") or 0)
    except EndRequest as request:
        _leave(request.status)
    except typer.Exit as leave:
        sys.exit(leave.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        sys.exit("trxas: interrupted")
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        sys.exit(f"trxas: {' '.join(message.split()) or type(error).__name__} (--debug shows the traceback)")


def _words() -> list[str]:
    """What was typed after the name of the program, by now where a shell asks to complete it."""
    typed = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS")
    return typed.split()[1:] if typed else sys.argv[1:]


def _with_command(words: list[str]) -> typer.Typer:
    """The command line with the command of these words alone, since building all takes 50 ms; else the whole."""
    named = next((word for word in words if not word.startswith("-")), "")
    narrow = copy.copy(app)
    narrow.registered_commands = [each for each in app.registered_commands if _name_of(each) == named]
    narrow.registered_groups = [each for each in app.registered_groups if each.name == named]
    return narrow if narrow.registered_commands or narrow.registered_groups else app


def _name_of(command: CommandInfo) -> str:
    return str(command.name or getattr(command.callback, "__name__", ""))


def _leave(status: int) -> None:
    """Exit where all is closed: to clear hundreds of channels one by one first would take seconds."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # nobody reads it any more
            stream.flush()
    os._exit(status)
