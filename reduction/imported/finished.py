"""Finished results of imported files, as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.errors import ReductionError

Array = NDArray[np.float64]
SPECTRA = ("on", "off", "transient")


def finished_of(
    axis: str, grid: Array, used: NDArray[np.bool_], arrays: Mapping[str, Any], errors: str
) -> dict[str, Any]:
    """Data of a result from its arrays: all of an export of ours, or the columns of a table.

    Parameters
    ----------
    axis : str
        Key of the scanned axis in the result.
    grid : ndarray, shape (N,)
    used : ndarray of bool, shape (N,)
    arrays : mapping
        Either the whole result, with ``transient`` of shape (S, N), or columns with it of shape (N, S).
    errors : str

    Raises
    ------
    ReductionError
        If points are to be left out: offsets and integrals are those of all points.
    """
    if not used.all():
        raise ReductionError("points of a finished result cannot be left out: import the measured data instead")
    if "transient_covariance" in arrays or "transient_local" in arrays:
        return {axis: grid, **{key: _plain(value) for key, value in arrays.items()}}
    return _from_columns(axis, grid, arrays)


def _plain(value: Any) -> Any:
    """A text, whole number or number of an array without axes; other arrays as they are."""
    array = np.asarray(value)
    return array.item() if array.shape == () else array


def _from_columns(axis: str, grid: Array, columns: Mapping[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = {axis: grid}
    for key in SPECTRA:
        for end in ("", "_stddev"):
            data[f"{key}{end}"] = np.asarray(columns[f"{key}{end}"], dtype=np.float64).T
    there = np.isfinite(data["transient"]).any(axis=0)
    data["used"] = there.astype(np.int64)
    data["transient_covariance"] = data["transient_stddev"][:, :, None] ** 2 * np.eye(grid.size)
    data["dwells"] = np.tile(there.astype(np.int64), (2, 1))
    data |= {"reference": "as in the file", "procedure": "default", "provisional": int(not there.all())}
    data["notes"] = "Imported as a finished result; errors of neighbouring points count as independent."
    if "static" in columns:
        static, stddev = (np.asarray(columns[key], dtype=np.float64) for key in ("static", "static_stddev"))
        data |= {"static": static, "static_stddev": stddev}
        data["rate"] = np.stack([static, np.full_like(static, np.nan)])[:, None]
        data["rate_covariance"] = np.tile(stddev**2, (2, 1, 1, 1))
    return data
