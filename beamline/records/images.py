"""Images of area detectors, masks and geometries from files, read by fabio and pyFAI (extra `thermal`)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from beamline.records.runs.run import RunError
from reduction.diffraction.pattern import Camera

Array = NDArray[np.float64]

INSTALL = "install the extra 'thermal' of this package"


class ImageError(RunError):
    """A file that is no image, mask or geometry; the message names it."""


def read_image(path: Path) -> Array:
    """Counts of the first frame of an image file: TIFF, CBF, EDF, HDF5 and others.

    Raises
    ------
    ImageError
        If it is missing, no image, or fabio is not installed.
    """
    try:
        import fabio
    except ImportError as error:
        raise ImageError(f"{path}: images are read by fabio, which is not installed here: {INSTALL}") from error
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror}") from error
    try:
        with fabio.open(str(path)) as file:
            data = np.asarray(file.data, dtype=np.float64)
    except Exception as error:  # its readers raise any kind of error at a foreign file
        raise ImageError(f"{path} is no image that fabio reads ({type(error).__name__})") from error
    if data.ndim != 2:
        raise ImageError(f"{path} is no image: it has the shape {data.shape}")
    return data


def read_camera(geometry: Path, energy: float, mask: Path | None = None, polarisation: float | None = 0.99) -> Camera:
    """A geometry (.poni, as pyFAI's calibration writes it) with a mask, an image that is not 0 where pixels are out.

    Raises
    ------
    ImageError
        If a file is missing or is none, or pyFAI is not installed.
    """
    try:
        import pyFAI
    except ImportError as error:
        raise ImageError(
            f"{geometry}: images are integrated by pyFAI, which is not installed here: {INSTALL}"
        ) from error
    if not geometry.is_file():
        raise ImageError(f"{geometry}: no such file; pyFAI's calibration (pyfai-calib2) writes it")
    try:
        found = pyFAI.load(str(geometry))
        numbers = {name: float(getattr(found, name)) for name in ("dist", "poni1", "poni2", "rot1", "rot2", "rot3")}
        numbers |= {"pixel1": float(found.detector.pixel1), "pixel2": float(found.detector.pixel2)}
    except Exception as error:  # it raises any kind of error at a foreign file
        raise ImageError(f"{geometry} is no geometry of pyFAI ({type(error).__name__})") from error
    return Camera(numbers, energy, None if mask is None else read_image(mask) != 0, polarisation)
