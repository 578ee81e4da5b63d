"""`trxas rehearse`: the whole campaign of the paper on the simulated stations."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from beamline.app.commands.stored import terminal

if TYPE_CHECKING:
    from beamline.studies.rehearsal.number import RehearsedNumber


def rehearse_command(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Of data and figures; an earlier one goes on.")],
    share: Annotated[
        float, typer.Option(min=1e-6, max=1.0, help="Of the published passes; at least one of each scan.")
    ] = 1.0,
    theory: Annotated[
        Path | None, typer.Option(metavar="TOML", help="Computed spectra; default: some of the scenario.")
    ] = None,
) -> None:
    """Measure the published programme on simulated stations, beam losses included; figures and a table at the end."""
    from beamline.outputs.paper_figures.collect import collect
    from beamline.outputs.paper_figures.write import write_figures
    from beamline.outputs.theory.content import sentences
    from beamline.studies.rehearsal.camera import camera_of, images_in
    from beamline.studies.rehearsal.results import rehearsed
    from beamline.studies.rehearsal.run import rehearse
    from beamline.studies.rehearsal.theory import write_theory

    console = terminal()

    def report(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)

    roots = rehearse(folder, share, report)
    geometry = folder / "camera.poni"
    camera = camera_of(roots["heat"], geometry)
    windows, images = (images_in(roots["heat"], step) for step in ("graphite", "series"))
    computed = theory or write_theory(folder / "theory")
    found = collect(list(roots.values()), computed, geometry, windows[-1].path)
    with ThreadPoolExecutor(1) as beside:  # mostly waits for the scenario's truths, which are other processes
        numbers = beside.submit(lambda: list(rehearsed(found, camera, images)))
        for sentence in write_figures(folder / "figures", found):
            report(sentence)
    if theory is None:
        report(f"Computed spectra are SIMULATED, from what is true in the scenario: {computed}")
    for sentence in sentences(found.theory) if found.theory is not None else ():
        report(sentence)
    console.print(table(numbers.result()))


def table(numbers: list[RehearsedNumber]) -> Table:
    """Numbers as a table."""
    found = Table(title="The campaign (SIMULATED)", title_justify="left")
    for heading in ("number", "unit", "published", "this campaign", "error", "truth", "pull"):
        found.add_column(heading, justify="left" if heading in ("number", "unit") else "right")
    for each in numbers:
        cells = (each.published, each.value, each.error, each.truth)
        texts = [f"{cell:.4g}" if isfinite(cell) else "" for cell in cells]
        found.add_row(each.what, each.unit, *texts, f"{each.pull:+.1f}" if isfinite(each.pull) else "")
    return found


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("rehearse")(rehearse_command)
