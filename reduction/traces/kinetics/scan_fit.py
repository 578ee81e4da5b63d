"""Fit of one delay scan, with the free parameters that the trace constrains."""

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
"""Relative standard deviation of a response given without an error, if the trace does not constrain it."""
RISE = 3
"""Points within two widths of the response around time zero that a trace needs to constrain either of them."""
CONSTRAINED = 0.5
"""Relative standard deviation of the fitted response below which the trace constrains it."""
GAIN = 4.0
"""Decrease of chi-square required for one more parameter: two of its errors."""
ONE = "One lifetime is fitted, since the trace does not determine two: what a second would change is not in the errors."


def fit_scan(
    trace: Trace,
    levels: Sequence[float] = (0.683, 0.954),
    response: float = RESPONSE,
    response_stddev: float | None = None,
    response_shape: Sequence[Sequence[float]] = (),
) -> KineticFit:
    """Fit two lifetimes and a tail; time zero and response are free if the trace constrains them.

    One lifetime is fitted if the trace does not determine two to their own size, or if two describe it no better: a
    lifetime that nothing constrains leaves time zero and the response undetermined too. The tail has its own lifetime
    if the trace determines it and is described better; otherwise it is an offset. A tail that decays within the trace
    but is fitted as flat shifts the other lifetimes by many of their errors, and a lifetime that the trace does not
    constrain makes all of them absurd.

    Time zero drifts by picoseconds per hour after it was set, and a trace that is assumed to start at 0 then does not
    fit its rise. So it is a free parameter, unless the trace does not constrain it to the width of the response. The
    response is free too, since the shortest lifetime correlates with it: with its known value as a further datum, or,
    if it has no known error, without one if the rise constrains it, and with an error of a third if it does not.

    Parameters
    ----------
    trace : Trace
    levels : sequence of float
        Of the profile intervals; empty for none.
    response : float, ps
        Standard deviation of the Gaussian response.
    response_stddev : float, ps, optional
        Its standard deviation.
    response_shape : sequence of (ps, density)
        A measured response; its standard deviation then replaces `response`.

    Raises
    ------
    FitError
        As `fit_traces`.
    ValueError
        If the shape is invalid.
    """
    form = GAUSSIAN
    if len(response_shape):
        form, response = response_of(response_shape)
    fit, (number, tail), choice = _chosen(trace, response, response_stddev, form)
    if len(levels):
        fit = fit_traces([trace], number, tail, levels=levels, **choice.arguments)
    return replace(fit, notes=(*choice.notes, *fit.notes))


@dataclass(frozen=True)
class _Choice:
    """Free parameters of a fit beside the lifetimes, and the notes about them."""

    arguments: dict[str, Any]
    notes: tuple[str, ...] = ()


def _chosen(
    trace: Trace, response: float, stddev: float | None, form: Array
) -> tuple[KineticFit, tuple[int, str], _Choice]:
    """The fit without intervals, its number of lifetimes and kind of tail, and its free parameters."""
    best, choice = _with_constrained_parameters(trace, response, stddev, form)
    number, tail = 1, "offset"
    two = _determined(trace, 2, tail, choice)
    if two is not None and two.chi_square < best.chi_square - 2 * GAIN:
        best, number = two, 2
    decaying = _determined(trace, number, "long", choice)
    if decaying is not None and decaying.chi_square < best.chi_square - GAIN:
        best, tail = decaying, "long"
    if number == 1:
        choice = replace(choice, notes=(*choice.notes, ONE))
    return best, (number, tail), choice


def _determined(trace: Trace, number: int, tail: str, choice: _Choice) -> KineticFit | None:
    """A fit of which no parameter is at a bound of its range, and each lifetime is known to its own size."""
    try:
        fit = fit_traces([trace], number, tail, levels=(), **choice.arguments)
    except FitError:  # more parameters than points
        return None
    finite = np.isfinite(fit.lifetimes)
    known = bool((fit.lifetimes_stddev[finite] < fit.lifetimes[finite]).all())
    return fit if known and not any("bound" in note for note in fit.notes) else None


def _with_constrained_parameters(
    trace: Trace, response: float, stddev: float | None, form: Array
) -> tuple[KineticFit, _Choice]:
    """A fit of one lifetime with a flat tail; time zero and response are free if the trace constrains them."""
    known = stddev if stddev is not None else UNSURE * response
    guess = () if stddev is not None else (
        f"The response is taken as {response:g} +- {known:.2g} ps, which the trace does not determine and no setting"
        " gives: set response and response_stddev.",
    )  # fmt: skip
    as_set = "Time zero is fixed as set: the trace does not determine it."
    choices = [
        _Choice({"sigma": response, "response": form, "sigma_stddev": known, "free": ("time_zero",)}, guess),
        _Choice({"sigma": response, "response": form, "sigma_stddev": known}, (*guess, as_set)),
    ]
    if stddev is None:
        choices.insert(0, _Choice({"sigma": response, "response": form, "free": ("time_zero", "sigma")}))
    for choice in choices:
        try:
            fit = fit_traces([trace], 1, levels=(), **choice.arguments)
        except FitError:  # one parameter too many
            continue
        if choice is choices[-1] or _constrains(trace, fit):
            return fit, choice
    few = f"The response is taken as {response:g} ps: there are few points."
    fixed = _Choice({"sigma": response, "response": form}, (as_set, few))
    return fit_traces([trace], 1, levels=(), **fixed.arguments), fixed


def _constrains(trace: Trace, fit: KineticFit) -> bool:
    """Whether a trace constrains time zero and response, by the points on the rise and by their errors."""
    rise = np.abs(np.asarray(trace.delay) - fit.time_zero) <= 2 * fit.sigma
    if np.count_nonzero(rise) < RISE or any("bound" in note for note in fit.notes):
        return False
    return bool(fit.time_zero_stddev < fit.sigma and fit.sigma_stddev < CONSTRAINED * fit.sigma)
