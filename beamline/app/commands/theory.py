"""`trxas theory`: computed spectra beside a result."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from beamline.app.commands.stored import Config, Data, From, report_damage, stored, uid_argument


def theory_command(
    name: Annotated[str, uid_argument(metavar="RUN", help="Run, scan set, or 'last'.")],
    theory: Annotated[Path, typer.Argument(metavar="THEORY.toml", help="Names the files of computed spectra.")],
    out: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Write .csv, .png or .pdf.")] = None,
    slot: Annotated[int, typer.Option(min=0, help="Slot whose transient is fitted.")] = 0,
    source: From = "journal",
    config: Config = "simulated",
    data: Data = None,
) -> None:
    """Fit computed excited states to a transient: fraction of the sample, chi-square, and the most likely model."""
    from beamline.outputs.export.result import read_result
    from beamline.outputs.theory.content import beside, read_states, sentences
    from beamline.outputs.theory.figure import write_theory
    from beamline.records.theory.description import read_theory

    described = read_theory(theory)
    states = read_states(described, theory.parent)
    with stored(config, data, source) as found:
        result = read_result(found.store, found.store.runs(), name)
        report_damage(found.console, [result])
        beside_theory = beside(result, described, states, slot)
        for line in sentences(beside_theory):
            found.console.print(line, markup=False, soft_wrap=True)
        if out is not None:
            found.console.print(str(write_theory(out, beside_theory)), markup=False, soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("theory")(theory_command)
