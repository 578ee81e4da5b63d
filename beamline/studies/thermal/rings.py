"""Images of powder rings on a flat detector beside the beam, and what is found on them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from beamline.records.images import square_camera
from beamline.studies.numbers.number import Collected
from reduction.diffraction.calibrate import calibrate, ring_vectors
from reduction.diffraction.pattern import integrate, pixels
from reduction.diffraction.peaks import fit_peak

Array = NDArray[np.float64]

ENERGY, DISTANCE, ASIDE, PIXEL = 12.9, 241.0, 45.3, 0.172
"""keV; mm, of the detector of the paper (SI 8)."""
SHAPE = (195, 487)
CUBIC: Mapping[float, float] = {1.5127: 130.0, 2.1393: 220.0}
"""Lines (110) and (200) of cubic CsPbBr3 (1/angstrom, a = 5.874 A) and counts a pixel in their middle."""
WIDTH, GRAPHITE_WIDTH = 0.07, 0.02
LEVEL, SLOPE = 25.0, -6.0
"""Counts a pixel of the background at 1.9 per angstrom, and its change per 1/angstrom."""
POLARISATION = 0.95
GRAPHITE = (900.0, 150.0, 300.0)
"""Counts a pixel of its first three rings."""
GUESS = (240.0, 46.0)
"""mm; where the detector is before it is calibrated."""


def drawn(rings: Mapping[float, float], width: float, rng: np.random.Generator) -> Array:
    """An image with the noise of counting, by plain geometry."""
    away = ASIDE + (np.arange(SHAPE[1]) + 0.5) * PIXEL
    beside = (np.arange(SHAPE[0]) + 0.5 - SHAPE[0] / 2) * PIXEL
    radius = np.hypot(away, beside[:, None])
    angle = np.arctan2(radius, DISTANCE)
    q = 4 * np.pi * ENERGY / 12.39841984 * np.sin(angle / 2)
    lines = sum(height * 2.0 ** (-4 * ((q - at) / width) ** 2) for at, height in rings.items())
    in_plane, tilt, share = (away / radius) ** 2, np.sin(angle) ** 2, 0.5 * (1 + POLARISATION)
    kept = 1 - tilt * (share * in_plane + (1 - share) * (1 - in_plane))
    return rng.poisson((LEVEL + SLOPE * (q - 1.9) + lines) * np.cos(angle) ** 3 * kept).astype(float)


def peaks(rng: np.random.Generator, found: Collected) -> None:
    """Positions and widths of two lines."""
    image = drawn(CUBIC, WIDTH, rng)
    camera = square_camera(SHAPE[0], DISTANCE, ASIDE, 1e3 * PIXEL, ENERGY, POLARISATION)
    each = pixels(image, camera, integrate(image, camera))
    for at in CUBIC:
        peak = fit_peak(each, at - 0.14, at + 0.14).peaks[0]
        found.add("peak position", peak.position, at, peak.position_stddev)
        found.add("peak width", peak.width, WIDTH, peak.width_stddev)


def geometry(rng: np.random.Generator, found: Collected) -> None:
    """Where the detector is, from the rings of graphite."""
    rings = dict(zip(ring_vectors("graphite", ENERGY).tolist(), GRAPHITE, strict=False))
    image = drawn(rings, GRAPHITE_WIDTH, rng)
    camera = square_camera(SHAPE[0], *GUESS, 1e3 * PIXEL, ENERGY, POLARISATION)
    fit = calibrate(image, camera)
    metres = fit.camera.geometry
    found.add("detector distance", 1e3 * metres["dist"], DISTANCE, 1e3 * fit.stddev["dist"])
    found.add("detector aside", -1e3 * metres["poni2"], ASIDE, 1e3 * fit.stddev["poni2"])
