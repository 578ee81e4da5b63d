"""The laser-off spectrum of a result, divided by its edge step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from plans.compilation.edges import find_edge
from reduction.counting.kernels import OFF
from reduction.spectra.edge_step import divide_by_edge_step, edge_step_fits


def edge_step_of(start: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """The laser-off spectrum, mean of the slots, by Larch's `pre_edge`, with E0 and pre-edge window of the scan.

    Parameters
    ----------
    start : mapping
        Start document of the reduced run.
    data : mapping
        Of its stream `spectrum`.

    Returns
    -------
    dict
        ``norm``, ``norm_stddev``: edge steps, shape (E,), NaN where a point is not used; ``norm_covariance``;
        ``edge_step``, ``edge_step_stddev``: photons per I0 count; ``method``: with ranges, in words.

    Raises
    ------
    reduction.errors.ReductionError
        If the fits are not possible, or there is no edge step.
    ImportError
        Without Larch.
    """
    used = np.asarray(data["used"]).astype(bool)
    rate = np.asarray(data["rate"], dtype=np.float64)[OFF]
    variance = np.asarray(data["rate_covariance"], dtype=np.float64)[OFF].sum(axis=(0, 1)) / len(rate) ** 2
    edge = start.get("absorption_edge") or find_edge(str(start.get("edge"))).document()
    low, high = (float(end) for end in start["settings"]["pre_edge"])
    fits = edge_step_fits(np.asarray(data["energy"], dtype=np.float64)[used], float(edge["e0"]), (low, high))
    step = divide_by_edge_step(rate.mean(axis=0)[used], variance[used], fits)
    found: dict[str, Any] = {name: np.full(used.size, np.nan) for name in ("norm", "norm_stddev")}
    found["norm_covariance"] = np.full((used.size, used.size), np.nan)
    found["norm"][used], found["norm_stddev"][used] = step.norm, step.norm_stddev
    found["norm_covariance"][np.ix_(used, used)] = step.norm_covariance
    ranges = ", ".join(
        f"{name} {ends[0]:g} to {ends[1]:g} keV" for name, ends in (("line", fits.pre_edge), ("above", fits.post_edge))
    )
    return found | {
        "edge_step": step.edge_step,
        "edge_step_stddev": step.edge_step_stddev,
        "method": f"larch.xafs.pre_edge, E0 {fits.e0:g} keV, {ranges}, degree {fits.degree}",
    }
