"""The fit of one delay scan: what is free in it follows from what the trace tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.traces.kinetics.fit import FitError, KineticFit, Trace, fit_traces
from reduction.traces.kinetics.model import RESPONSE
from reduction.traces.kinetics.response import GAUSSIAN, response_of

Array = NDArray[np.float64]

__all__ = ["FitError", "KineticFit", "Trace", "fit_scan"]

UNSURE = 1 / 3
"""Relative standard deviation of a response that nobody gives an error for, where the trace does not tell it."""
RISE = 3
"""Points within two widths of the response around time zero without which a trace does not tell either."""
TOLD = 0.5
"""Relative standard deviation of the response up to which a trace tells it."""
GAIN = 4.0
"""What chi-square has to fall by for one more parameter: two of its errors."""


def fit_scan(
    trace: Trace,
    levels: Sequence[float] = (0.683, 0.954),
    response: float = RESPONSE,
    response_stddev: float | None = None,
    response_shape: Sequence[Sequence[float]] = (),
) -> KineticFit:
    """Two lifetimes and a tail through the trace of a delay scan, with time zero and response where the trace tells.

    The tail has a lifetime of its own where nothing speaks against that fit and it follows the trace better than an
    offset does, else it is an offset: a tail that decays within the trace and is taken as flat moves the other
    lifetimes by many of their errors, and a lifetime that the trace does not tell makes all of them absurd.

    Time zero drifts between setting it and a scan, by picoseconds an hour, and a trace that is taken as beginning at 0
    then does not fit its rise. So it is a parameter, unless the trace does not tell it to the width of the response.
    The response is a parameter too, since the shortest lifetime goes with it: with what is known of it as a further
    measurement, or, if nothing is, without any where the rise tells it and as known to a third where it does not.

    Parameters
    ----------
    trace : Trace
    levels : sequence of float
        Of the profile intervals; empty for none.
    response : float, ps
        Standard deviation of the Gaussian response.
    response_stddev : float, ps, optional
        How well it is known.
    response_shape : sequence of (ps, density)
        The response as it was measured elsewhere; its standard deviation then takes the place of `response`.

    Raises
    ------
    FitError
        As `fit_traces`.
    ValueError
        If the shape is none.
    """
    form = GAUSSIAN
    if len(response_shape):
        form, response = response_of(response_shape)
    fit, tail, choice = _chosen(trace, response, response_stddev, form)
    if len(levels):
        fit = fit_traces([trace], tail=tail, levels=levels, **choice.arguments)
    return replace(fit, notes=(*choice.notes, *fit.notes))


@dataclass(frozen=True)
class _Choice:
    """What is free in a fit beside the lifetimes, and what a user has to know of that."""

    arguments: dict[str, Any]
    notes: tuple[str, ...] = ()


def _chosen(trace: Trace, response: float, stddev: float | None, form: Array) -> tuple[KineticFit, str, _Choice]:
    """The fit without intervals, how the tail is taken, and what is free."""
    flat, choice = _what_is_told(trace, response, stddev, form)
    try:
        decaying = fit_traces([trace], tail="long", levels=(), **choice.arguments)
    except FitError:  # more parameters than points
        return flat, "offset", choice
    if not decaying.notes and decaying.chi_square < flat.chi_square - GAIN:
        return decaying, "long", choice
    return flat, "offset", choice


def _what_is_told(trace: Trace, response: float, stddev: float | None, form: Array) -> tuple[KineticFit, _Choice]:
    """A fit with a flat tail in which time zero and response are free where the trace tells them."""
    known = stddev if stddev is not None else UNSURE * response
    guess = () if stddev is not None else (
        f"The response is taken as {response:g} +- {known:.2g} ps, which the trace does not tell and nobody gave: set"
        " response and response_stddev.",
    )  # fmt: skip
    as_set = "Time zero is taken as it was set: the trace does not tell it."
    choices = [
        _Choice({"sigma": response, "response": form, "sigma_stddev": known, "free": ("time_zero",)}, guess),
        _Choice({"sigma": response, "response": form, "sigma_stddev": known}, (*guess, as_set)),
    ]
    if stddev is None:
        choices.insert(0, _Choice({"sigma": response, "response": form, "free": ("time_zero", "sigma")}))
    for choice in choices:
        try:
            fit = fit_traces([trace], levels=(), **choice.arguments)
        except FitError:  # a parameter too many
            continue
        if choice is choices[-1] or _is_told(trace, fit):
            return fit, choice
    few = f"The response is taken as {response:g} ps: there are few points."
    fixed = _Choice({"sigma": response, "response": form}, (as_set, few))
    return fit_traces([trace], levels=(), **fixed.arguments), fixed


def _is_told(trace: Trace, fit: KineticFit) -> bool:
    """Whether a trace tells time zero and response: by enough points on the rise, and by their errors."""
    rise = np.abs(np.asarray(trace.delay) - fit.time_zero) <= 2 * fit.sigma
    if np.count_nonzero(rise) < RISE or any("bound" in note for note in fit.notes):
        return False
    return bool(fit.time_zero_stddev < fit.sigma and fit.sigma_stddev < TOLD * fit.sigma)
