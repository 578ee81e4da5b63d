"""Writes an image as the detector's server does: a TIFF strip of 32-bit integers, or HDF5 with the layout of NeXus."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

SHORT, LONG = 3, 4
SIGNED = 2


def write_image(file: Path, image: NDArray[np.int32]) -> None:
    """Write a new file in the format of its suffix; it appears when it is complete.

    Raises
    ------
    OSError
        If there is one of that name, or it cannot be written.
    ValueError
        For the suffix of another format.
    """
    if file.suffix not in WRITERS:
        raise ValueError(f"{file.name}: formats are {', '.join(WRITERS)}")
    if file.exists():
        raise FileExistsError(f"{file} exists")
    unfinished = file.with_name(f".{file.name}.part")
    WRITERS[file.suffix](unfinished, image)
    unfinished.replace(file)


def write_tiff(file: Path, image: NDArray[np.int32]) -> None:
    """Write one uncompressed strip."""
    rows, columns = image.shape
    pixels = np.ascontiguousarray(image, dtype="<i4").tobytes()
    entries = (
        (256, LONG, columns),  # ImageWidth
        (257, LONG, rows),  # ImageLength
        (258, SHORT, 32),  # BitsPerSample
        (259, SHORT, 1),  # Compression: none
        (262, SHORT, 1),  # PhotometricInterpretation: 0 is black
        (273, LONG, 8),  # StripOffsets
        (277, SHORT, 1),  # SamplesPerPixel
        (278, LONG, rows),  # RowsPerStrip
        (279, LONG, len(pixels)),  # StripByteCounts
        (339, SHORT, SIGNED),  # SampleFormat
    )
    directory = struct.pack("<H", len(entries))
    directory += b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    file.write_bytes(struct.pack("<2sHI", b"II", 42, 8 + len(pixels)) + pixels + directory + struct.pack("<I", 0))


def write_hdf5(file: Path, image: NDArray[np.int32]) -> None:
    """Write a stack of one image, where the HDF5 plugin of areaDetector has it."""
    with h5py.File(file, "w") as out:
        entry = out.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        data = entry.create_group("data")
        data.attrs["NX_class"], data.attrs["signal"] = "NXdata", "data"
        data.create_dataset("data", data=image[np.newaxis])


WRITERS: Mapping[str, Callable[[Path, NDArray[np.int32]], None]] = {".tif": write_tiff, ".h5": write_hdf5}
