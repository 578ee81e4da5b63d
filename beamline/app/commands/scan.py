"""`trxas scan`, `trxas resume`: run a plan, resume a measurement, or preview either."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from beamline.app.commands.environment import beamline_environment
from beamline.app.commands.reduce import parse_setting
from beamline.app.commands.stored import configuration, uid_argument

if TYPE_CHECKING:
    from bluesky.utils import MsgGenerator

    from beamline.config.models import Configuration
    from beamline.session.session import Session
    from plans.compilation.compiled_scan import CompiledScan

Config = Annotated[str, typer.Option(help="Configuration TOML, or the name of a packaged one.")]
Data = Annotated[Path | None, typer.Option(help="Data root, overriding the configuration.")]
Sim = Annotated[bool, typer.Option(help="Start the simulated beamline as well.")]
Scenario = Annotated[str | None, typer.Option(help="Scenario of the simulated beamline.")]
Speedup = Annotated[float, typer.Option(min=0.01, help="Simulated seconds per second of wall time.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print points, moves and time without touching the beamline.")]
Png = Annotated[Path | None, typer.Option(help="With --dry-run: plot the grid to this file.")]

_console = Console(highlight=False)


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("scan")(scan_command)
    app.command("resume")(resume_command)


def scan_command(
    plan: Annotated[
        str,
        typer.Argument(
            help="energy_scan, continuous_scan, delay_scan, fluence_scan, delay_series, temperature_series,"
            " background_run."
        ),
    ],
    arguments: Annotated[list[str] | None, typer.Argument(help="Plan arguments, key=value.")] = None,
    dry_run: DryRun = False,
    png: Png = None,
    config: Config = "simulated",
    data: Data = None,
    sim: Sim = False,
    scenario: Scenario = None,
    speedup: Speedup = 10.0,
) -> None:
    """Run a plan: trxas scan energy_scan edge=Br_K,Pb_L3 delay=10100 passes=2 dwell=1.5."""
    from beamline.session.persistent.about import present
    from beamline.session.persistent.state import read_state
    from beamline.session.scans.bind import PLANS, BoundPlan
    from beamline.session.scans.dry_run import DryRunContext

    if plan not in PLANS:
        raise typer.BadParameter(f"plan {plan!r} is not known; known are {', '.join(PLANS)}")
    given = _arguments(arguments or [])
    if dry_run:
        chosen = configuration(config, data)
        context = DryRunContext(
            chosen.data.root,
            chosen.reduction,
            entries=chosen.edges,
            sample=present(chosen, read_state(chosen.data.root)).sample,
            energy_limits=chosen.energy_limits,
            roles=chosen.station.roles,
        )
        compiled_scan = BoundPlan(plan, context).compile(**given)
        _print(compiled_scan, chosen, png)
        return

    def run(session: Session) -> MsgGenerator[str]:
        return session.scans.plans[plan](**given)

    with beamline_environment(config, sim, scenario, speedup, _console, data=data) as chosen:
        _run(chosen, run)


def resume_command(
    scan_set: Annotated[str, uid_argument(help="Uid of a scan set, a series or a run, its beginning, or 'last'.")],
    edge: Annotated[str | None, typer.Option(help="Refuse unless this edge was measured.")] = None,
    dry_run: DryRun = False,
    png: Png = None,
    config: Config = "simulated",
    data: Data = None,
    sim: Sim = False,
    scenario: Scenario = None,
    speedup: Speedup = 10.0,
) -> None:
    """Resume a measurement that was stopped, aborted or interrupted."""
    if dry_run:
        from beamline.session.persistent.about import present
        from beamline.session.persistent.state import read_state
        from beamline.session.scans.resume import remaining, unreadable

        chosen = configuration(config, data)
        sample = present(chosen, read_state(chosen.data.root)).sample
        compiled_scan = remaining(chosen.data.root, scan_set, sample, edge)
        for sentence in unreadable(chosen.data.root, scan_set):
            _console.print(sentence, markup=False, soft_wrap=True)
        _print(compiled_scan, chosen, png)
        return

    def run(session: Session) -> MsgGenerator[str]:
        return session.scans.resume(scan_set, edge=edge)

    with beamline_environment(config, sim, scenario, speedup, _console, data=data) as chosen:
        _run(chosen, run)


TEXTS = frozenset({"background", "scan_set", "order", "reference"})
"""Arguments that are text, also where they look like numbers: a uid may begin with 1234e567."""


def _arguments(pairs: list[str]) -> dict[str, Any]:
    """Arguments of a plan; texts stay texts, the pattern and lists of one number stay lists."""
    given: dict[str, Any] = {}
    for each in pairs:
        name, value = parse_setting(each)
        given[name] = each.partition("=")[2].strip() if name in TEXTS else value
    for name in ("delays", "fluences", "pattern"):
        if name in given and not isinstance(given[name], list):
            given[name] = [given[name]]
    return given


def _print(compiled_scan: CompiledScan, config: Configuration, png: Path | None) -> None:
    from beamline.session.scans.preview import preview_console, print_preview, save_preview

    print_preview(compiled_scan, config.times.of_moves(), config.clock_rate, preview_console())
    if png is not None:
        save_preview(compiled_scan, "SIMULATED" if config.mode == "sim" else config.name, png)
        _console.print(f"Drawn: {png}")


def _run(config: Configuration, plan: Any) -> None:
    from beamline.app.outcome import outcome
    from beamline.session.orderly_end import EndRequest, OrderlyEnd
    from beamline.session.progress import show_progress  # these need ophyd, which reads the environment
    from beamline.session.session import Session, start

    starts: list[dict[str, Any]] = []
    try:
        with OrderlyEnd(signal.SIGINT), start(config, notify=_console.print) as session:
            if not isinstance(session, Session):
                raise RuntimeError(f"no scan runs from here: {config.name} is {session.why}")
            session.end_with_interrupt()
            session.RE.subscribe(lambda name, doc: starts.append(doc), "start")
            show_progress(session, _console)
            result: Any = session.RE(plan(session))
            _console.print(outcome(result, config.data.root), markup=False)
    except EndRequest as request:
        _console.print(f"The scan was {request.reason}.{_way_on(starts)}", markup=False)
        raise
    except Exception:
        if way_on := _way_on(starts):
            _console.print(f"The scan has failed.{way_on}", markup=False)
        raise


def _way_on(starts: list[dict[str, Any]]) -> str:
    """How to resume the last measurement, if there is one."""
    uid = str(starts[-1].get("series") or starts[-1].get("scan_set") or "") if starts else ""
    return f" To go on: trxas resume {uid[:8]}" if uid else ""
