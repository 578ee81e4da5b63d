"""Images of area detectors, masks and geometries from files, read by h5py, or fabio and pyFAI (extra `thermal`)."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from beamline.records.runs.run import RunError
from reduction.diffraction.calibrate import calibrate
from reduction.diffraction.pattern import Camera
from reduction.errors import ReductionError

Array = NDArray[np.float64]

INSTALL = "install the extra 'thermal' of this package"
HDF5 = (".h5", ".hdf5", ".nxs")
DATASETS = ("entry/data/data", "entry/instrument/detector/data", "entry/data/data_000001")


class ImageError(RunError):
    """A file that is no image, mask or geometry; the message names it."""


def read_image(path: Path) -> Array:
    """Counts of the first frame of an image file: HDF5, TIFF, CBF, EDF and others.

    Raises
    ------
    ImageError
        If it is missing, no image, or fabio, which reads all but HDF5, is not installed.
    """
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror}") from error
    data = _read_hdf5(path) if path.suffix.lower() in HDF5 else _read_by_fabio(path)
    if data.ndim != 2:
        raise ImageError(f"{path} is no image: it has the shape {data.shape}")
    return data


def _read_hdf5(path: Path) -> Array:
    """The first frame of the stack where areaDetector and NeXus have it."""
    with suppress(ImportError):  # it comes with fabio, and makes h5py read what Eiger and Blosc compress
        import_module("hdf5plugin")
    try:
        with h5py.File(path) as file:
            there = next((file[name] for name in DATASETS if isinstance(file.get(name), h5py.Dataset)), None)
            if there is None:
                raise ImageError(f"{path} has no image: none of the datasets {', '.join(DATASETS)}")
            return np.asarray(there[0] if there.ndim > 2 else there[()], dtype=np.float64)
    except (OSError, LookupError, RuntimeError, ValueError, TypeError) as error:  # a stack without a frame: LookupError
        raise ImageError(f"{path} is no image that h5py reads ({error})") from error


def _read_by_fabio(path: Path) -> Array:
    try:
        import fabio
    except ImportError as error:
        raise ImageError(f"{path}: images are read by fabio, which is not installed here: {INSTALL}") from error
    try:
        with fabio.open(str(path)) as file:
            return np.asarray(file.data, dtype=np.float64)
    except Exception as error:  # its readers raise any kind of error at a foreign file
        raise ImageError(f"{path} is no image that fabio reads ({type(error).__name__})") from error


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


def refine_camera(
    image: Path, out: Path, distance: float, aside: float, pixel: float, energy: float, calibrant: str
) -> list[str]:
    """Refine where a detector is on the rings of a known powder, write the geometry, and return sentences about it.

    Parameters
    ----------
    image : Path
    out : Path
        File to write, which pyFAI reads.
    distance, aside : float, mm
        First guess: from the sample, and from the beam to the first column.
    pixel : float, um
    energy : float, keV
    calibrant : str
        Name of a table of pyFAI.

    Raises
    ------
    ImageError
        If a file cannot be read or written, too few rings are found, or pyFAI is not installed.
    """
    counts = read_image(image)
    try:
        found = calibrate(counts, square_camera(counts.shape[0], distance, aside, pixel, energy), calibrant)
        found.camera.integrator.save(str(out))
    except ImportError as error:
        raise ImageError(f"{image}: geometries are refined by pyFAI, which is not installed here: {INSTALL}") from error
    except (ReductionError, OSError) as error:
        raise ImageError(f"{image}: {error}") from error
    geometry, stddev = found.camera.geometry, found.stddev
    return [
        f"{found.points} places on {found.rings} rings of {calibrant}, chi-square {found.chi_square:.1f} with"
        f" {found.dof} degrees of freedom",
        f"distance {1e3 * geometry['dist']:.3f} +- {1e3 * stddev['dist']:.3f} mm, first column"
        f" {-1e3 * geometry['poni2']:.3f} +- {1e3 * stddev['poni2']:.3f} mm aside of the beam, beam at"
        f" {1e3 * geometry['poni1']:.3f} +- {1e3 * stddev['poni1']:.3f} mm of the height",
        str(out),
    ]


def square_camera(
    rows: int, distance: float, aside: float, pixel: float, energy: float, polarisation: float | None = 0.99
) -> Camera:
    """A detector square to the beam and beside it, with the beam at half its height.

    Parameters
    ----------
    rows : int
    distance, aside : float, mm
    pixel : float, um
    energy : float, keV
    """
    size, square = 1e-6 * pixel, dict.fromkeys(("rot1", "rot2", "rot3"), 0.0)
    place = {"dist": 1e-3 * distance, "poni1": 0.5 * rows * size, "poni2": -1e-3 * aside}
    return Camera({**place, "pixel1": size, "pixel2": size, **square}, energy, polarisation=polarisation)
