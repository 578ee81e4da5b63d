"""Phases from the splitting of the cubic (200), and the geometry of a camera from graphite rings, on drawn images."""

from __future__ import annotations

import numpy as np
import pytest

from reduction.diffraction.calibrate import calibrate
from reduction.diffraction.pattern import Camera, PowderPattern
from reduction.diffraction.peaks import split
from reduction.diffraction.phases import CSPBBR3, phase_of
from reduction.errors import ReductionError

Q = np.linspace(2.0, 2.28, 281)


def pattern(positions: list[float], heights: list[float], width: float, counts: float = 1e4) -> PowderPattern:
    lines = zip(positions, heights, strict=True)
    value = 0.05 + sum(height * 2.0 ** (-4 * ((Q - at) / width) ** 2) for at, height in lines)
    drawn = np.random.default_rng(5).poisson(counts * value)
    return PowderPattern(Q, drawn / counts, np.sqrt(value * counts) / counts)


@pytest.mark.parametrize(
    ("positions", "heights", "width", "possible"),
    [
        ([2.1393], [1.0], 0.012, ("cubic",)),
        ([2.1373, 2.1591], [0.5, 0.5], 0.012, ("orthorhombic",)),
        ([2.1310, 2.1518], [1 / 3, 2 / 3], 0.012, ("tetragonal",)),
    ],
)
def test_narrow_lines_tell_the_phases(
    positions: list[float], heights: list[float], width: float, possible: tuple[str, ...]
) -> None:
    shown = pattern(positions, heights, width, 1e5)
    assert phase_of(shown, split(shown, 2.08, 2.22)).possible == possible


def test_lines_broader_than_the_splitting_tell_nothing_where_counts_are_few() -> None:
    shown = pattern([2.1393], [1.0], 0.075, 300.0)
    found = phase_of(shown, split(shown, 2.02, 2.26))
    assert set(found.possible) == set(CSPBBR3)
    assert found.least > 0.022 and "one line" in found.sentence


def rings(distance: float, aside: float, energy: float) -> np.ndarray:
    """Photons of graphite (002), (100), (101) by plain geometry, mm and keV; the beam at half the height."""
    away, beside = aside + (np.arange(487) + 0.5) * 0.172, (np.arange(195) + 0.5 - 97.5) * 0.172
    angle = np.arctan2(np.hypot(away, beside[:, None]), distance)
    q = 4 * np.pi * energy / 12.39841984 * np.sin(angle / 2)
    vectors = [2 * np.pi / d for d in (3.348, 2.127, 2.0271)]
    return 20 + sum(
        height * 2.0 ** (-4 * ((q - at) / 0.02) ** 2) for at, height in zip(vectors, (900, 150, 300), strict=True)
    )


def guess(distance: float, aside: float) -> Camera:
    size, square = 172e-6, dict.fromkeys(("rot1", "rot2", "rot3"), 0.0)
    place = {"dist": 1e-3 * distance, "poni1": 97.5 * size, "poni2": -1e-3 * aside}
    return Camera({**place, "pixel1": size, "pixel2": size, **square}, 12.9, polarisation=None)


def by_plain_geometry(q: float, covariance: np.ndarray) -> float:
    """Error of a scattering vector in the row of the beam, of distance and place there at 241 and 45.3 mm."""
    half = np.arcsin(q * 12.39841984 / 12.9 / (4 * np.pi))
    radius, by_angle = 241e-3 * np.tan(2 * half), 2 * np.pi * 12.9 / 12.39841984 * np.cos(half)
    slopes = by_angle * np.array([-radius, 0.0, -241e-3]) / (241e-3**2 + radius**2)
    return float(np.sqrt(slopes @ covariance @ slopes))


def test_the_geometry_is_found_on_graphite_rings_within_its_errors() -> None:
    pytest.importorskip("pyFAI")
    image = np.random.default_rng(2).poisson(rings(241.0, 45.3, 12.9)).astype(float)
    found = calibrate(image, guess(240.0, 46.0))
    geometry, stddev = found.camera.geometry, found.stddev
    assert found.rings == 3 and found.chi_square < 3 * found.dof
    assert abs(1e3 * geometry["dist"] - 241.0) < 4 * 1e3 * stddev["dist"] + 0.05
    assert abs(-1e3 * geometry["poni2"] - 45.3) < 4 * 1e3 * stddev["poni2"] + 0.02
    assert found.vector_stddev(2.139) == pytest.approx(by_plain_geometry(2.139, found.covariance), rel=1e-3)
    with pytest.raises(ReductionError, match=r"of the rings of graphite found, of which 2 are needed"):
        calibrate(np.random.default_rng(2).poisson(20, image.shape).astype(float), guess(241.0, 45.3))
    with pytest.raises(ReductionError, match="no calibrant 'nothing'"):
        calibrate(image, guess(241.0, 45.3), "nothing")
