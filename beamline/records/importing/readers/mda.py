"""EPICS MDA files (saveData of synApps) with one scanned axis: XDR, big-endian.

Format: ``documentation/saveData_fileFormat.txt`` of the module sscan, https://github.com/epics-modules/sscan
"""

from __future__ import annotations

import struct

import numpy as np

from beamline.records.importing.errors import ImportRefusedError
from beamline.records.importing.table import Table, table_of

VERSIONS = (1.2, 1.5)
"""First and after the last version of the format."""
MOST_POINTS, MOST_COLUMNS, LONGEST_NAME = 1_000_000, 200, 4096


class _Stream:
    """Reads XDR values one after the other, never past the end."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, form: str, number: int = 1) -> list[float]:
        size = struct.calcsize(f">{number}{form}")
        if self._at + size > len(self._data):
            raise ImportRefusedError(f"its content ends at byte {len(self._data)}, inside the scan")
        found = struct.unpack_from(f">{number}{form}", self._data, self._at)
        self._at += size
        return list(found)

    def integer(self, most: int) -> int:
        (value,) = self.take("i")
        if not 0 <= value <= most:
            raise ImportRefusedError(f"it is damaged: {value} at byte {self._at - 4}, where 0 to {most} are allowed")
        return int(value)

    def text(self) -> str:
        if not self.integer(LONGEST_NAME):
            return ""
        length = self.integer(LONGEST_NAME)
        characters = self.take("c", -(-length // 4) * 4)[:length]
        return b"".join(characters).decode("latin-1")  # type: ignore[arg-type]


def is_mda(data: bytes) -> bool:
    """Whether the file begins with a version of the format and a number of dimensions."""
    if len(data) < 12:
        return False
    version, _, rank = struct.unpack(">fii", data[:12])
    return VERSIONS[0] <= version < VERSIONS[1] and 1 <= rank <= 4


def read_mda(data: bytes) -> list[Table]:
    """The scan of an MDA file, up to the last point that was taken.

    Raises
    ------
    ImportRefusedError
        If it is damaged, has more than one axis, or no points.
    """
    stream = _Stream(data)
    stream.take("f")
    number, rank = stream.integer(2**31 - 1), stream.integer(4)
    if rank != 1:
        raise ImportRefusedError(f"it scans {rank} axes, and one is imported: save the innermost scan alone")
    stream.take("i", 3)  # points, whether regular, offset of further PVs
    stream.integer(4)
    points, taken = stream.integer(MOST_POINTS), stream.integer(MOST_POINTS)
    name, began = stream.text(), stream.text()
    positioners, detectors, triggers = (stream.integer(MOST_COLUMNS) for _ in range(3))
    moved, counted = [_positioner(stream) for _ in range(positioners)], [_detector(stream) for _ in range(detectors)]
    for _ in range(triggers):
        stream.take("i")
        stream.text()
        stream.take("f")
    columns = [stream.take("d", points) for _ in moved] + [stream.take("f", points) for _ in counted]
    values = np.array(columns, dtype=np.float64).reshape(len(columns), points).T[: min(taken, points)]
    labels = [label for label, _ in [*moved, *counted]]
    units = {label: unit for label, unit in [*moved, *counted] if unit}
    return [
        table_of(labels, values, np.zeros(len(values), np.int64), units=units, part=f"scan {number}",
                 about={"title": name, "began": began})
    ]  # fmt: skip


def _positioner(stream: _Stream) -> tuple[str, str]:
    """Label and unit: those of the readback where it has a name."""
    stream.take("i")
    name, _, _, unit, readback, _, readback_unit = (stream.text() for _ in range(7))
    return (readback, readback_unit or unit) if readback else (name, unit)


def _detector(stream: _Stream) -> tuple[str, str]:
    stream.take("i")
    name, _, unit = (stream.text() for _ in range(3))
    return name, unit
