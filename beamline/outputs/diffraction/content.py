"""Patterns of several images with the peaks in chosen ranges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from beamline.records.images import ImageError, read_image
from reduction.diffraction.pattern import Camera, PowderPattern, integrate, pixels
from reduction.diffraction.peaks import Peak, Splitting, split
from reduction.diffraction.phases import SPLIT, PhaseFinding, phase_of
from reduction.errors import ReductionError

CUBIC_200 = 2.139
"""1/angstrom; of CsPbBr3."""
ENERGY = 12.9
"""keV, of the paper."""


@dataclass(frozen=True)
class Image:
    """One image: its pattern for display, and of each range one line and two, or why there is none.

    `phase` is what the peak in the range of the cubic (200) says, if it was asked for and fitted; `energy`, in keV, is
    that of the photons.
    """

    name: str
    pattern: PowderPattern
    peaks: tuple[Splitting | str, ...]
    phase: PhaseFinding | None = None
    energy: float = ENERGY


def read_patterns(
    images: Mapping[str, Path], camera: Camera, ranges: Sequence[tuple[float, float]], phases: bool = False
) -> list[Image]:
    """Integrate images, by the name that they are shown by, and fit the peaks in some ranges (1/angstrom).

    With `phases` the peak nearest to the cubic (200) of CsPbBr3 is told apart.

    Raises
    ------
    ImageError
        Naming the file.
    """
    found = []
    for name, path in images.items():
        image = read_image(path)
        try:
            pattern = integrate(image, camera)
            each = pixels(image, camera, pattern)
            peaks = tuple(_peak(each, low, high) for low, high in ranges)
            found.append(Image(name, pattern, peaks, _phase(each, peaks) if phases else None, camera.energy))
        except ReductionError as error:
            raise ImageError(f"{path}: {error}") from error
    return found


def _phase(pattern: PowderPattern, peaks: Sequence[Splitting | str]) -> PhaseFinding | None:
    """What the peak at the cubic (200) says; None if none is there."""
    for peak in peaks:
        if not isinstance(peak, str) and abs(peak.one.peaks[0].position - CUBIC_200) < peak.one.peaks[0].width:
            return phase_of(pattern, peak)
    return None


def _peak(pattern: PowderPattern, low: float, high: float) -> Splitting | str:
    try:
        return split(pattern, low, high)
    except ReductionError as error:
        return str(error)


def sentences(images: Sequence[Image]) -> list[str]:
    """A line for each peak of each image."""
    lines = []
    for image in images:
        lines += [f"{image.name}: {_in_words(peak)}" for peak in image.peaks]
        lines += [f"{image.name}: cubic (200) {image.phase.sentence}"] if image.phase is not None else []
    return lines


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
