"""`trxas paper`: every number of the paper that can be recomputed, beside our value."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from beamline.app.commands.stored import Config, configuration, terminal

if TYPE_CHECKING:
    from beamline.outputs.paper_figures.collect import PaperResults
    from beamline.studies.paper.number import PaperNumber

WIDTH = 132
"""Least table width in characters, even on a narrower terminal."""


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("paper")(paper_command)


def paper_command(
    mu: Annotated[float, typer.Option(min=0.001, max=2.0, help="Photons per pulse at the white line.")] = 0.3,
    seed: Annotated[int, typer.Option(help="Seed of the simulated measurements.")] = 1,
    simulate: Annotated[bool, typer.Option(help="Also simulate the measurements (takes some seconds).")] = True,
    figures: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Only draw the figures, from runs.")] = None,
    theory: Annotated[Path | None, typer.Option(metavar="TOML", help="Computed spectra, for Figures 4 and S4.")] = None,
    geometry: Annotated[Path | None, typer.Option(metavar="PONI", help="Of the camera, for Figure S8.")] = None,
    windows: Annotated[Path | None, typer.Option(metavar="IMAGE", help="Of the empty cell, for Figure S8.")] = None,
    config: Config = "simulated",
    data: Annotated[list[Path] | None, typer.Option(help="Data roots with the runs of the figures.")] = None,
) -> None:
    """Recompute the numbers of the paper (paper, ours, error, difference), and list its contradictions.

    With --figures: Figures 2, 3, 4, S2, S4 (left) and S5 to S8 from the newest runs, as PNG and PDF.
    """
    if figures is not None:
        from beamline.outputs.paper_figures.collect import collect

        roots = data or [configuration(config, None).data.root]
        _draw(figures, collect(roots, theory, geometry, windows))
        return
    from beamline.studies.paper.arithmetic import arithmetic, contradictions
    from beamline.studies.paper.simulated import simulated

    console = Console(highlight=False)
    if console.width < WIDTH:
        console = Console(highlight=False, width=WIDTH)
    console.print(table("From published numbers alone", arithmetic()))
    if simulate:
        with console.status("") as status:
            numbers = list(simulated(mu, seed, lambda what: status.update(f"simulating: {what}")))
        console.print(table("From simulated measurements with the published counting times (SIMULATED)", numbers))
    console.print("\nContradictions:")
    for sentence in contradictions():
        console.print(f"- {sentence}", markup=False)


def _draw(folder: Path, found: PaperResults) -> None:
    from beamline.outputs.paper_figures.write import write_figures

    console = terminal()
    for sentence in write_figures(folder, found):
        console.print(sentence, markup=False, soft_wrap=True)


def table(title: str, numbers: list[PaperNumber]) -> Table:
    """Numbers as a table."""
    result = Table(title=title, title_justify="left")
    for heading in ("number", "unit", "paper", "ours", "difference", "in errors", "where", "how"):
        result.add_column(
            heading, justify="right" if heading in ("paper", "ours", "difference", "in errors") else "left"
        )
    for each in numbers:
        result.add_row(
            each.what, each.unit, _with_error(each.paper, each.paper_error), _with_error(each.ours, each.error),
            f"{each.difference:+.3g}", f"{each.pull:+.1f}" if isfinite(each.pull) else "", each.source, each.how,
        )  # fmt: skip
    return result


def _with_error(value: float, error: float) -> str:
    return f"{value:.4g} +- {error:.2g}" if isfinite(error) else f"{value:.4g}"
