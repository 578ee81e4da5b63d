"""`trxas diffraction`: patterns and peaks of images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from beamline.app.commands.stored import terminal


def diffraction_command(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE ...", help="TIFF, CBF, EDF or HDF5.")],
    geometry: Annotated[Path, typer.Option(help="Geometry of pyFAI, a .poni file.")],
    energy: Annotated[float, typer.Option(min=1.0, max=200.0, help="Of the photons, keV.")] = 12.9,
    peaks: Annotated[str, typer.Option(help="Ranges with a peak each, 1/angstrom: 1.43-1.63,2.05-2.27.")] = "",
    mask: Annotated[Path | None, typer.Option(help="Image that is not 0 where pixels are out.")] = None,
    polarisation: Annotated[float, typer.Option(min=-1, max=1, help="Horizontal polarisation, 1 is all.")] = 0.99,
    out: Annotated[Path | None, typer.Option(help="Write .csv or .png.")] = None,
) -> None:
    """Integrate diffraction images, fit peaks, and report whether they are split."""
    from beamline.outputs.diffraction.content import read_patterns, sentences
    from beamline.outputs.diffraction.files import write_patterns
    from beamline.records.images import read_camera

    ranges = [_range(part) for part in peaks.split(",")] if peaks else []
    found = read_patterns(images, read_camera(geometry, energy, mask, polarisation), ranges)
    console = terminal()
    for image in found:
        low, high = image.pattern.q[0], image.pattern.q[-1]
        console.print(f"{image.name}: {image.pattern.q.size} points from {low:.3f} to {high:.3f} 1/A", markup=False)
    for line in sentences(found):
        console.print(line, markup=False, soft_wrap=True)
    if out is not None:
        console.print(str(write_patterns(out, found)), markup=False, soft_wrap=True)


def _range(text: str) -> tuple[float, float]:
    try:
        low, high = (float(part) for part in text.split("-"))
    except ValueError:
        raise typer.BadParameter(f"--peaks takes ranges like 1.43-1.63, comma-separated, not {text!r}") from None
    if not 0 < low < high:
        raise typer.BadParameter(f"--peaks: {text} does not go from a lower to a higher scattering vector")
    return low, high


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("diffraction")(diffraction_command)
