"""Whether the catalogue holds the rows and arrays of a stream, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np

from beamline.records.catalogue.client import read_stream
from beamline.records.catalogue_writer.stream import Stream


class DisagreementError(Exception):
    """The catalogue does not hold what was written of a run; the run must be rewritten."""


def compare(client: Any, uid: str, stream: Stream) -> None:
    """Read a stream back and compare it with its pending rows, which are all of them.

    Raises
    ------
    DisagreementError
        When a value differs.
    KeyError, ValueError, IndexError
        When an array is missing or has another size.
    """
    held = read_stream(client, uid, stream.name)
    for key, block in stream.blocks().items():
        if not np.array_equal(held[key], block, equal_nan=block.dtype.kind == "f"):
            raise DisagreementError(f"{key} of {stream.name} differs")
    for name, values in stream.table().to_pandas().items():
        if name in held and not _same(held[name], values.to_numpy()):
            raise DisagreementError(f"{name} of {stream.name} differs")


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    if one.dtype.kind in "fiub" and other.dtype.kind in "fiub":
        return np.array_equal(one, other, equal_nan=True)
    return [None if v != v else v for v in one.tolist()] == [None if v != v else v for v in other.tolist()]
