"""Patterns of several images, without background, with the peaks in chosen ranges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from beamline.records.images import ImageError, read_image
from reduction.diffraction.background import PatternBackground, fit_background
from reduction.diffraction.pattern import Camera, PowderPattern, integrate, pixels, without_background
from reduction.diffraction.peaks import Peak, Splitting, split
from reduction.diffraction.phases import SPLIT, PhaseFinding, phase_of
from reduction.errors import ReductionError

CUBIC_200 = 2.139
"""1/angstrom; of CsPbBr3."""
ENERGY = 12.9
"""keV, of the paper."""


COLD = 35.0
"""degC; of the pattern whose straight background the SI subtracts from all."""
SEEN = 5.0
"""Standard deviations of its height from which a line is one: the fit of noise alone reaches more than 3."""
KINDS = ("none", "fit", "si")
"""Of what is subtracted from patterns."""


@dataclass(frozen=True)
class BackgroundChoice:
    """What is subtracted.

    Attributes
    ----------
    kind : str
        One of `KINDS`. ``fit``: a straight line of each pattern, and with `windows` their amount. ``si``: one straight
        line for all, that of `line_of`; windows are only shown.
    windows : Path or None
        Image of the cell without sample.
    line_of : str
        Name of an image; the first one if empty.
    """

    kind: str = "none"
    windows: Path | None = None
    line_of: str = ""


@dataclass(frozen=True)
class Image:
    """One image: its pattern for display, and of each range one line and two, or why there is none.

    `phase` is what the peak in the range of the cubic (200) says, if it was asked for and fitted; `energy`, in keV, is
    that of the photons; `background` was subtracted.
    """

    name: str
    pattern: PowderPattern
    peaks: tuple[Splitting | str, ...]
    phase: PhaseFinding | None = None
    energy: float = ENERGY
    background: PatternBackground | None = None


@dataclass(frozen=True)
class _Windows:
    """The cell without sample: its pattern, and its pixels."""

    pattern: PowderPattern
    pixels: PowderPattern


def read_patterns(
    images: Mapping[str, Path],
    camera: Camera,
    ranges: Sequence[tuple[float, float]],
    phases: bool = False,
    choice: BackgroundChoice = BackgroundChoice(),
) -> list[Image]:
    """Integrate images, by the name that they are shown by, and fit the peaks in some ranges (1/angstrom).

    With `phases` the peak nearest to the cubic (200) of CsPbBr3 is told apart. Peaks stand on a straight background of
    their own; the amount of the windows is subtracted from the pixels before, where it is fitted.

    Raises
    ------
    ImageError
        Naming the file.
    """
    windows = None if choice.windows is None or choice.kind != "fit" else _windows(choice.windows, camera)
    common = _common(images, camera, choice) if choice.kind == "si" and images else None
    found = []
    for name, path in images.items():
        counts = read_image(path)
        try:
            pattern = integrate(counts, camera)
            each = pixels(counts, camera, pattern)
            background = common
            if choice.kind == "fit":
                background = fit_background(pattern, None if windows is None else windows.pattern)
            if background is not None and windows is not None:
                pattern = without_background(pattern, windows.pattern, background.amount)
                each = without_background(each, windows.pixels, background.amount)
            if background is not None:
                pattern = _without_line(pattern, background)
            peaks = tuple(_peak(each, low, high) for low, high in ranges)
        except ReductionError as error:
            raise ImageError(f"{path}: {error}") from error
        phase = _phase(each, peaks) if phases else None
        found.append(Image(name, pattern, peaks, phase, camera.energy, background))
    return found


def windows_pattern(path: Path, camera: Camera) -> PowderPattern:
    """The pattern of the cell without sample.

    Raises
    ------
    ImageError
        Naming the file.
    """
    return _windows(path, camera).pattern


def _windows(path: Path, camera: Camera) -> _Windows:
    counts = read_image(path)
    try:
        pattern = integrate(counts, camera)
        return _Windows(pattern, pixels(counts, camera, pattern))
    except ReductionError as error:
        raise ImageError(f"{path}: {error}") from error


def _common(images: Mapping[str, Path], camera: Camera, choice: BackgroundChoice) -> PatternBackground:
    """The straight line that all patterns share."""
    path = images[choice.line_of or next(iter(images))]
    try:
        return fit_background(integrate(read_image(path), camera))
    except ReductionError as error:
        raise ImageError(f"{path}: {error}") from error


def _without_line(pattern: PowderPattern, background: PatternBackground) -> PowderPattern:
    return PowderPattern(pattern.q, pattern.value - background.line(pattern.q), pattern.stddev)


def _phase(pattern: PowderPattern, peaks: Sequence[Splitting | str]) -> PhaseFinding | None:
    """What the peak at the cubic (200) says; None if none is there."""
    for peak in peaks:
        if not isinstance(peak, str) and abs(peak.one.peaks[0].position - CUBIC_200) < peak.one.peaks[0].width:
            return phase_of(pattern, peak)
    return None


def _peak(pattern: PowderPattern, low: float, high: float) -> Splitting | str:
    try:
        found = split(pattern, low, high)
    except ReductionError as error:
        return str(error)
    line = found.one.peaks[0]
    if line.height < SEEN * line.height_stddev:
        return f"no line between {low:g} and {high:g} 1/A stands out of the noise: the ring is lost, or is elsewhere"
    return found


def sentences(images: Sequence[Image]) -> list[str]:
    """A line for each peak of each image, and for the background of each, or of all."""
    first = images[0].background if len(images) > 1 else None
    common = first if all(each.background is first for each in images) else None
    lines = [f"all: {text}" for text in _of_background(common)]
    for image in images:
        if common is None:
            lines += [f"{image.name}: {text}" for text in _of_background(image.background)]
        lines += [f"{image.name}: {_in_words(peak)}" for peak in image.peaks]
        lines += [f"{image.name}: cubic (200) {image.phase.sentence}"] if image.phase is not None else []
    return lines


def _of_background(found: PatternBackground | None) -> Iterator[str]:
    if found is None:
        return
    level, slope = (f"{each:.2f} +- {found.stddev[at]:.2f}" for at, each in enumerate((found.level, found.slope)))
    text = f"background of {level} counts a pixel at {found.middle:.2f} 1/A with a slope of {slope}"
    if len(found.stddev) > 2:
        text += f", and {found.amount:.4f} +- {found.stddev[2]:.4f} of the windows"
    yield f"{text}; {found.points} points between lines"


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
