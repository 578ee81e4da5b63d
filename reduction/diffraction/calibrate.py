"""Where a detector is, from the rings of a known powder on one of its images; the refinement is that of pyFAI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.diffraction.pattern import Camera, PowderPattern, integrate, pixels, wavelength
from reduction.diffraction.peaks import fit_peak
from reduction.errors import ReductionError

Array = NDArray[np.float64]

BANDS = 9
"""Bands of rows in each of which the position of a ring is found."""
FREE = ("dist", "poni1", "poni2")
"""What is refined: a detector square to the beam."""
FIXED = ("rot1", "rot2", "rot3", "wavelength")
LEAST_RINGS = 2
OUT = -1
"""Of a pixel that does not count."""
STEP = 1e-6
"""m; of the derivatives for the errors."""


@dataclass(frozen=True)
class CameraFit:
    """A refined geometry.

    Attributes
    ----------
    camera : Camera
    covariance : ndarray, shape (3, 3)
        Of `FREE`, m^2.
    rings : int
        Rings that were found.
    points : int
        Positions on them.
    chi_square : float
        Of the positions, with the errors of their fits.
    """

    camera: Camera
    covariance: Array
    rings: int
    points: int
    chi_square: float

    @property
    def dof(self) -> int:
        return self.points - len(FREE)

    @property
    def stddev(self) -> Mapping[str, float]:
        """Standard deviation (m) of each of `FREE`."""
        return dict(zip(FREE, np.sqrt(np.diagonal(self.covariance)).tolist(), strict=True))

    def vector_stddev(self, q: float) -> float:
        """Standard deviation (1/angstrom) that the geometry adds to a scattering vector."""
        place = np.array([[float(self.camera.geometry["poni1"] / self.camera.geometry["pixel1"]), _column(self, q), q]])
        _, slope = _linearised(np.append(place, [[0.0]], axis=1), self.camera, np.array([q]))
        return float(np.sqrt((slope @ self.covariance @ slope.T)[0, 0]))


def calibrate(image: Array, guess: Camera, calibrant: str = "graphite", window: float = 0.06) -> CameraFit:
    """Refine a geometry on the rings of a calibrant of pyFAI.

    In bands of rows each ring is fitted against the scattering vector of the first guess, and put where that vector is
    in the middle of the band; distance and place of the beam are then refined to the positions of all bands.

    Parameters
    ----------
    image : ndarray, shape (rows, columns)
        Counts, with the detector square to the beam.
    guess : Camera
    calibrant : str
        Name of a table of pyFAI, for example ``graphite`` or ``LaB6``.
    window : float
        1/angstrom; how far a ring may be from where the guess has it.

    Raises
    ------
    ReductionError
        If fewer than two rings are found, or the table is unknown.
    ImportError
        Without pyFAI.
    """
    rings = ring_vectors(calibrant, guess.energy)
    smooth = integrate(image, guess)
    found = [
        (*place, number) for number, q in enumerate(rings) for place in _places(image, guess, smooth, float(q), window)
    ]
    there = {int(place[3]) for place in found}
    if len(there) < LEAST_RINGS:
        raise ReductionError(
            f"{len(there)} of the rings of {calibrant} found, of which {LEAST_RINGS} are needed: look at the energy,"
            " the distance and the place of the beam"
        )
    points = np.array(found)
    refined = _refined(points, guess, calibrant)
    residual, jacobian = _linearised(points, refined, rings)
    sigma = points[:, 2]
    matrix = jacobian / sigma[:, None]
    covariance = np.linalg.inv(matrix.T @ matrix)
    return CameraFit(refined, covariance, len(there), len(points), float(((residual / sigma) ** 2).sum()))


def _column(found: CameraFit, q: float) -> float:
    """Where a scattering vector lies in the row of the beam, pixels."""
    geometry = found.camera.geometry
    angle = 2 * np.arcsin(q * wavelength(found.camera.energy) / (4 * np.pi))
    return float((geometry["dist"] * np.tan(angle) + geometry["poni2"]) / geometry["pixel2"])


def ring_vectors(calibrant: str, energy: float) -> Array:
    """Scattering vectors (1/angstrom) of the rings of a table of pyFAI that an energy (keV) can reach.

    Raises
    ------
    ReductionError
        If there is no such table.
    """
    from pyFAI.calibrant import get_calibrant  # imported here: it is optional, and takes a second

    try:
        table = get_calibrant(calibrant)
    except Exception as error:  # it raises any kind of error for a name that it does not have
        raise ReductionError(f"pyFAI has no calibrant {calibrant!r}") from error
    q = 2 * np.pi / np.array(table.dspacing)
    return np.asarray(q[q < 4 * np.pi / wavelength(energy)])


def _places(
    image: Array, guess: Camera, smooth: PowderPattern, q: float, window: float
) -> list[tuple[float, float, float]]:
    """Row, column and error (1/angstrom) of a ring in each band of rows where it is found."""
    of_pixels = np.asarray(guess.integrator.qArray(image.shape), dtype=np.float64) / 10
    found = []
    for rows in np.array_split(np.arange(image.shape[0]), BANDS):
        middle = int(rows[rows.size // 2])
        along = of_pixels[middle]
        if not (along[0] + window < q < along[-1] - window):
            continue
        band = np.full_like(image, OUT)
        band[rows] = image[rows]
        try:
            peak = fit_peak(pixels(band, guess, smooth), q - window, q + window).peaks[0]
        except (ReductionError, TypeError):  # no line, or one without an error
            continue
        if peak.height > 5 * peak.height_stddev:
            column = float(np.interp(peak.position, along, np.arange(along.size)))
            found.append((float(middle), column, peak.position_stddev))
    return found


def _refined(points: Array, guess: Camera, calibrant: str) -> Camera:
    from pyFAI.calibrant import get_calibrant
    from pyFAI.geometryRefinement import GeometryRefinement

    metres = 1e-10 * wavelength(guess.energy)
    table: Any = get_calibrant(calibrant)
    table.wavelength = metres
    data = points[:, [0, 1, 3]]
    fit = GeometryRefinement(data, calibrant=table, wavelength=metres, **guess.geometry)
    fit.refine3(fix=list(FIXED))
    return replace(guess, geometry={**guess.geometry, **{name: float(getattr(fit, name)) for name in FREE}})


def _linearised(points: Array, camera: Camera, rings: Array) -> tuple[Array, Array]:
    """Vectors of the positions less those of their rings, and their derivatives by `FREE`."""
    from pyFAI.geometry import Geometry

    def vectors(geometry: Mapping[str, float]) -> Array:
        of = Geometry(**geometry, wavelength=1e-10 * wavelength(camera.energy))
        return np.asarray(of.qFunction(points[:, 0], points[:, 1])) / 10

    at = vectors(camera.geometry)
    moved = [vectors({**camera.geometry, name: camera.geometry[name] + STEP}) for name in FREE]
    return at - rings[points[:, 3].astype(int)], np.stack([(each - at) / STEP for each in moved], axis=1)
