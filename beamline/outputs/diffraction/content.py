"""Patterns of several images with the peaks in chosen ranges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from beamline.records.images import ImageError, read_image
from reduction.diffraction.pattern import Camera, PowderPattern, integrate, pixels
from reduction.diffraction.peaks import Peak, Splitting, split
from reduction.errors import ReductionError

SPLIT = 1e-3
"""p-value of a single line below which a peak is called split."""


@dataclass(frozen=True)
class Image:
    """One image: its pattern for display, and of each range one line and two, or why there is none."""

    name: str
    pattern: PowderPattern
    peaks: tuple[Splitting | str, ...]


def read_patterns(paths: Sequence[Path], camera: Camera, ranges: Sequence[tuple[float, float]]) -> list[Image]:
    """Integrate images and fit the peaks in some ranges (1/angstrom).

    Raises
    ------
    ImageError
        Naming the file.
    """
    found = []
    for path in paths:
        image = read_image(path)
        try:
            pattern = integrate(image, camera)
            each = pixels(image, camera, pattern)
            found.append(Image(path.name, pattern, tuple(_peak(each, low, high) for low, high in ranges)))
        except ReductionError as error:
            raise ImageError(f"{path}: {error}") from error
    return found


def _peak(pattern: PowderPattern, low: float, high: float) -> Splitting | str:
    try:
        return split(pattern, low, high)
    except ReductionError as error:
        return str(error)


def sentences(images: Sequence[Image]) -> list[str]:
    """A line for each peak of each image."""
    return [f"{image.name}: {_in_words(peak)}" for image in images for peak in image.peaks]


def _in_words(found: Splitting | str) -> str:
    if isinstance(found, str):
        return found
    one, two = found.one, found.two
    agreement = f"chi-square {one.chi_square:.0f} with {one.dof} degrees of freedom"
    text = f"{_line(one.peaks[0])}; {agreement}"
    if found.p_value >= SPLIT:
        return f"{text}; not split, p-value {found.p_value:.2g}"
    return f"{text}; split, p-value {found.p_value:.2g}: {' and '.join(_line(peak) for peak in two.peaks)}"


def _line(peak: Peak) -> str:
    position = f"{peak.position:.5f} +- {peak.position_stddev:.5f} 1/A"
    return f"{position}, width {peak.width:.5f} +- {peak.width_stddev:.5f} 1/A"
