"""Patterns of made images with rings, positions and widths of peaks, and splitting, against the truth of the images."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("pyFAI", reason="pyFAI is not installed (extra 'thermal')")

from reduction.diffraction.background import fit_background
from reduction.diffraction.pattern import Camera, PowderPattern, SideView, integrate, pixels, without_background
from reduction.diffraction.peaks import fit_peak, split
from reduction.errors import ReductionError

ENERGY = 12.9
SHAPE = (195, 487)
GEOMETRY = {
    "dist": 0.241, "poni1": 0.0168, "poni2": -0.0453, "rot1": 0.0, "rot2": 0.0, "rot3": 0.0,
    "pixel1": 172e-6, "pixel2": 172e-6,
}  # fmt: skip
CAMERA = Camera(GEOMETRY, ENERGY, polarisation=None)
RINGS = {1.53: 900.0, 2.16: 1500.0, 2.64: 500.0}
"""Scattering vector (1/A) and height (counts a pixel) of rings like those of CsPbBr3."""
WIDTH = 0.03


def angles() -> np.ndarray:
    """Scattering angle of each pixel of a flat detector square to the beam, from its geometry."""
    y = (np.arange(SHAPE[0]) + 0.5) * 172e-6 - GEOMETRY["poni1"]
    x = (np.arange(SHAPE[1]) + 0.5) * 172e-6 - GEOMETRY["poni2"]
    return np.arctan(np.hypot(*np.meshgrid(x, y)) / GEOMETRY["dist"])


def image(rings: dict[float, float], seed: int, level: float = 60.0) -> np.ndarray:
    q = 4 * np.pi / (12.39841984 / ENERGY) * np.sin(angles() / 2)
    lines = sum(height * np.exp(-4 * np.log(2) * ((q - at) / WIDTH) ** 2) for at, height in rings.items())
    solid_angle = np.cos(angles()) ** 3  # of a pixel of a flat detector, relative to one in the beam
    counts = np.random.default_rng(seed).poisson((level + lines) * solid_angle).astype(np.float64)
    counts[50:52, 100:110] = -2  # dead pixels, as a Pilatus marks them
    return counts


def test_the_relations_of_the_si_lack_the_cosine() -> None:
    view = SideView()
    pixel = np.arange(0, 487, 60)
    tangent = (pixel * 172e-6 + 0.0453) / 0.2410
    assert np.tan(view.angle(pixel)) == pytest.approx(tangent)
    assert view.q_of_the_si(pixel) / view.q(pixel) == pytest.approx(np.cos(0.5 * np.arctan(tangent)))
    spacing = 2 * np.pi / view.q(pixel)
    bragg = 2 * spacing * np.sin(0.5 * view.angle(pixel))  # Bragg's law gives the wavelength back
    assert bragg == pytest.approx(12.39841984 / 12.9)


def test_peaks_are_where_the_rings_are_with_pulls_of_width_one() -> None:
    pulls = []
    for seed in range(5):
        pattern = pixels(image(RINGS, seed), CAMERA)
        for at in RINGS:
            peak = fit_peak(pattern, at - 0.1, at + 0.1).peaks[0]
            assert peak.width == pytest.approx(WIDTH, abs=5 * peak.width_stddev)
            pulls.append((peak.position - at) / peak.position_stddev)
    assert np.mean(pulls) == pytest.approx(0, abs=4 / np.sqrt(len(pulls)))
    assert np.std(pulls) == pytest.approx(1, abs=4 / np.sqrt(2 * len(pulls)))


def test_a_tetragonal_splitting_is_found_and_a_single_line_is_not_split() -> None:
    p_values = [split(pixels(image(RINGS, seed), CAMERA), 2.05, 2.27).p_value for seed in range(4)]
    assert min(p_values) > 1e-3
    pair = {2.15: 800.0, 2.172: 700.0}
    found = split(pixels(image(pair, 3), CAMERA), 2.05, 2.27)
    assert found.p_value < 1e-6
    low, high = found.two.peaks
    assert (low.position, high.position) == pytest.approx(
        (2.15, 2.172), abs=4 * max(low.position_stddev, high.position_stddev)
    )


def test_the_graphite_is_subtracted_with_its_error() -> None:
    with_graphite = integrate(image({**RINGS, 1.83: 3000.0}, 1), CAMERA)
    graphite = integrate(image({1.83: 6000.0}, 2, level=120.0), CAMERA)
    rest = without_background(with_graphite, graphite, 0.5)
    at = np.abs(rest.q - 1.83) < 0.02
    assert rest.value[at] == pytest.approx(0, abs=5 * rest.stddev[at].max())
    assert (rest.stddev > with_graphite.stddev).all()


def test_line_and_windows_below_the_lines_are_found_with_their_errors() -> None:
    """Over several images: pulls of amount, level and slope of what the images were made of."""
    pulls = []
    for seed in range(6):
        windows = integrate(image({1.83: 3000.0}, 100 + seed, level=90.0), CAMERA)
        q, middle = windows.q, float(windows.q.mean())
        made = integrate(image(RINGS, seed, level=60.0), CAMERA)
        tilt = 40.0 - 8.0 * (q - middle)
        value = made.value + 0.5 * windows.value + tilt
        pattern = PowderPattern(q, value, np.hypot(made.stddev, 0.5 * windows.stddev))
        found = fit_background(pattern, windows)
        expected = np.array([60.0 + 40.0, -8.0, 0.5])
        pulls.append((np.array([found.level, found.slope, found.amount]) - expected) / found.stddev)
        assert found.line(np.array([middle]))[0] == found.level
        assert found.points < q.size - 30  # the lines are left out
        alone = fit_background(PowderPattern(q, made.value + tilt, made.stddev))
        assert alone.level == pytest.approx(100.0, abs=1.0) and alone.amount == 0.0
    assert np.abs(np.mean(pulls, axis=0)).max() < 4 / np.sqrt(len(pulls)) + 0.3
    assert np.abs(pulls).max() < 4.5


def test_nothing_is_left_of_a_background_without_windows() -> None:
    """Their amount scatters around 0; line and amount together are what was made, whatever its sign."""
    q, amounts = np.linspace(1.2, 2.8, 300), []
    windows = PowderPattern(q, 90 + 60 * np.exp(-(((q - 1.83) / 0.15) ** 2)), np.full(300, 0.1))
    for seed in range(8):
        noise = np.random.default_rng(seed).standard_normal(300)
        found = fit_background(PowderPattern(q, 100 - 8 * q + noise, np.ones(300)), windows)
        rest = 100 - 8 * q + noise - found.line(q) - found.amount * windows.value
        assert rest.mean() == pytest.approx(0, abs=0.05)
        amounts.append(found.amount / found.stddev[2])
    assert min(amounts) < 0 < max(amounts) and np.abs(amounts).max() < 4


def test_a_background_that_cannot_be_told_is_refused() -> None:
    q = np.linspace(1, 2, 50)
    flat = PowderPattern(q, np.ones(50), np.full(50, 0.1))
    with pytest.raises(ReductionError, match="straight line: it has no amount of its own"):
        fit_background(flat, flat)
    with pytest.raises(ReductionError, match="too few for a background"):
        fit_background(PowderPattern(q[:5], np.ones(5), np.ones(5)))


def test_images_that_cannot_be_used_are_refused() -> None:
    with pytest.raises(ReductionError, match="every pixel is masked"):
        integrate(np.full(SHAPE, -1.0), CAMERA)
    with pytest.raises(ReductionError, match=r"mask has \(3, 3\) pixels"):
        integrate(image(RINGS, 0), Camera(GEOMETRY, ENERGY, np.zeros((3, 3), bool)))
    pattern = integrate(image(RINGS, 0), CAMERA)
    with pytest.raises(ReductionError, match=r"0 points between 9 and 9.1 1/A: the pattern goes from"):
        fit_peak(pattern, 9.0, 9.1)
    q = np.linspace(1, 2, 50)
    with pytest.raises(ReductionError, match="no line between"):
        fit_peak(PowderPattern(q, np.zeros(50), np.ones(50)), 1.0, 2.0)
