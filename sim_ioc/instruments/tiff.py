"""Writes an image as the detector's server does: one uncompressed TIFF strip of 32-bit integers."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SHORT, LONG = 3, 4
SIGNED = 2


def write_tiff(file: Path, image: NDArray[np.int32]) -> None:
    """Write a new file; it appears when it is complete.

    Raises
    ------
    OSError
        If there is one of that name, or it cannot be written.
    """
    if file.exists():
        raise FileExistsError(f"{file} exists")
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
    unfinished = file.with_name(f".{file.name}.part")
    unfinished.write_bytes(struct.pack("<2sHI", b"II", 42, 8 + len(pixels)) + pixels + directory + struct.pack("<I", 0))
    unfinished.replace(file)
