"""`trxas study references`: the Monte-Carlo of the four references, printed."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from beamline.app.commands.allocation import allocation_command
from beamline.app.commands.numbers import numbers_command
from beamline.app.commands.thermal_study import thermal_study_command

if TYPE_CHECKING:
    from beamline.studies.references import CaseResult, Conditions, Outcome

WIDTH = 120
"""Least table width in characters, even on a narrower terminal."""
UNIT = 1e-4
"""Printed transients are in this fraction of the edge integral."""


def register(app: typer.Typer) -> None:
    """Add the studies to the command line."""
    studies = typer.Typer(help="Monte-Carlo studies of the reduction.", no_args_is_help=True)
    studies.command("references")(references_command)
    studies.command("numbers")(numbers_command)
    studies.command("allocation")(allocation_command)
    studies.command("thermal")(thermal_study_command)
    app.add_typer(studies, name="study")


def references_command(
    measurements: Annotated[int, typer.Option(min=4, help="Measurements simulated per case.")] = 60,
    passes: Annotated[int, typer.Option(min=1, help="Passes, each of 12 s per point.")] = 4,
    jets: Annotated[str, typer.Option(help="Jet noise, % rms over 60 s, comma-separated.")] = "0,0.3,1",
    lifetimes: Annotated[str, typer.Option(help="Slowest lifetime, ns, comma-separated; inf is allowed.")] = (
        "50,155,500,inf"
    ),
    delay: Annotated[float, typer.Option(help="Pump-probe delay of slot 0, ps.")] = 10_100.0,
    mu: Annotated[float, typer.Option(help="Photons per pulse at the white line.")] = 0.3,
    i0_noise: Annotated[float, typer.Option(min=0, help="Relative noise of an I0 reading.")] = 0.0,
    seed: int = 1,
) -> None:
    """Monte Carlo of the references paper, shutter, slots and combined: error, bias and beam time of each."""
    from beamline.studies.references import PATTERNS, Case, Conditions, run_study

    console = Console(highlight=False)
    if console.width < WIDTH:
        console = Console(highlight=False, width=WIDTH)
    conditions = Conditions(measurements, passes, mu, delay, i0_noise=i0_noise, seed=seed)
    cases = [
        Case(ratio, jet / 100, lifetime)
        for ratio in PATTERNS
        for jet in _numbers("jets", jets)
        for lifetime in _numbers("lifetimes", lifetimes)
    ]
    results = []
    with console.status("") as status:
        for case, result in zip(cases, run_study(cases, conditions), strict=True):
            results.append(result)
            status.update(f"{len(results)} of {len(cases)} cases; last: jet {100 * case.jet:g} %, {case.lifetime:g} ns")
    print_study(results, conditions, console)


def _numbers(name: str, text: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = [-1.0]
    if not all(number >= 0 for number in numbers):
        raise typer.BadParameter(f"--{name} must be numbers from 0, separated by commas, not {text!r}")
    return numbers


def print_study(results: list[CaseResult], conditions: Conditions, console: Console) -> None:
    """Print errors with beam times, biases, and quoted over true errors."""
    from beamline.studies.references import SECONDS_A_PASS, SLOT

    console.print(
        f"\nSIMULATED. Transient of slot {SLOT} (delay of slot 0: {conditions.delay / 1000:g} ns),"
        f" {conditions.measurements} measurements a case, {SECONDS_A_PASS * conditions.passes:g} s per point in"
        f" {conditions.passes} passes, mu {conditions.mu:g} at the white line, slot efficiencies"
        f" {100 * conditions.efficiency:g} % rms, I0 noise {100 * conditions.i0_noise:g} %. Numbers are in 1e-4 of the"
        " edge integral, at the white line."
    )
    paper = {(r.case.jet, r.case.lifetime): r.outcomes["paper"] for r in results if r.case.ratio == "1:1"}
    names = list(results[0].outcomes)
    errors = _table("error (beam time to the same error, against paper at 1:1)", names)
    biases = _table("bias +- its own error", ["signal", *names, "held", "clean"])
    quoted = _table("quoted / real error", names)
    for result in results:
        about = (result.case.ratio, f"{100 * result.case.jet:g} %", _lifetime(result.case.lifetime))
        outcomes = result.outcomes.values()
        base = paper.get((result.case.jet, result.case.lifetime))
        errors.add_row(*about, *(_error(outcome, base) for outcome in outcomes))
        signal, held = f"{result.signal / UNIT:.1f}", f"{result.held / UNIT:.1f}"
        biases.add_row(*about, signal, *map(_bias, outcomes), held, _clean(result))
        quoted.add_row(*about, *(f"{outcome.quoted / outcome.error:.2f}" for outcome in outcomes))
    for table in (errors, biases, quoted):
        console.print(table)
    known = max(outcome.error_stddev / outcome.error for outcome in results[0].outcomes.values())
    console.print(
        f"Errors are known to {100 * known:.1f} %, beam times to {100 * 2 * 2**0.5 * known:.0f} %. signal: the true"
        " transient. held: what the slots that 'slots' compares with still hold of it; the bias of 'slots' is against"
        " slot minus that. clean: fraction of the measurements in which each slot was found clean, %."
    )


def _table(title: str, columns: list[str]) -> Table:
    table = Table(title=title)
    for name in ("on:off", "jet", "tau3", *columns):
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _lifetime(lifetime: float) -> str:
    return "inf" if lifetime == inf else f"{lifetime:g} ns"


def _error(outcome: Outcome, base: Outcome | None) -> str:
    text = f"{outcome.error / UNIT:.1f}"
    if base is None:
        return text
    time = (outcome.error / base.error) ** 2
    return f"{text} (1/{1 / time:.1f})" if time < 1 else f"{text} (x{time:.2f})"


def _bias(outcome: Outcome) -> str:
    return f"{outcome.bias / UNIT:+.1f} +- {outcome.bias_stddev / UNIT:.1f}"


def _clean(result: CaseResult) -> str:
    return " ".join(f"{100 * ratio:.0f}" for ratio in result.clean)
