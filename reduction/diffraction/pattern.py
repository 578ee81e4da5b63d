"""From an image of rings to a pattern: azimuthal integration by pyFAI, and the SI's relations beside it (SI 8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.errors import ReductionError

Array = NDArray[np.float64]

HC = 12.39841984
"""keV angstrom."""


def wavelength(energy: float) -> float:
    """In angstrom, of photons of an energy in keV."""
    return HC / energy


@dataclass(frozen=True)
class SideView:
    """A flat detector beside the beam, square to it, as the SI has it.

    Attributes
    ----------
    distance : float, m
        From the sample to the detector.
    aside : float, m
        From the transmitted beam to the first pixel.
    pixel : float, m
    energy : float, keV
    """

    distance: float = 0.2410
    aside: float = 0.0453
    pixel: float = 172e-6
    energy: float = 12.9

    def angle(self, pixel: Array) -> Array:
        """Scattering angle of the middle of pixels, rad."""
        return np.arctan((pixel * self.pixel + self.aside) / self.distance)

    def q(self, pixel: Array) -> Array:
        """Scattering vector, 1/angstrom: ``4 pi / lambda sin(theta)`` with twice theta the scattering angle."""
        return np.asarray(4 * np.pi / wavelength(self.energy) * np.sin(0.5 * self.angle(pixel)))

    def q_of_the_si(self, pixel: Array) -> Array:
        """As the SI prints it: ``2 pi / lambda sin`` of the scattering angle, too small by the cosine of theta."""
        return np.asarray(2 * np.pi / wavelength(self.energy) * np.sin(self.angle(pixel)))


@dataclass(frozen=True)
class PowderPattern:
    """Intensity against the scattering vector, of bins or of single pixels.

    Attributes
    ----------
    q : ndarray, shape (N,), 1/angstrom, ascending
    value, stddev : ndarray, shape (N,)
        Counts a pixel, corrected for solid angle and polarisation, and errors by counting.
    """

    q: Array
    value: Array
    stddev: Array

    def between(self, low: float, high: float) -> PowderPattern:
        """The part between two scattering vectors.

        Raises
        ------
        ReductionError
            If it has fewer than 8 points.
        """
        inside = (self.q >= low) & (self.q <= high)
        if inside.sum() < 8:
            raise ReductionError(
                f"{inside.sum()} points between {low:g} and {high:g} 1/A: the pattern goes from {self.q[0]:.3f} to"
                f" {self.q[-1]:.3f} 1/A"
            )
        return PowderPattern(self.q[inside], self.value[inside], self.stddev[inside])


@dataclass(frozen=True)
class Camera:
    """Where the detector is, and which of its pixels count.

    Attributes
    ----------
    geometry : mapping
        Of pyFAI: ``dist``, ``poni1``, ``poni2`` (m), ``rot1``, ``rot2``, ``rot3`` (rad), ``pixel1``, ``pixel2`` (m).
    energy : float, keV
    mask : ndarray of bool, shape (rows, columns), optional
        True for pixels that do not count.
    polarisation : float or None
        Horizontal polarisation of the beam, 1 is all; None corrects none.
    """

    geometry: Mapping[str, float]
    energy: float
    mask: NDArray[np.bool_] | None = None
    polarisation: float | None = 0.99

    @cached_property
    def integrator(self) -> Any:
        """The integrator of pyFAI, which keeps the table of pixels and bins for the images after the first.

        Raises
        ------
        ImportError
            Without pyFAI.
        """
        from pyFAI.integrator.azimuthal import AzimuthalIntegrator  # imported here: it is optional, and takes a second

        return AzimuthalIntegrator(**self.geometry, wavelength=1e-10 * wavelength(self.energy))

    def left_out(self, image: Array) -> NDArray[np.bool_]:
        """Pixels that do not count: masked, or below 0, as Pilatus marks gaps and dead pixels.

        Raises
        ------
        ReductionError
            If none is left, or the mask has another shape.
        """
        out = image < 0 if self.mask is None else (image < 0) | _checked(self.mask, image.shape)
        if out.all():
            raise ReductionError("every pixel is masked")
        return np.asarray(out)


def q_of_the_si(q: Array, energy: float) -> Array:
    """What the relations of the SI make of a scattering vector (1/angstrom): ``q cos(theta)``, at an energy in keV.

    Examples
    --------
    >>> float(round(q_of_the_si(np.array([2.139]), 12.9)[0], 3))
    2.109
    """
    return np.asarray(q * np.sqrt(1 - (q * wavelength(energy) / (4 * np.pi)) ** 2))


def integrate(image: Array, camera: Camera, points: int = 300) -> PowderPattern:
    """Integrate an image over the azimuth, for display and comparison.

    Parameters
    ----------
    image : ndarray, shape (rows, columns)
        Counts.
    camera : Camera
    points : int
        Of the pattern. Pixels are not divided between them, so that errors are independent.

    Raises
    ------
    ReductionError
        As `Camera.left_out`.
    ImportError
        Without pyFAI.
    """
    out = camera.left_out(image)
    found = camera.integrator.integrate1d(
        np.where(out, 0, image),
        points,
        unit="q_A^-1",
        mask=out,
        error_model="poisson",
        polarization_factor=camera.polarisation,
        correctSolidAngle=True,
        method=("no", "csr", "cython"),
    )
    value, stddev = np.asarray(found.intensity, dtype=np.float64), np.asarray(found.sigma, dtype=np.float64)
    good = (np.asarray(found.count) > 0) & np.isfinite(stddev) & (stddev > 0)
    return PowderPattern(np.asarray(found.radial, dtype=np.float64)[good], value[good], stddev[good])


def pixels(image: Array, camera: Camera, smooth: PowderPattern | None = None) -> PowderPattern:
    """All pixels with their scattering vectors.

    Peaks are fitted to these: a ring has a million counts, and binning it would move its line by more than their noise.
    The variance of a pixel is that of the mean of its bin, not of its own counts, which few counts would bias.

    Parameters
    ----------
    image : ndarray, shape (rows, columns)
        Counts.
    camera : Camera
    smooth : PowderPattern, optional
        The same image integrated, if it is at hand.

    Raises
    ------
    ReductionError
        As `Camera.left_out`.
    ImportError
        Without pyFAI.
    """
    out = camera.left_out(image)
    integrator = camera.integrator
    correction = integrator.solidAngleArray(image.shape)
    if camera.polarisation is not None:
        correction = correction * integrator.polarization(image.shape, camera.polarisation)
    q = np.asarray(integrator.qArray(image.shape), dtype=np.float64)[~out] / 10  # it counts in nm
    value, factor = (image / correction)[~out], np.asarray(correction, dtype=np.float64)[~out]
    order = np.argsort(q)
    smooth = integrate(image, camera) if smooth is None else smooth
    mean = np.maximum(np.interp(q, smooth.q, smooth.value), 0.5 * smooth.stddev.min())
    return PowderPattern(q[order], value[order], np.sqrt(mean / factor)[order])


def _checked(mask: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    if mask.shape != shape:
        raise ReductionError(f"the mask has {mask.shape} pixels, the image {shape}")
    return mask


def without_background(pattern: PowderPattern, background: PowderPattern, scale: float) -> PowderPattern:
    """Subtract another pattern, for example that of the graphite alone, times a factor (exposures, monitor)."""
    there = np.interp(pattern.q, background.q, background.value)
    its_stddev = np.interp(pattern.q, background.q, background.stddev)
    return PowderPattern(pattern.q, pattern.value - scale * there, np.hypot(pattern.stddev, scale * its_stddev))
