"""The options that all scans share, checked in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict
from uuid import uuid4

from plans.compilation.arguments import check_count, check_number, check_passes_and_dwell, checked_pattern, is_number
from plans.compilation.compiled_scan import DwellSettings
from plans.compilation.metadata import OF_EVERY_SCAN, check_metadata
from plans.compilation.positions import ORDERS
from plans.compilation.quality import Check
from plans.compilation.stopping_rule import StoppingRule
from plans.protocols import Supervision

PATTERN = (1, 0, 0, 1)
ATTEMPTS = 3
LONGEST = 60.0
"""Default for `longest`, beamline seconds of dwells at a point of a pass."""
REFERENCES = ("paper", "shutter", "slots", "combined")


MOST_ATTEMPTS = 1000
MOST_CYCLES = 10_000
"""Patterns of dwells at a point."""


class Options(TypedDict, total=False):
    """Keyword arguments that all scans share.

    Attributes
    ----------
    pattern : sequence of int
        Laser on (1) and off (0) dwells of each point, in order; ``(1, 0, 0, 1)`` by default. An energy scan with
        ``delay=None`` has the laser off in all. With a laser period of two turns or more it may be on in all.
    order : str
        ``ascending`` (default), ``alternating`` or ``random``. The energy always comes from below.
    attempts : int
        Most attempts at a dwell; 3 by default.
    target : float or dict
        Instead of one pattern a point: repeat it until the predicted error of slot 0, difference on - off relative to
        the laser-off rate over all passes, is as small as this. A dict of quantities, each with its wanted standard
        error, ``{"C(slot=0)": "5 %"}``, distributes the time over the points so that all are reached first; see
        `forecast`.
    forecast : str
        File that gives the expected transient (see ``trxas forecast``), needed where `target` names quantities.
    longest : float
        Most beamline seconds of dwells at a point of a pass with `target`; 60 by default.
    fluence : float
        Laser fluence (mJ/cm2) to set first; by default it stays as it is.
    reference : str
        What the laser-on slots are compared with: ``paper`` (the same slot with the laser off), ``shutter`` (all slots
        with the laser off), ``slots`` (the clean slots of the same shots) or ``combined`` (both, the default).
    background : str
        Uid of the background run that `settings` come from.
    checks : tuple of Check
        Limits on readings that a dwell must meet to count.
    judge : StoppingRule
        Stopping rule, needed with `target`.
    supervision : Supervision
        When to wait, what to retry, and who logs it; the plans of a session have it.
    scan_set : str
        Uid of an earlier set to continue; a new one by default.
    monitor_energies : float or sequence of float
        One or two energies in keV to which each pass of an energy scan returns, with the laser off, to measure how the
        sample drifts: where the spectrum is flat, one off the edge and one on it. By default none; an energy scan of
        one edge whose `target` names quantities has two, unless `settings` turn ``drift`` off.
    monitor_share : float
        Their share of the counting time, up to 0.5; 0.05 by default.
    settings : dict
        Reduction settings beside those of the edge.
    md : dict
        More metadata for the start documents; not what the program writes itself, see `plans.compilation.metadata`.
    """

    pattern: Sequence[int]
    order: str
    attempts: int
    target: float | Mapping[str, Any] | None
    forecast: str | None
    longest: float
    fluence: float | None
    reference: str | None
    background: str | None
    checks: tuple[Check, ...]
    judge: StoppingRule | None
    supervision: Supervision
    scan_set: str | None
    monitor_energies: float | Sequence[float] | None
    monitor_share: float | None
    settings: Mapping[str, Any] | None
    md: Mapping[str, Any] | None


def new_uid(options: Options) -> str:
    """Uid of the set that the caller continues, or a new one."""
    return options.get("scan_set") or str(uuid4())


def checked_dwell_settings(
    dwell: Any, passes: Any, options: Options, pumped: bool = True, always_on: bool = False
) -> DwellSettings:
    """How points are counted; an option that is unknown or out of range raises an error that names it.

    A scan that is not `pumped` may have the laser off in all dwells, one that may be `always_on` the laser on.

    Raises
    ------
    ValueError
    """
    _check_names_and_ranges(options)
    check_metadata(options.get("md") or {}, OF_EVERY_SCAN)
    check_passes_and_dwell(passes, dwell)
    pattern = checked_pattern(options.get("pattern", PATTERN), pumped, always_on)
    if 0 not in pattern and options.get("target") is not None:
        raise ValueError("target needs dwells with the laser off, to which the error is relative; add 0 to pattern")
    if 1 not in pattern and options.get("target") is not None:
        raise ValueError("target is an error of laser on - off, and pattern has the laser off in all; leave target out")
    attempts = check_count("attempts", options.get("attempts", ATTEMPTS), MOST_ATTEMPTS)
    cycle = len(pattern) * float(dwell)
    return DwellSettings(pattern, float(dwell), attempts, _longest(cycle, options))


def window(settings: Any, name: str, default: tuple[float, float]) -> tuple[float, float]:
    """A window (keV) of the reduction: that of the settings, or that of the edge.

    Raises
    ------
    ValueError
        If the settings are no mapping, or hold no two ascending numbers there.
    """
    if settings is not None and not (isinstance(settings, Mapping) and all(isinstance(key, str) for key in settings)):
        raise ValueError(f"settings must map names to values, not {settings!r}")
    given = (settings or {}).get(name, default)
    pair = [each for each in given if is_number(each)] if isinstance(given, Sequence) else []
    if len(pair) != 2 or len(given) != 2 or not pair[0] < pair[1]:
        raise ValueError(f"{name} in settings must go from a lower to a higher energy in keV, not {given!r}")
    low, high = (check_number(f"{name} in settings", each, "keV") for each in pair)
    return low, high


def names_quantities(target: Any) -> bool:
    """Whether a target is one or more quantities with their wanted errors."""
    return isinstance(target, Mapping) and bool(target) and all(isinstance(each, str) for each in target)


def _check_forecast(options: Options) -> None:
    named, forecast = names_quantities(options.get("target")), options.get("forecast")
    if named != (forecast is not None) and options.get("target") != {}:  # which is refused below
        raise ValueError(
            "target with quantities needs forecast, a file that gives the expected transient; no other takes it"
        )
    if not isinstance(forecast or "", str):
        raise ValueError(f"forecast must be the name of a file, not {forecast!r}")


def _longest(cycle: float, options: Options) -> float:
    """Most seconds a point: those of one pattern without a target."""
    most = cycle * MOST_CYCLES
    target, longest = options.get("target"), options.get("longest", min(LONGEST, most))
    if target is None:
        if "longest" in options:
            raise ValueError("longest needs target, without which a point is counted for one pattern of dwells")
        return cycle
    if not names_quantities(target) and (isinstance(target, Mapping) or not (is_number(target) and target > 0)):
        raise ValueError(f"target must be a relative error above 0, or quantities with errors, not {target!r}")
    if not (is_number(longest) and cycle <= longest <= most):
        raise ValueError(
            f"longest must be a number of s from those of one pattern, {cycle:g}, to {most:g}, not {longest!r}"
        )
    return float(longest)


def _check_names_and_ranges(options: Options) -> None:
    known = Options.__annotations__
    if unknown := sorted(set(options) - set(known)):
        raise ValueError(f"unknown argument {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    _check_forecast(options)
    reference = options.get("reference")
    if reference is not None and reference not in REFERENCES:
        raise ValueError(f"reference must be one of {', '.join(REFERENCES)}, not {reference!r}")
    if options.get("order", ORDERS[0]) not in ORDERS:
        raise ValueError(f"order must be one of {', '.join(ORDERS)}, not {options['order']!r}")
    checks = options.get("checks", ())
    if not isinstance(checks, Sequence) or not all(isinstance(check, Check) for check in checks):
        raise ValueError(f"checks must be a list of Check(key, low, high, reason), not {checks!r}")
    for name in ("scan_set", "background"):
        if not isinstance(options.get(name) or "", str):
            raise ValueError(f"{name} must be the text of a uid, not {options[name]!r}")  # type: ignore[literal-required]
    if options.get("judge") is not None and not callable(options["judge"]):
        raise ValueError(f"judge must be called with a point and return seconds, not {options['judge']!r}")
    fluence = options.get("fluence")
    if fluence is not None and not (is_number(fluence) and fluence >= 0):
        raise ValueError(f"fluence must be a number of mJ/cm2 from 0, not {fluence!r}")
