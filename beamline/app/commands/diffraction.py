"""`trxas camera` and `trxas diffraction`: where the detector is; patterns, peaks and phases of images."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from beamline.app.commands.stored import Config, Data, terminal

if TYPE_CHECKING:
    from rich.console import Console

    from beamline.outputs.diffraction.content import Image
    from beamline.records.runs.run import Run

LOOK_EVERY = 2.0
"""Seconds between two looks at a series that runs."""
Energy = Annotated[float, typer.Option(min=1.0, max=200.0, help="Of the photons, keV.")]


def camera_command(
    image: Annotated[Path, typer.Argument(help="Image of the rings of a known powder.")],
    out: Annotated[Path, typer.Argument(metavar="CAMERA.poni", help="Geometry to write, as pyFAI reads it.")],
    distance: Annotated[float, typer.Option(min=1.0, help="First guess, from sample to detector, mm.")] = 241.0,
    aside: Annotated[float, typer.Option(help="First guess, from the beam to the first column, mm.")] = 45.3,
    pixel: Annotated[float, typer.Option(min=1.0, help="Size of the pixels, um.")] = 172.0,
    energy: Energy = 12.9,
    calibrant: Annotated[str, typer.Option(help="Table of pyFAI, for example graphite, LaB6.")] = "graphite",
) -> None:
    """Find where a detector is from the rings of a known powder, and write the geometry."""
    from beamline.records.images import refine_camera

    console = terminal()
    for line in refine_camera(image, out, distance, aside, pixel, energy, calibrant):
        console.print(line, markup=False, soft_wrap=True)


def diffraction_command(
    images: Annotated[list[str], typer.Argument(metavar="IMAGE ...", help="Files, or a temperature series.")],
    geometry: Annotated[Path, typer.Option(help="Geometry of pyFAI, a .poni file.")],
    energy: Energy = 12.9,
    peaks: Annotated[str, typer.Option(help="Ranges with a peak each, 1/angstrom: 1.43-1.63,2.05-2.27.")] = "",
    background: Annotated[
        str, typer.Option(help="none; fit: a straight line of each image, and the windows; si: one line for all.")
    ] = "none",
    windows: Annotated[Path | None, typer.Option(metavar="IMAGE", help="Of the cell without sample.")] = None,
    phases: Annotated[bool, typer.Option("--phases", help="Tell the phases of CsPbBr3 by the cubic (200).")] = False,
    follow: Annotated[bool, typer.Option("--follow", help="With --out: write it anew with each image.")] = False,
    mask: Annotated[Path | None, typer.Option(help="Image that is not 0 where pixels are out.")] = None,
    polarisation: Annotated[float, typer.Option(min=-1, max=1, help="Horizontal polarisation, 1 is all.")] = 0.99,
    out: Annotated[Path | None, typer.Option(help="Write .csv, .png or .pdf.")] = None,
    config: Config = "simulated",
    data: Data = None,
) -> None:
    """Integrate diffraction images, fit peaks, and report whether they are split."""
    from beamline.outputs.diffraction.content import KINDS, BackgroundChoice, read_patterns, windows_pattern
    from beamline.outputs.diffraction.files import write_patterns
    from beamline.records.images import read_camera

    if background not in KINDS:
        raise typer.BadParameter(f"--background is one of {', '.join(KINDS)}, not {background!r}")
    if follow and out is None:
        raise typer.BadParameter("--follow needs --out FILE")
    ranges = [_range(part) for part in peaks.split(",")] if peaks else []
    camera, console = read_camera(geometry, energy, mask, polarisation), terminal()
    dashed = None if windows is None or background == "fit" else windows_pattern(windows, camera)
    shown: set[str] = set()
    while True:
        files, line_of, running = _files(images, energy, config, data)
        if set(files) != shown or not files:
            choice = BackgroundChoice(background, windows, line_of)
            found = read_patterns(files, camera, ranges, phases, choice)
            _show([image for image in found if image.name not in shown], console)
            if out is not None and found:
                console.print(str(write_patterns(out, found, dashed)), markup=False, soft_wrap=True)
            shown = set(files)
        if not (follow and running):
            return
        time.sleep(LOOK_EVERY)


def _show(images: list[Image], console: Console) -> None:
    from beamline.outputs.diffraction.content import sentences

    for image in images:
        low, high = image.pattern.q[0], image.pattern.q[-1]
        console.print(f"{image.name}: {image.pattern.q.size} points from {low:.3f} to {high:.3f} 1/A", markup=False)
    for line in sentences(images):
        console.print(line, markup=False, soft_wrap=True)


def _files(names: list[str], energy: float, config: str, data: Path | None) -> tuple[Mapping[str, Path], str, bool]:
    """Images by the name that they are shown by, the name of the one near 35 degC, and whether more may come."""
    from beamline.app.commands.stored import configuration
    from beamline.outputs.diffraction.content import COLD
    from beamline.records.images import ImageError
    from beamline.records.runs.journal_runs import JournalRuns
    from beamline.records.runs.series import images_of, nearest_name, paths_by_temperature, series_named

    if len(names) > 1 or Path(names[0]).exists() or Path(names[0]).suffix:
        return {Path(name).name: Path(name) for name in names}, "", False
    store = JournalRuns(configuration(config, data).data.root)
    runs = store.runs()
    members = series_named(runs, names[0])
    if not members:
        raise ImageError(f"{names[0]} is neither a file nor a temperature series of this data root")
    found = images_of(store, members)
    if other := next((each for each in found if abs(each.energy - energy) > 1e-3 * energy), None):
        raise ImageError(
            f"{other.path}: taken at {other.energy:g} keV, not at {energy:g} keV; give --energy {other.energy:g}"
        )
    named = paths_by_temperature(found)
    running = any(run.running or run.stop is None for run in members) or len(named) < _expected(members)
    return named, nearest_name(found, COLD), running


def _expected(members: list[Run]) -> int:
    """Images that the whole series has, by its start documents."""
    listed = members[0].start.get("members", ())
    return sum(each.get("scan_axis") == "image" for each in listed)


def _range(text: str) -> tuple[float, float]:
    try:
        low, high = (float(part) for part in text.split("-"))
    except ValueError:
        raise typer.BadParameter(f"--peaks takes ranges like 1.43-1.63, comma-separated, not {text!r}") from None
    if not 0 < low < high:
        raise typer.BadParameter(f"--peaks: {text} does not go from a lower to a higher scattering vector")
    return low, high


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("camera")(camera_command)
    app.command("diffraction")(diffraction_command)
