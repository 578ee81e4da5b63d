"""By how much a result differs from an earlier one of the same scan set, in its error bars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from beamline.records.runs.compare import Document, streams_of
from reduction.documents.raw import AXES
from reduction.documents.streams import RESULT_STREAMS

Documents = Iterable[tuple[str, Document]]
QUANTITIES = ("static", "off", "on", "transient")


@dataclass(frozen=True)
class ResultChange:
    """Change of one quantity.

    Attributes
    ----------
    quantity : str
        ``static``, ``off``, ``on`` or ``transient``.
    largest, rms : float
        Largest and root-mean-square change of a value, in error bars of the earlier result.
    at : float
        Where the largest one is: energy, delay or fluence.
    error_ratio : float
        Median of the ratios of new to earlier error bars.
    """

    quantity: str
    largest: float
    rms: float
    at: float
    error_ratio: float

    def __str__(self) -> str:
        where = f" at {self.at:.6g}" if self.largest else ""
        return f"{self.quantity} {self.largest:.2g}{where}, rms {self.rms:.2g}, errors x{self.error_ratio:.3g}"


def result_changes(before: Documents, after: Documents) -> list[ResultChange] | str:
    """Changes of the last result of a reduced run, by quantity; a sentence if the two cannot be compared."""
    one, other = _result(before), _result(after)
    if one is None or other is None:
        return "no result before" if one is None else "no result now"
    axis = next((name for name, _ in AXES.values() if name in one and name in other), "")
    if not axis or not np.array_equal(one[axis], other[axis]):
        return "another grid"
    found = [_change(key, one, other, np.asarray(one[axis])) for key in QUANTITIES]
    return [each for each in found if each is not None] or "nothing to compare"


def _result(documents: Documents) -> Mapping[str, Any] | None:
    streams = streams_of(documents)
    return next((streams[name][-1] for name in sorted(RESULT_STREAMS) if streams.get(name)), None)


def _change(key: str, one: Mapping[str, Any], other: Mapping[str, Any], grid: np.ndarray) -> ResultChange | None:
    names = key, f"{key}_stddev"
    if not all(name in result for name in names for result in (one, other)):
        return None
    (was, error), (now, error_now) = ([np.asarray(result[name], float) for name in names] for result in (one, other))
    if was.shape != now.shape:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        sigmas, ratios = np.where(now == was, 0.0, (now - was) / error), error_now / error
    known = np.isfinite(sigmas) & np.isfinite(ratios)
    if not known.any():
        return None
    size = np.abs(np.where(known, sigmas, 0.0))
    place = np.unravel_index(int(np.argmax(size)), size.shape)[-1]
    rms = float(np.sqrt(np.mean(sigmas[known] ** 2)))
    return ResultChange(key, float(size.max()), rms, float(grid[place]), float(np.median(ratios[known])))
